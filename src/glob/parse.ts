import { printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { bracketEnd, type CharacterSet, parseBracket } from "./bracket.ts";

// The text of a pattern as a tree of items, in one pass: no construct is tried in more than one way.

/** What takes exactly one character of a name: a given one, any, or one of a set. */
export type OneCharacter =
  | { readonly type: "text"; readonly code: number }
  | { readonly type: "any" }
  | { readonly type: "set"; readonly set: CharacterSet };

/** How often one of the choices of a group is there; `not`: anything but one of them. */
export type GroupKind = "once" | "optional" | "any-number" | "at-least-once" | "not";

export interface Group {
  readonly type: "group";
  readonly kind: GroupKind;
  readonly choices: readonly Sequence[];
}

export type Item = OneCharacter | { readonly type: "star" } | { readonly type: "slash" } | Group;

export type Sequence = readonly Item[];

/** Longer patterns are refused; no path of a system is as long. */
const LONGEST_PATTERN = 65_536;

/** Deeper groups are refused, and so are groups that stand for more alternatives. */
const DEEPEST = 50;
export const MOST_CHOICES = 10_000;

const KINDS: Readonly<Record<string, GroupKind>> = {
  "@": "once",
  "?": "optional",
  "*": "any-number",
  "+": "at-least-once",
  "!": "not",
};

/** What of the syntax is meant: a shell's own wildcards only, or groups in braces and parentheses too. */
export interface Syntax {
  readonly hasGroups: boolean;
}

/**
 * The items of a pattern.
 *
 * @throws DiskwrightError `INVALID_SPEC` when it is too long, or its groups are too deep or stand for too many
 *   alternatives.
 */
export function parsePattern(pattern: string, { hasGroups }: Syntax): Sequence {
  if (pattern.length > LONGEST_PATTERN) {
    throw invalidPattern(pattern, `patterns of more than ${LONGEST_PATTERN} characters are not read`);
  }
  return new Parser(pattern, hasGroups).parse();
}

/** The error of a pattern that cannot be used. */
export function invalidPattern(pattern: string, problem: string): DiskwrightError {
  const shown = pattern.length > SHOWN ? `${pattern.slice(0, SHOWN)}…` : pattern;
  return new DiskwrightError("INVALID_SPEC", `the pattern ${printable(utf8(shown))}: ${problem}`);
}

/** How much of a pattern a message shows. */
const SHOWN = 100;

class Parser {
  readonly #pattern: string;
  /** One character each; code points, so that those outside of the basic plane count as one. */
  readonly #text: readonly string[];
  /** Where the group or bracket that opens at a place closes; -1 where none does. */
  readonly #closing: Int32Array;

  constructor(pattern: string, hasGroups: boolean) {
    this.#pattern = pattern;
    this.#text = [...pattern];
    this.#closing = closings(this.#text, hasGroups);
  }

  parse(): Sequence {
    return this.#sequence(0, this.#text.length, 0);
  }

  #sequence(from: number, to: number, depth: number): Item[] {
    if (depth > DEEPEST) throw invalidPattern(this.#pattern, `groups are nested more than ${DEEPEST} deep`);
    const items: Item[] = [];
    for (let at = from; at < to; at++) {
      const character = this.#text[at]!;
      const closing = this.#closing[at]!;
      const kind = KINDS[character];
      if (character === "\\" && at + 1 < to) items.push(text(this.#text[++at]!));
      else if (character === "/") items.push(SLASH);
      else if (
        kind !== undefined &&
        at + 1 < to &&
        this.#closing[at + 1]! >= 0 &&
        this.#text[at + 1] === "("
      ) {
        const end = this.#closing[at + 1]!;
        items.push({ type: "group", kind, choices: this.#choices(at + 2, end, "|", depth) });
        at = end;
      } else if (character === "*") items.push(STAR);
      else if (character === "?") items.push(ANY);
      else if (character === "[" && closing >= 0) {
        items.push({ type: "set", set: parseBracket(this.#text, at, closing) });
        at = closing;
      } else if ((character === "{" || character === "(") && closing >= 0) {
        const group =
          character === "{"
            ? this.#braces(at + 1, closing, depth)
            : this.#parentheses(at + 1, closing, depth);
        if (group === undefined) items.push(text(character));
        else {
          items.push(group);
          at = closing;
        }
      } else items.push(text(character));
    }
    return items;
  }

  /** `{a,b}` and `{1..9}`; others are plain text, as in a shell. */
  #braces(from: number, to: number, depth: number): Group | undefined {
    const choices = this.#choices(from, to, ",", depth);
    if (choices.length > 1) return { type: "group", kind: "once", choices };
    const range = this.#text.slice(from, Math.min(to, from + LONGEST_RANGE)).join("");
    const names = to - from > LONGEST_RANGE ? undefined : this.#range(range);
    return names && { type: "group", kind: "once", choices: names.map((name) => [...name].map(text)) };
  }

  /** `(a|b)`; parentheses with one choice are plain text, as many names have them. */
  #parentheses(from: number, to: number, depth: number): Group | undefined {
    const choices = this.#choices(from, to, "|", depth);
    return choices.length > 1 ? { type: "group", kind: "once", choices } : undefined;
  }

  /** What a separator divides, outside of groups and brackets. */
  #choices(from: number, to: number, separator: string, depth: number): Item[][] {
    const choices: Item[][] = [];
    let start = from;
    for (let at = from; at <= to; at++) {
      if (at === to || this.#text[at] === separator) {
        choices.push(this.#sequence(start, at, depth + 1));
        start = at + 1;
      } else if (this.#text[at] === "\\") at++;
      else if (this.#closing[at]! >= 0) at = this.#closing[at]!;
    }
    return choices;
  }

  /** `1..9`, `9..1`, `01..10`, `a..f`, as bash counts. */
  #range(range: string): string[] | undefined {
    const match = /^(?:(-?\d{1,9})\.\.(-?\d{1,9})|([A-Za-z])\.\.([A-Za-z]))$/.exec(range);
    if (match === null) return undefined;
    const [, first = "", last = "", firstLetter, lastLetter] = match;
    const isLetters = firstLetter !== undefined && lastLetter !== undefined;
    const start = isLetters ? firstLetter.charCodeAt(0) : Number(first);
    const end = isLetters ? lastLetter.charCodeAt(0) : Number(last);
    const count = Math.abs(end - start) + 1;
    if (count > MOST_CHOICES) {
      throw invalidPattern(
        this.#pattern,
        `{${range}} stands for ${count} names, ${MOST_CHOICES} are the limit`,
      );
    }
    const hasZeros = [first, last].some((digits) => /^-?0\d/.test(digits));
    const width = hasZeros ? Math.max(first.length, last.length) : 0;
    return Array.from({ length: count }, (_, index) => {
      const number = start < end ? start + index : start - index;
      if (isLetters) return String.fromCharCode(number);
      const digits = String(Math.abs(number)).padStart(number < 0 ? width - 1 : width, "0");
      return number < 0 ? `-${digits}` : digits;
    });
  }
}

/** The longest text between the braces of a range. */
const LONGEST_RANGE = 22;

/** Items of text are shared: of many patterns there are very many. */
const texts = new Map<number, OneCharacter>();

function text(character: string): OneCharacter {
  const code = character.codePointAt(0)!;
  const known = texts.get(code);
  if (known !== undefined) return known;
  const item = { type: "text", code } as const;
  if (code < MOST_SHARED) texts.set(code, item);
  return item;
}

/** Of higher code points only few are in patterns. */
const MOST_SHARED = 0x250;

const STAR = { type: "star" } as const;
const ANY = { type: "any" } as const;
const SLASH = { type: "slash" } as const;

const OPENING: Readonly<Record<string, string>> = { ")": "(", "}": "{" };

/** Where every bracket, and with groups every brace and parenthesis, closes. What is never closed is plain text. */
function closings(text: readonly string[], hasGroups: boolean): Int32Array {
  const closing = new Int32Array(text.length).fill(-1);
  const open: number[] = [];
  const count: Record<string, number> = { "(": 0, "{": 0 };
  /** No bracket that opens before here is closed. */
  let unclosedUntil = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === "\\") at++;
    else if (character === "[" && at >= unclosedUntil) {
      const { end, stop } = bracketEnd(text, at);
      if (end === undefined) unclosedUntil = stop;
      else {
        closing[at] = end;
        at = end;
      }
    } else if (!hasGroups) continue;
    else if (character === "(" || character === "{") {
      open.push(at);
      count[character]!++;
    } else if (character === ")" || character === "}") {
      const opening = OPENING[character]!;
      // Others that were opened in between are never closed.
      while (count[opening]! > 0) {
        const from = open.pop()!;
        count[text[from]!]!--;
        if (text[from] !== opening) continue;
        closing[from] = at;
        break;
      }
    }
  }
  return closing;
}
