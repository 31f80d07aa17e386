/** Units of one page: their bits fill 4 KiB. */
const PAGE_UNITS = 32_768;

/** What turns a word of a page so that the bits that are looked for are those that are set. */
const IN = 0;
const OUT = -1;

/**
 * Which units of a disk have content: one bit each, in pages that exist only where a bit is set, so that a
 * disk of terabytes with little in it costs little.
 */
export class UnitSet implements Iterable<number> {
  readonly #pages = new Map<number, Uint32Array>();
  #size = 0;
  /** The page that was added to last: units mostly come in order. */
  #number = -1;
  #current: Uint32Array = new Uint32Array(0);

  /** How many units are in the set. */
  get size(): number {
    return this.#size;
  }

  add(unit: number): void {
    const page = this.#page(Math.floor(unit / PAGE_UNITS));
    const bit = unit % PAGE_UNITS;
    const word = bit >>> 5;
    const mask = 1 << (bit & 31);
    if ((page[word]! & mask) !== 0) return;
    page[word]! |= mask;
    this.#size++;
  }

  /** Adds every unit that `length` bytes from `position` touch, when each unit has `unitSize` bytes. */
  addBytes(position: number, length: number, unitSize: number): void {
    if (length === 0) return;
    const last = Math.floor((position + length - 1) / unitSize);
    for (let unit = Math.floor(position / unitSize); unit <= last; unit++) this.add(unit);
  }

  has(unit: number): boolean {
    const bit = unit % PAGE_UNITS;
    const page = this.#pages.get(Math.floor(unit / PAGE_UNITS));
    return page !== undefined && (page[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  /** The units in ascending order. */
  *[Symbol.iterator](): Generator<number> {
    for (const number of [...this.#pages.keys()].sort((a, b) => a - b)) {
      yield* this.between(number * PAGE_UNITS, (number + 1) * PAGE_UNITS);
    }
  }

  /** The units from `first` up to and without `end`, in ascending order. */
  *between(first: number, end: number): Generator<number> {
    for (const [start, stop] of this.runs(first, end)) for (let unit = start; unit < stop; unit++) yield unit;
  }

  /** The units from `first` up to and without `end`, as the longest runs of neighbours, in ascending order. */
  *runs(first: number, end: number): Generator<readonly [start: number, end: number]> {
    for (let start = this.#next(first, end, IN); start < end; ) {
      const stop = this.#next(start, end, OUT);
      yield [start, stop];
      start = this.#next(stop, end, IN);
    }
  }

  /** The first unit from `first` on that is in the set, or is not; `end` where there is none before. */
  #next(first: number, end: number, wanted: typeof IN | typeof OUT): number {
    for (let unit = first; unit < end; ) {
      const page = this.#pages.get(Math.floor(unit / PAGE_UNITS));
      const bit = unit % PAGE_UNITS;
      if (page === undefined) {
        if (wanted === OUT) return unit;
        unit += PAGE_UNITS - bit;
        continue;
      }
      const rest = (page[bit >>> 5]! ^ wanted) >>> (bit & 31);
      if (rest !== 0) return Math.min(end, unit + 31 - Math.clz32(rest & -rest));
      unit += 32 - (bit & 31);
    }
    return end;
  }

  #page(number: number): Uint32Array {
    if (number === this.#number) return this.#current;
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint32Array(PAGE_UNITS / 32);
      this.#pages.set(number, page);
    }
    this.#number = number;
    this.#current = page;
    return page;
  }
}
