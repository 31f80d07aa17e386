/**
 * Text as a part of a file name that every boot loader and filesystem takes (UAPI.1 "Type #1 Boot Loader Specification
 * Entries": ASCII letters, digits, `+`, `-`, `_` and `.`). What cannot be in one becomes a `_`.
 */
export function fileNamePart(text: string): string {
  const legal = text.replace(/[^A-Za-z0-9+\-_.]+/g, "_").replace(/^\.+|\.+$/g, "");
  // At the end of a name, `+3` and `+3-1` are counters of attempts to boot (UAPI.1 "Boot counting").
  return legal.replace(/\+(\d+(?:-\d+)?)$/, "_$1").slice(0, 200);
}

/** Text as a single line without blanks around it, as the values of an entry are. */
export function singleLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029\s]+/g, " ").trim();
}
