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

const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09]);
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
  const reader = new MtreeReader(name);
  for (const { text, number } of logicalLines(bytes)) reader.take(text, number);
  throwProblems("INVALID_SPEC", `${name} cannot be read`, reader.problems);
  return reader.entries;
}

class MtreeReader {
  readonly problems: string[] = [];
  readonly entries: MtreeEntry[] = [];
  readonly #name: string;
  /** Keywords that `/set` gives to all that follow, as they were written. */
  readonly #common = new Map<string, Uint8Array>();
  /** The directory that relative names are in. */
  #directory: readonly WrittenName[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  take(text: Uint8Array, line: number): void {
    const place = `${this.#name}:${line}`;
    if (text.length > LONGEST_LINE) {
      this.problems.push(`${place}: the line is longer than ${LONGEST_LINE} bytes`);
      return;
    }
    const [first, ...words] = wordsOf(text);
    if (first === undefined) return;
    const command = byteKey(first);
    if (command === "/set") for (const word of words) this.#common.set(keywordOf(word), word);
    else if (command === "/unset") for (const word of words) this.#unset(byteKey(word));
    // The root is left as well, at the end of what NetBSD writes.
    else if (command === "..") this.#directory = this.#directory.slice(0, -1);
    else this.#takeEntry(first, words, place);
  }

  #unset(keyword: string): void {
    if (keyword === "all") this.#common.clear();
    else this.#common.delete(keyword);
  }

  #takeEntry(path: Uint8Array, words: readonly Uint8Array[], place: string): void {
    const fields: MtreeFields = {};
    const own = new Set(words.map(keywordOf));
    for (const [keyword, word] of this.#common) {
      // A number of a line's own says more than a name that all lines have.
      const isOutdone = (keyword === "uname" && own.has("uid")) || (keyword === "gname" && own.has("gid"));
      const problem = isOutdone ? undefined : takeKeyword(fields, word);
      if (problem !== undefined) this.problems.push(`${place}: ${printable(latin(problem))}`);
    }
    for (const word of words) {
      const problem = takeKeyword(fields, word);
      if (problem !== undefined) this.problems.push(`${place}: ${printable(latin(problem))}`);
    }
    const names = namesOf(path);
    if (names === undefined) {
      this.problems.push(`${place}: the name ${printable(path)} cannot be read`);
      return;
    }
    // A path with a slash is one from the root; "." is the root itself when nothing is before it.
    const isFull = path.includes(SLASH);
    const full = isFull ? names : [...this.#directory, ...names];
    this.entries.push({ ...fields, names: full, place });
    if (!isFull && fields.type === "dir") this.#directory = full;
  }
}

function latin(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => Math.min(character.charCodeAt(0), 0xff));
}

function keywordOf(word: Uint8Array): string {
  return byteKey(word).replace(/=.*/s, "");
}

/** The names of a path; `undefined` when one cannot be read, is `..`, or holds what no name can hold. */
function namesOf(path: Uint8Array): WrittenName[] | undefined {
  const names: WrittenName[] = [];
  for (let start = 0; start <= path.length; ) {
    const slash = path.indexOf(SLASH, start);
    const end = slash < 0 ? path.length : slash;
    const part = path.subarray(start, end);
    start = end + 1;
    const text = byteKey(part);
    if (text === "" || text === ".") continue;
    const name = readName(part);
    if (name === undefined || text === ".." || name.bytes.includes(0) || name.bytes.includes(SLASH))
      return undefined;
    names.push(name);
  }
  return names;
}

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
  return text.find((byte) => !BLANKS.has(byte)) === HASH;
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

function wordsOf(text: Uint8Array): Uint8Array[] {
  const words: Uint8Array[] = [];
  let start = -1;
  for (let at = 0; at <= text.length; at++) {
    const isBlank = at === text.length || BLANKS.has(text[at]!);
    if (isBlank && start >= 0) {
      words.push(text.subarray(start, at));
      start = -1;
    } else if (!isBlank && start < 0) start = at;
  }
  return words;
}
