import { isZeros, SECTOR, UnitSet } from "../container/index.ts";
import { type ByteSource, readExactly } from "../extents/index.ts";
import type { Geometry } from "./geometry.ts";
import { ENTRY, NO_PLACE, ZERO_GRAIN } from "./structures.ts";

/** Entries of a directory that are in memory: those of 256 GiB of a disk, usually. */
const PART = 8192;

/** Tables that are read together; a part of the directory is a multiple of it. */
export const GROUP = 32;

/** Some entries of a directory, from that of the table `first` on. */
interface DirectoryPart {
  readonly first: number;
  /** The sectors at which tables lie, 0 where there is none. */
  readonly sectors: Uint32Array;
}

/** A grain directory, and the tables that it tells of. */
export class GrainDirectory {
  readonly #file: ByteSource;
  readonly #offset: number;
  readonly #tables: number;
  readonly #tableEntries: number;
  readonly #tableSize: number;
  readonly #hasZeroGrains: boolean;
  #part: DirectoryPart | undefined;

  /** The directory that starts at byte `offset`; all of it lies in the file. */
  constructor(file: ByteSource, offset: number, { tables, tableEntries, hasZeroGrains }: Geometry) {
    this.#file = file;
    this.#offset = offset;
    this.#tables = tables;
    this.#tableEntries = tableEntries;
    this.#tableSize = ENTRY * tableEntries;
    this.#hasZeroGrains = hasZeroGrains;
  }

  /**
   * What is wrong with the places of the tables, the first of it; `undefined` when all lie in the file, and
   * apart from each other: a small file would tell of a disk without end.
   */
  async fault(): Promise<string | undefined> {
    const taken = new UnitSet();
    for await (const { first, sectors } of this.#parts()) {
      for (const [index, sector] of sectors.entries()) {
        if (sector === NO_PLACE) continue;
        const position = sector * SECTOR;
        const what = `grain table ${first + index} lies at byte ${position}`;
        if (position + this.#tableSize > this.#file.size) {
          return `${what}, but the file ends at ${this.#file.size}`;
        }
        // Of two that lie apart, no two have the same number here.
        const place = Math.floor(position / this.#tableSize);
        if (taken.has(place)) return `${what}, as another one does`;
        taken.add(place);
      }
    }
    return undefined;
  }

  /**
   * The first table that two directories tell different things of; `undefined` when there is none. The entries
   * of the first `compared` tables are looked at, of further ones only whether they exist.
   */
  async difference(other: GrainDirectory, compared: number): Promise<number | undefined> {
    for await (const { first, sectors } of this.#parts()) {
      const others = (await other.#partOf(first)).sectors;
      const index = sectors.findIndex((sector, at) => (sector === NO_PLACE) !== (others[at] === NO_PLACE));
      if (index >= 0) return first + index;
    }
    for (let start = 0; start < Math.min(compared, this.#tables); start += GROUP) {
      const entries = await this.entriesOf(start / GROUP);
      const others = await other.entriesOf(start / GROUP);
      const either = entries ?? others ?? new Uint32Array(0);
      const index = either.findIndex((_, at) => (entries?.[at] ?? NO_PLACE) !== (others?.[at] ?? NO_PLACE));
      if (index >= 0) return start + Math.floor(index / this.#tableEntries);
    }
    return undefined;
  }

  /**
   * The entries of all tables of a group: the sectors at which grains lie, 0 where there is none. `undefined`
   * when there is none in the whole group: large disks have thousands of tables that are holes in the file.
   */
  async entriesOf(group: number): Promise<Uint32Array | undefined> {
    const start = group * GROUP;
    const { first, sectors } = await this.#partOf(start);
    const places = sectors.subarray(start - first, start - first + GROUP);
    let entries: Uint32Array | undefined;
    for (let table = 0; table < places.length; ) {
      const position = places[table]! * SECTOR;
      if (position === 0) {
        table++;
        continue;
      }
      let count = 1;
      while (places[table + count]! * SECTOR === position + count * this.#tableSize) count++;
      const what = `grain table ${start + table} of the vmdk file`;
      const bytes = await readExactly(this.#file, position, count * this.#tableSize, what);
      if (!isZeros(bytes)) {
        entries ??= new Uint32Array(places.length * this.#tableEntries);
        entries.set(this.#decoded(bytes), table * this.#tableEntries);
      }
      table += count;
    }
    return entries;
  }

  /** The first table from `table` on that exists, or that the next part of the directory tells of. */
  async nextTable(table: number): Promise<number> {
    const { first, sectors } = await this.#partOf(table);
    let index = table - first;
    while (index < sectors.length && sectors[index] === NO_PLACE) index++;
    return first + index;
  }

  async *#parts(): AsyncGenerator<DirectoryPart> {
    for (let first = 0; first < this.#tables; first += PART) yield await this.#partOf(first);
  }

  async #partOf(table: number): Promise<DirectoryPart> {
    const first = table - (table % PART);
    if (this.#part?.first === first) return this.#part;
    const bytes = await readExactly(
      this.#file,
      this.#offset + ENTRY * first,
      ENTRY * Math.min(PART, this.#tables - first),
      "the grain directory of the vmdk file",
    );
    const part = { first, sectors: this.#decoded(bytes) };
    this.#part = part;
    return part;
  }

  /** Entries as numbers. A grain of zeros is as good as none: there is no other disk below. */
  #decoded(bytes: Uint8Array): Uint32Array {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const entries = new Uint32Array(bytes.length / ENTRY);
    for (let index = 0; index < entries.length; index++) {
      const sector = view.getUint32(ENTRY * index, true);
      entries[index] = sector === ZERO_GRAIN && this.#hasZeroGrains ? NO_PLACE : sector;
    }
    return entries;
  }
}
