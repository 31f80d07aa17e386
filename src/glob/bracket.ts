/** The characters that a bracket such as `[a-z]` stands for: pairs of code points, each the first and last of a range. */
export interface CharacterSet {
  readonly isNegated: boolean;
  readonly ranges: readonly number[];
}

/** Whether a set has a code point. */
export function isInSet({ isNegated, ranges }: CharacterSet, code: number): boolean {
  for (let at = 0; at < ranges.length; at += 2) {
    if (ranges[at]! <= code && code <= ranges[at + 1]!) return !isNegated;
  }
  return isNegated;
}

/** Classes of POSIX (XBD 9.3.5), of ASCII. */
const CLASSES: Readonly<Record<string, string>> = {
  alnum: "AZaz09",
  alpha: "AZaz",
  ascii: "\0\x7f",
  blank: "  \t\t",
  cntrl: "\0\x1f\x7f\x7f",
  digit: "09",
  graph: "!~",
  lower: "az",
  print: " ~",
  punct: "!/:@[`{~",
  space: "  \t\r",
  upper: "AZ",
  word: "AZaz09__",
  xdigit: "AFaf09",
};

/**
 * Where the bracket that opens at `from` closes. Without an `end`, it is plain text, and so is every bracket that opens
 * before `stop`: a slash is in no bracket.
 */
export function bracketEnd(
  text: readonly string[],
  from: number,
): { readonly end: number | undefined; readonly stop: number } {
  let at = from + 1;
  if (text[at] === "!" || text[at] === "^") at++;
  // A bracket right behind the start belongs to the set.
  if (text[at] === "]") at++;
  for (; at < text.length && text[at] !== "/"; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "]") return { end: at, stop: at };
    else at = classEnd(text, at) ?? at;
  }
  return { end: undefined, stop: at };
}

/** The set of the bracket between two places. */
export function parseBracket(text: readonly string[], from: number, end: number): CharacterSet {
  const ranges: number[] = [];
  const isNegated = text[from + 1] === "!" || text[from + 1] === "^";
  for (let at = from + (isNegated ? 2 : 1); at < end; at++) {
    const behindClass = classEnd(text, at);
    if (behindClass !== undefined) {
      const name = text.slice(at + 2, behindClass - 1).join("");
      for (const character of CLASSES[name]!) ranges.push(character.codePointAt(0)!);
      at = behindClass;
      continue;
    }
    if (text[at] === "\\" && at + 1 < end) at++;
    const first = text[at]!.codePointAt(0)!;
    let last = first;
    if (text[at + 1] === "-" && at + 2 < end) {
      at += 2;
      if (text[at] === "\\" && at + 1 < end) at++;
      last = text[at]!.codePointAt(0)!;
    }
    // A range whose ends are swapped is empty.
    if (first <= last) ranges.push(first, last);
  }
  return { isNegated, ranges };
}

/** Where a class such as `[:alpha:]` ends, if one begins at `at`. */
function classEnd(text: readonly string[], at: number): number | undefined {
  if (text[at] !== "[" || text[at + 1] !== ":") return undefined;
  const start = at + 2;
  for (let end = start; end < start + LONGEST_CLASS; end++) {
    if (text[end] !== ":") continue;
    return text[end + 1] === "]" && text.slice(start, end).join("") in CLASSES ? end + 1 : undefined;
  }
  return undefined;
}

const LONGEST_CLASS = 8;
