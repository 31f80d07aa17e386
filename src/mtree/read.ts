import { byteKey, printable } from "../bytes/index.ts";
import { throwProblems } from "../errors.ts";
import { type MtreeFields, takeKeyword } from "./keywords.ts";
import { readName, type WrittenName } from "./names.ts";

/** A line of a manifest: a path, or a pattern of paths, and what it sets. */
export interface MtreeEntry extends Readonly<MtreeFields> {
  /** The names of the path from the root; none for the root itself. */
  readonly names: readonly WrittenName[];
  /** For messages: `file.mtree:12`. */
  readonly place: string;
}

/** Longer lines are no manifest. */
const LONGEST_LINE = 64 * 1024;

const BACKSLASH = 0x5c;
const HASH = 0x23;
const SLASH = 0x2f;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * Reads a manifest in the form of mtree(5), as NetBSD and libarchive write it: lines with a path and keywords,
 * `/set` and `/unset` for what following lines have in common, names that are relative to the directory before
 * them and `..` to leave it, and full paths.
 *
 * @throws DiskwrightError `INVALID_SPEC` with every line that cannot be read. `name` is that of the file.
 */
export function readMtree(bytes: Uint8Array, name: string): MtreeEntry[] {
  return [...mtreeEntries(bytes, name)];
}

/**
 * The entries of a manifest as {@link readMtree} gives them, each made when it is asked for: all of them together take
 * much more memory than the text. What cannot be read is found out at once.
 */
export function mtreeEntries(bytes: Uint8Array, name: string): Iterable<MtreeEntry> {
  const problems: string[] = [];
  for (const _ of entriesIn(bytes, name, problems));
  throwProblems("INVALID_SPEC", `${name} cannot be read`, problems);
  return { [Symbol.iterator]: () => entriesIn(bytes, name, []) };
}

function* entriesIn(bytes: Uint8Array, name: string, problems: string[]): Generator<MtreeEntry> {
  const reader = new MtreeReader(name, problems);
  for (const { text, number } of logicalLines(bytes)) {
    const entry = reader.take(text, number);
    if (entry !== undefined) yield entry;
  }
}

/** What a word sets; `undefined` when it cannot be read. */
type Assignment = readonly (readonly [field: keyof MtreeFields, value: unknown])[] | undefined;

/** Words whose meaning is kept: most are on many lines, such as `uid=0`. */
const MOST_KEPT = 4096;

class MtreeReader {
  readonly #problems: string[];
  readonly #name: string;
  /** Keywords that `/set` gives to all that follow, as they were written. Words are text with a character a byte. */
  readonly #common = new Map<string, string>();
  readonly #kept = new Map<string, Assignment>();
  /** The directory that relative names are in. */
  #directory: readonly WrittenName[] = [];
  /** The directory of the last full path. */
  #lastStart: { readonly text: string; readonly names: readonly WrittenName[] } | undefined;

  constructor(name: string, problems: string[]) {
    this.#name = name;
    this.#problems = problems;
  }

  /** Takes a line; returns the entry that it is, if it is one. */
  take(text: Uint8Array, line: number): MtreeEntry | undefined {
    if (text.length > LONGEST_LINE) {
      this.#note(line, `the line is longer than ${LONGEST_LINE} bytes`);
      return undefined;
    }
    const words = wordsOf(byteKey(text));
    const [first] = words;
    if (first === undefined) return undefined;
    if (first === "/set") {
      for (const word of words.slice(1)) this.#common.set(keywordOf(word), word);
    } else if (first === "/unset") {
      for (const word of words.slice(1)) this.#unset(word);
    } else if (first === "..") {
      // The root is left as well, at the end of what NetBSD writes.
      this.#directory = this.#directory.slice(0, -1);
    } else return this.#entry(words, line);
    return undefined;
  }

  #unset(keyword: string): void {
    if (keyword === "all") this.#common.clear();
    else this.#common.delete(keyword);
  }

  #entry(words: readonly string[], line: number): MtreeEntry | undefined {
    const fields: MtreeFields = {};
    if (this.#common.size > 0) this.#takeCommon(fields, words, line);
    for (let index = 1; index < words.length; index++) this.#takeWord(fields, words[index]!, line);
    const path = words[0]!;
    const isFull = path.includes("/");
    const names = isFull ? this.#fullNames(path) : namesOf(path);
    if (names === undefined) {
      this.#note(line, `the name ${printable(latin(path))} cannot be read`);
      return undefined;
    }
    // A path with a slash is one from the root; "." is the root itself when nothing is before it.
    const full = isFull ? names : [...this.#directory, ...names];
    if (!isFull && fields.type === "dir") this.#directory = full;
    const entry = fields as MtreeFields & { names: readonly WrittenName[]; place: string };
    entry.names = full;
    entry.place = `${this.#name}:${line}`;
    return entry;
  }

  #takeCommon(fields: MtreeFields, words: readonly string[], line: number): void {
    const has = (keyword: string): boolean =>
      words.some((word, index) => index > 0 && keywordOf(word) === keyword);
    for (const [keyword, word] of this.#common) {
      // A number of a line's own says more than a name that all lines have.
      const isOutdone = (keyword === "uname" && has("uid")) || (keyword === "gname" && has("gid"));
      if (!isOutdone) this.#takeWord(fields, word, line);
    }
  }

  #takeWord(fields: MtreeFields, word: string, line: number): void {
    let assignment = this.#kept.get(word);
    if (assignment === undefined) {
      // What sets one of several attributes adds to what is set.
      if (word.startsWith("xattr.")) {
        this.#noteProblem(takeKeyword(fields, latin(word)), line);
        return;
      }
      const own: MtreeFields = {};
      if (this.#noteProblem(takeKeyword(own, latin(word)), line)) return;
      assignment = Object.entries(own) as unknown as NonNullable<Assignment>;
      if (this.#kept.size < MOST_KEPT) this.#kept.set(word, assignment);
    }
    for (const [field, value] of assignment) (fields as Record<string, unknown>)[field] = value;
  }

  /** The names of a path from the root: many lines are about the same directory. */
  #fullNames(path: string): readonly WrittenName[] | undefined {
    const slash = path.lastIndexOf("/");
    const text = path.slice(0, slash);
    if (this.#lastStart?.text !== text) {
      const names = namesOf(text);
      if (names === undefined) return undefined;
      this.#lastStart = { text, names };
    }
    const last = namesOf(path.slice(slash + 1));
    return last && [...this.#lastStart.names, ...last];
  }

  #noteProblem(problem: string | undefined, line: number): boolean {
    if (problem !== undefined) this.#note(line, printable(latin(problem)));
    return problem !== undefined;
  }

  #note(line: number, problem: string): void {
    this.#problems.push(`${this.#name}:${line}: ${problem}`);
  }
}

function latin(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = Math.min(text.charCodeAt(index), 0xff);
  return bytes;
}

function keywordOf(word: string): string {
  const equals = word.indexOf("=");
  return equals < 0 ? word : word.slice(0, equals);
}

/** The names of a path; `undefined` when one cannot be read, is `..`, or holds what no name can hold. */
function namesOf(path: string): WrittenName[] | undefined {
  const names: WrittenName[] = [];
  for (let start = 0; start <= path.length; ) {
    const slash = path.indexOf("/", start);
    const end = slash < 0 ? path.length : slash;
    const part = path.slice(start, end);
    start = end + 1;
    if (part === "" || part === ".") continue;
    const name = part.includes("\\") ? readName(latin(part)) : { bytes: latin(part), isEscaped: NONE };
    if (name === undefined || part === ".." || name.bytes.includes(0) || name.bytes.includes(SLASH))
      return undefined;
    names.push(name);
  }
  return names;
}

/** Of a name in which nothing is escaped. */
const NONE: readonly boolean[] = [];

interface Line {
  readonly text: Uint8Array;
  /** Of its first part, from 1. */
  readonly number: number;
}

/** The lines that are no comments, each joined with those that a backslash at its end continues it by. */
function* logicalLines(bytes: Uint8Array): Generator<Line> {
  let number = 0;
  let parts: Uint8Array[] = [];
  let first = 0;
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, start);
    let end = newline < 0 ? bytes.length : newline;
    const next = end + 1;
    number++;
    if (end > start && bytes[end - 1] === RETURN) end--;
    const isContinued = bytes[end - 1] === BACKSLASH && end > start && bytes[end - 2] !== BACKSLASH;
    const text = bytes.subarray(start, isContinued ? end - 1 : end);
    start = next;
    if (parts.length === 0) {
      first = number;
      if (isComment(text)) continue;
    }
    parts.push(text);
    if (isContinued && start < bytes.length) continue;
    yield { text: joined(parts), number: first };
    parts = [];
  }
}

function isComment(text: Uint8Array): boolean {
  return text.find((byte) => !isBlankCode(byte)) === HASH;
}

function isBlankCode(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const length = parts.reduce((sum, part) => sum + part.length + 1, 0);
  const text = new Uint8Array(length).fill(0x20);
  let end = 0;
  for (const part of parts) {
    text.set(part, end);
    end += part.length + 1;
  }
  return text;
}

function wordsOf(text: string): string[] {
  const words: string[] = [];
  let start = -1;
  for (let at = 0; at <= text.length; at++) {
    const isBlank = at === text.length || isBlankCode(text.charCodeAt(at));
    if (isBlank && start >= 0) {
      words.push(text.slice(start, at));
      start = -1;
    } else if (!isBlank && start < 0) start = at;
  }
  return words;
}
