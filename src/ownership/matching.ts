import { matchesName, type WrittenName } from "../mtree/index.ts";
import type { TreeDraft } from "../tree/index.ts";

/** What is in a directory, in columns. */
interface Listing {
  /** How many rows the draft had: another number says that there may be other names. */
  readonly draftLength: number;
  readonly changes: number;
  readonly rows: readonly number[];
  readonly names: readonly Uint8Array[];
  /** Which bytes each name has, as two words of bits. */
  readonly bits: Uint32Array;
}

/**
 * Finds the names of directories that patterns match. Thousands of patterns may be about the same large directory, so
 * its names are kept, with the bytes that each has: most patterns need one that most names lack.
 */
export class NameMatching {
  /** To be counted up when the draft loses names. */
  changes = 0;
  readonly #draft: TreeDraft;
  readonly #listings = new Map<number, Listing>();

  constructor(draft: TreeDraft) {
    this.#draft = draft;
  }

  /** The rows of a directory whose names a pattern matches. */
  *in(directory: number, pattern: WrittenName): Generator<number> {
    const { rows, names, bits } = this.#listing(directory);
    const needed = new Uint32Array(2);
    for (const byte of neededBytes(pattern)) addBit(needed, 0, byte);
    const [first = 0, second = 0] = needed;
    for (let index = 0; index < rows.length; index++) {
      const isPossible = (first & ~bits[2 * index]!) === 0 && (second & ~bits[2 * index + 1]!) === 0;
      if (isPossible && matchesName(pattern, names[index]!)) yield rows[index]!;
    }
  }

  #listing(directory: number): Listing {
    const draftLength = this.#draft.length;
    const known = this.#listings.get(directory);
    if (known?.draftLength === draftLength && known.changes === this.changes) return known;
    const rows = [...this.#draft.children(directory)];
    // A copy: the names of a draft move when it grows.
    const names = rows.map((row) => this.#draft.name(row).slice());
    const bits = new Uint32Array(2 * rows.length);
    for (const [index, name] of names.entries()) for (const byte of name) addBit(bits, 2 * index, byte);
    const listing = { draftLength, changes: this.changes, rows, names, bits };
    if (this.#listings.size >= MOST_LISTINGS) this.#listings.clear();
    this.#listings.set(directory, listing);
    return listing;
  }
}

/** How many directories are kept. */
const MOST_LISTINGS = 64;

/** Bytes of a pattern that every name has that it matches: those that are neither wildcards nor in brackets. */
function* neededBytes({ bytes, isEscaped }: WrittenName): Generator<number> {
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]!;
    // What is behind a bracket may be in it.
    if (byte === BRACKET && !isEscaped[index]) return;
    if ((byte !== ASTERISK && byte !== QUESTION_MARK) || isEscaped[index]) yield byte;
  }
}

const ASTERISK = 0x2a;
const QUESTION_MARK = 0x3f;
const BRACKET = 0x5b;

function addBit(words: Uint32Array, at: number, byte: number): void {
  const word = at + ((byte >>> 6) & 1);
  words[word] = words[word]! | (1 << (byte & 31));
}
