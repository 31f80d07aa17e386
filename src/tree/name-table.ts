/** A slot of the index that was in use: what lies behind it in the chain must still be found. */
const DROPPED = 0xffffffff;

/**
 * The names of rows, with their parents, and the way from a parent and a name to a row: an open hash table over
 * typed arrays, some 25 bytes and the name for each row. Rows are numbered in the order in which they are added.
 */
export class NameTable {
  #length = 0;
  #parent = new Uint32Array(1024);
  #start = new Uint32Array(1024);
  #nameLength = new Uint8Array(1024);
  #bytes = new Uint8Array(16 * 1024);
  #used = 0;
  /** Rows plus one; 0 is free. Its length is a power of two, at least twice the number of slots in use. */
  #slots = new Uint32Array(4096);
  #slotsInUse = 0;

  /** Rows so far, those that were dropped among them. */
  get length(): number {
    return this.#length;
  }

  /** Adds the name `path[start, end)` below a row, which must not have it yet. At most 255 bytes. */
  add(parent: number, path: Uint8Array, start: number, end: number): number {
    const row = this.#length++;
    if (row === this.#parent.length) this.#growRows();
    const length = end - start;
    while (this.#used + length > this.#bytes.length) this.#bytes = enlarged(this.#bytes);
    this.#parent[row] = parent;
    this.#start[row] = this.#used;
    this.#nameLength[row] = length;
    for (let from = start; from < end; from++) this.#bytes[this.#used++] = path[from]!;
    if (2 * (this.#slotsInUse + 1) > this.#slots.length) this.#rehash();
    this.#insert(row, hashOf(parent, path, start, end));
    return row;
  }

  /** The row of the name `path[start, end)` below a row. */
  find(parent: number, path: Uint8Array, start: number, end: number): number | undefined {
    const slot = this.#slotOf(parent, path, start, end);
    return slot === undefined ? undefined : this.#slots[slot]! - 1;
  }

  /** Forgets the way to a row; the row keeps its number and its name. */
  drop(row: number): void {
    const start = this.#start[row]!;
    const slot = this.#slotOf(this.#parent[row]!, this.#bytes, start, start + this.#nameLength[row]!);
    if (slot !== undefined) this.#slots[slot] = DROPPED;
  }

  parent(row: number): number {
    return this.#parent[row]!;
  }

  /** The bytes of a row's name. A view, not to be changed or kept. */
  name(row: number): Uint8Array {
    const start = this.#start[row]!;
    return this.#bytes.subarray(start, start + this.#nameLength[row]!);
  }

  /** The order of two names by their bytes. */
  compare(a: number, b: number): number {
    const bytes = this.#bytes;
    const aStart = this.#start[a]!;
    const bStart = this.#start[b]!;
    const aLength = this.#nameLength[a]!;
    const bLength = this.#nameLength[b]!;
    const length = Math.min(aLength, bLength);
    for (let index = 0; index < length; index++) {
      const difference = bytes[aStart + index]! - bytes[bStart + index]!;
      if (difference !== 0) return difference;
    }
    return aLength - bLength;
  }

  #slotOf(parent: number, path: Uint8Array, start: number, end: number): number | undefined {
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(parent, path, start, end) & mask; ; slot = (slot + 1) & mask) {
      const value = this.#slots[slot]!;
      if (value === 0) return undefined;
      if (value !== DROPPED && this.#isNamed(value - 1, parent, path, start, end)) return slot;
    }
  }

  #isNamed(row: number, parent: number, path: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (this.#parent[row] !== parent || this.#nameLength[row] !== length) return false;
    const own = this.#start[row]!;
    for (let index = 0; index < length; index++) {
      if (this.#bytes[own + index] !== path[start + index]) return false;
    }
    return true;
  }

  #insert(row: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = row + 1;
    this.#slotsInUse++;
  }

  #rehash(): void {
    const rows = this.#slots.filter((value) => value !== 0 && value !== DROPPED);
    let size = this.#slots.length;
    while (size < 4 * (rows.length + 1)) size *= 2;
    this.#slots = new Uint32Array(size);
    this.#slotsInUse = 0;
    for (const value of rows) {
      const start = this.#start[value - 1]!;
      const end = start + this.#nameLength[value - 1]!;
      this.#insert(value - 1, hashOf(this.#parent[value - 1]!, this.#bytes, start, end));
    }
  }

  #growRows(): void {
    this.#parent = enlarged(this.#parent);
    this.#start = enlarged(this.#start);
    this.#nameLength = enlarged(this.#nameLength);
  }
}

/** FNV-1a over the parent and the name, with its bits mixed once more: the low ones choose the slot. */
function hashOf(parent: number, path: Uint8Array, start: number, end: number): number {
  let hash = Math.imul(0x811c9dc5 ^ parent, 0x01000193);
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ path[index]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** A column of twice the length, with the same start. */
export function enlarged<Column extends Uint8Array | Uint16Array | Uint32Array | Float64Array>(
  column: Column,
): Column {
  const Type = column.constructor as new (length: number) => Column;
  const larger = new Type(2 * column.length);
  larger.set(column);
  return larger;
}
