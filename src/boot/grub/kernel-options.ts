import { hasControlCharacters } from "./quote.ts";

// GRUB hands the words behind `linux PATH` on as one line (grub-core/lib/cmdline.c): a word with a space in it
// gets double quotes around it, and before `"`, `'` and `\` comes a backslash, which means nothing to the
// kernel. So the words have to be those that the kernel's own reader finds (lib/cmdline.c, next_arg): quotes
// that enclose a value or a whole word are left out, and come back where a space needs them.

/** The options of a kernel in words that GRUB hands on, and those that it would change. */
export interface KernelOptions {
  readonly words: readonly string[];
  /** Why GRUB cannot hand a word on; empty when it can. */
  readonly problems: readonly string[];
}

/** The words of a kernel's command line. What is between them (spaces, ends of lines) is taken as one space. */
export function kernelOptions(line: string): KernelOptions {
  const words = split(line)
    .map(unquoted)
    .filter((word) => word !== "");
  return { words, problems: words.flatMap((word) => [...wordProblems(word)]) };
}

/** The words, as the kernel divides them: at white space outside of double quotes. */
function split(line: string): string[] {
  // An open quote reaches to the end of the line.
  return line.match(/(?:"[^"]*(?:"|$)|[^ \t\n\v\f\r"])+/g) ?? [];
}

/** A word without the quotes that enclose its value, or all of it. */
function unquoted(word: string): string {
  const isWhole = word.startsWith('"');
  const inner = isWhole ? word.slice(1) : word;
  const equals = inner.indexOf("=", 1);
  const isValue = equals > 0 && inner[equals + 1] === '"';
  // One quote at the end ends either.
  const end = inner.length - ((isWhole || isValue) && inner.endsWith('"') ? 1 : 0);
  return isValue ? inner.slice(0, equals + 1) + inner.slice(equals + 2, end) : inner.slice(0, end);
}

function* wordProblems(word: string): Generator<string> {
  if (hasControlCharacters(word)) yield `option ${JSON.stringify(word)} has control characters`;
  const changed = /["'\\]/.exec(word);
  if (changed !== null) {
    yield `option ${word} has the character ${changed[0]} where GRUB hands it to the kernel with a backslash before it: do without it`;
  }
}
