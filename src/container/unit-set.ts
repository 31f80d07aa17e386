/** Units of one page: their bits fill 4 KiB. */
const PAGE_UNITS = 32_768;

/** What turns a word of a page so that the bits that are looked for are those that are set. */
const IN = 0;
const OUT = -1;

/** Neighbouring units: the first one, and the one behind the last. */
export type UnitRange = readonly [first: number, end: number];

/**
 * Which units of a disk have content: one bit each, in pages that exist only where a bit is set, so that a
 * disk of terabytes with little in it costs little.
 */
export class UnitSet {
  readonly #pages = new Map<number, Uint32Array>();
  #size = 0;

  /** How many units are in the set. */
  get size(): number {
    return this.#size;
  }

  add(unit: number): void {
    this.addRange(unit, unit + 1);
  }

  /** Adds the units from `first` up to and without `end`. */
  addRange(first: number, end: number): void {
    for (let unit = first; unit < end; ) {
      const page = this.#page(Math.floor(unit / PAGE_UNITS));
      const bit = unit % PAGE_UNITS;
      const count = Math.min(end - unit, 32 - (bit & 31));
      const mask = (0xffffffff >>> (32 - count)) << (bit & 31);
      const word = page[bit >>> 5]!;
      this.#size += bitsIn(mask & ~word);
      page[bit >>> 5] = word | mask;
      unit += count;
    }
  }

  /** Adds every unit that `length` bytes from `position` touch, when each unit has `unitSize` bytes. */
  addBytes(position: number, length: number, unitSize: number): void {
    if (length === 0) return;
    this.addRange(Math.floor(position / unitSize), Math.floor((position + length - 1) / unitSize) + 1);
  }

  has(unit: number): boolean {
    const bit = unit % PAGE_UNITS;
    const page = this.#pages.get(Math.floor(unit / PAGE_UNITS));
    return page !== undefined && (page[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  /** All units, as ranges in ascending order, each as long as can be. */
  *ranges(): Generator<UnitRange> {
    const numbers = [...this.#pages.keys()].sort((a, b) => a - b);
    for (let at = 0; at < numbers.length; ) {
      const first = numbers[at]!;
      let end = first;
      while (numbers[at] === end) {
        end++;
        at++;
      }
      yield* this.rangesBetween(first * PAGE_UNITS, end * PAGE_UNITS);
    }
  }

  /** The units from `first` up to and without `end`, as {@link ranges}. */
  *rangesBetween(first: number, end: number): Generator<UnitRange> {
    for (let start = this.#next(first, end, IN); start < end; ) {
      const stop = this.#next(start, end, OUT);
      yield [start, stop];
      start = this.#next(stop, end, IN);
    }
  }

  /** The units from `first` up to and without `end`, one by one, in ascending order. */
  *between(first: number, end: number): Generator<number> {
    for (const [start, stop] of this.rangesBetween(first, end)) {
      for (let unit = start; unit < stop; unit++) yield unit;
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
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint32Array(PAGE_UNITS / 32);
      this.#pages.set(number, page);
    }
    return page;
  }
}

/** How many bits of a word are set: sums of ever more neighbouring bits, side by side in one word. */
function bitsIn(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
