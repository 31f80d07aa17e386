// How GRUB's script language takes a word as it is: GRUB manual, "Quoting". Between single quotes nothing has
// a meaning but the single quote itself, which a backslash outside of them stands for.

/** Characters that mean nothing to GRUB, wherever they are in a word. */
const PLAIN = /^[A-Za-z0-9_./:=,+@%-]+$/;

/** Words that GRUB's grammar knows (GRUB manual, "Words"), as far as they consist of plain characters. */
const RESERVED_WORDS: ReadonlySet<string> = new Set(
  "case do done elif else esac fi for function if in menuentry select then time until while".split(" "),
);

/** A word for GRUB's script language that stands for `text`, whatever that is, as long as it has no NUL. */
export function quotedWord(text: string): string {
  return PLAIN.test(text) && !RESERVED_WORDS.has(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Whether there are characters that no line of a menu can show: of control, such as the end of a line. */
export function hasControlCharacters(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return /[\x00-\x1f\x7f]/.test(text);
}
