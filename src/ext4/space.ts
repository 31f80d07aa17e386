/** Blocks in a row. */
export interface BlockRun {
  readonly start: number;
  readonly count: number;
}

/**
 * Which blocks are taken by metadata, so that content can be laid in what is between. Content is laid in one
 * ascending pass without gaps, so where anything lies follows from where it starts: no bitmap, no list of
 * extents has to be kept.
 */
export class SpaceMap {
  /** Starts and ends of the taken runs: ascending, merged. */
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  readonly #count: number;
  /** The first block behind the filesystem. */
  readonly end: number;

  constructor(taken: readonly BlockRun[], end: number) {
    const sorted = [...taken].sort((a, b) => a.start - b.start);
    this.#starts = new Float64Array(sorted.length);
    this.#ends = new Float64Array(sorted.length);
    let count = 0;
    for (const run of sorted) {
      if (count > 0 && run.start <= this.#ends[count - 1]!) {
        if (run.start < this.#ends[count - 1]!) throw new RangeError(`block ${run.start} is taken twice`);
        this.#ends[count - 1] = run.start + run.count;
      } else {
        this.#starts[count] = run.start;
        this.#ends[count++] = run.start + run.count;
      }
    }
    this.#count = count;
    this.end = end;
  }

  /** Blocks that metadata takes. */
  get takenBlocks(): number {
    let blocks = 0;
    for (let index = 0; index < this.#count; index++) blocks += this.#ends[index]! - this.#starts[index]!;
    return blocks;
  }

  /** The index of the first taken run that ends after `block`. */
  #runFrom(block: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ends[middle]! > block) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The first free block from `block` on. It may lie behind the end of the filesystem. */
  firstFree(block: number): number {
    const index = this.#runFrom(block);
    return index < this.#count && this.#starts[index]! <= block ? this.#ends[index]! : block;
  }

  /** How many blocks from the free `block` on are free in a row. Behind the filesystem all are. */
  freeLength(block: number): number {
    const index = this.#runFrom(block);
    return index < this.#count ? this.#starts[index]! - block : Number.MAX_SAFE_INTEGER;
  }

  /** The free runs between `start` and `end`. */
  *freeWithin(start: number, end: number): Generator<BlockRun> {
    for (let block = this.firstFree(start); block < end; ) {
      const count = Math.min(end - block, this.freeLength(block));
      yield { start: block, count };
      block = this.firstFree(block + count);
    }
  }

  /** The taken runs that touch the blocks from `start` to before `end`, cut to them. */
  *takenWithin(start: number, end: number): Generator<BlockRun> {
    for (let index = this.#runFrom(start); index < this.#count && this.#starts[index]! < end; index++) {
      const from = Math.max(start, this.#starts[index]!);
      yield { start: from, count: Math.min(end, this.#ends[index]!) - from };
    }
  }
}
