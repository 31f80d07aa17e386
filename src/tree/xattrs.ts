import { shownValue } from "../arguments/index.ts";
import { compareBytes, printable, utf8 } from "../bytes/index.ts";

/** Extended attributes by full name (`user.comment`), each value as getxattr(2) gives it. */
export type Xattrs = ReadonlyMap<string, Uint8Array>;

/** The limits of Linux, in bytes: XATTR_NAME_MAX and XATTR_SIZE_MAX. Other systems have the same or more. */
const LONGEST_XATTR_NAME = 255;
const LARGEST_XATTR_VALUE = 65_536;

/** The number of the set that most entries have: none. */
const NO_SET = 0;

/**
 * Sets of extended attributes, each kept once however many entries have it. In a set that is kept, the names
 * are sorted: the order in which a source lists them is forgotten.
 */
class XattrSets {
  readonly #sets: (Xattrs | undefined)[] = [undefined];
  /** The numbers of sets that are kept. */
  readonly #numbers = new Map<Xattrs, number>();
  /** The newest set with a hash; and for each set the one before it with the same hash. */
  readonly #newest = new Map<number, number>();
  readonly #before: number[] = [NO_SET];

  /** The set of a number. */
  get(number: number): Xattrs | undefined {
    return this.#sets[number];
  }

  /** The number of a set, from 1; the same for all that are equal. */
  numberOf(xattrs: Xattrs): number {
    const known = this.#numbers.get(xattrs);
    if (known !== undefined) return known;
    const hash = hashOf(xattrs);
    const newest = this.#newest.get(hash) ?? NO_SET;
    for (let number = newest; number !== NO_SET; number = this.#before[number]!) {
      if (areEqual(this.#sets[number]!, xattrs)) return number;
    }
    const kept = sorted(xattrs);
    const number = this.#sets.push(kept) - 1;
    this.#numbers.set(kept, number);
    this.#newest.set(hash, number);
    this.#before.push(newest);
    return number;
  }
}

/**
 * Which row has which extended attributes: four bytes for a row, and each set once, so that a label that every
 * file has costs next to nothing. No bytes at all while no row has any.
 */
export class XattrTable {
  readonly #sets: XattrSets;
  #setOf: Uint32Array = new Uint32Array(0);

  /** With another table, what this one is given from there is not looked at again. */
  constructor(from?: XattrTable) {
    this.#sets = from === undefined ? new XattrSets() : from.#sets;
  }

  /** Whether no row has any. */
  get isEmpty(): boolean {
    return this.#setOf.length === 0;
  }

  /** What a row has; the same object for all rows with equal sets. `undefined` when it has none. */
  get(row: number): Xattrs | undefined {
    const number = this.#setOf[row];
    return number === undefined ? undefined : this.#sets.get(number);
  }

  /** The same rows with each set changed; a set that many rows have is changed once. */
  mapped(change: (xattrs: Xattrs) => Xattrs): XattrTable {
    const table = new XattrTable();
    const changed = new Map<Xattrs, Xattrs>();
    for (let row = 0; row < this.#setOf.length; row++) {
      const before = this.get(row);
      if (before === undefined) continue;
      let after = changed.get(before);
      if (after === undefined) changed.set(before, (after = change(before)));
      table.set(row, after);
    }
    return table;
  }

  /** Gives a row its extended attributes, in place of those that it had. An empty set is none. */
  set(row: number, xattrs: Xattrs): void {
    if (xattrs.size === 0) {
      if (row < this.#setOf.length) this.#setOf[row] = NO_SET;
      return;
    }
    if (row >= this.#setOf.length) {
      const larger = new Uint32Array(Math.max(1024, 2 * this.#setOf.length, row + 1));
      larger.set(this.#setOf);
      this.#setOf = larger;
    }
    this.#setOf[row] = this.#sets.numberOf(xattrs);
  }
}

/** A hash that does not depend on the order of the names. */
function hashOf(xattrs: Xattrs): number {
  let sum = 0;
  for (const [name, value] of xattrs) {
    // FNV-1a, over the name and then the value.
    let hash = 0x811c9dc5;
    for (let index = 0; index < name.length; index++) {
      hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
    }
    hash = Math.imul(hash ^ value.length, 0x01000193);
    for (let index = 0; index < value.length; index++) hash = Math.imul(hash ^ value[index]!, 0x01000193);
    // Without it, sums of hashes that end alike would end alike.
    sum = (sum + Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)) | 0;
  }
  return sum;
}

function areEqual(a: Xattrs, b: Xattrs): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || other.length !== value.length || compareBytes(value, other) !== 0)
      return false;
  }
  return true;
}

function sorted(xattrs: Xattrs): Xattrs {
  // By code units, which is the same everywhere; no two names are equal.
  return new Map([...xattrs].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What keeps attributes from being stored anywhere, one line for each. */
export function* xattrProblems(xattrs: Xattrs): Generator<string> {
  if (typeof xattrs.get !== "function") {
    yield "the extended attributes must be a Map of names to bytes";
    return;
  }
  for (const [name, value] of xattrs) {
    if (typeof name !== "string") {
      yield `an extended attribute has a name that is no text, but ${shownValue(name)}`;
      continue;
    }
    const bytes = utf8(name);
    const shown = `the extended attribute "${printable(bytes)}"`;
    if (bytes.length === 0) yield "an extended attribute has an empty name: name or remove it";
    if (bytes.includes(0)) yield `${shown} has a NUL in its name: rename or remove it`;
    if (bytes.length > LONGEST_XATTR_NAME) {
      yield `${shown} has a name of ${bytes.length} bytes, the limit is ${LONGEST_XATTR_NAME}: shorten or remove it`;
    }
    if (!(value instanceof Uint8Array)) yield `${shown} has a value that is no Uint8Array`;
    else if (value.length > LARGEST_XATTR_VALUE) {
      yield `${shown} has ${value.length} bytes, the limit is ${LARGEST_XATTR_VALUE}: shorten or remove it`;
    }
  }
}
