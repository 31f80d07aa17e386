import type { DataRange } from "../tree/index.ts";

/** The size of the block that is a hole when it is all zeros. */
export const HOLE_BLOCK = 4096;

const ZEROS = Buffer.alloc(HOLE_BLOCK);

/** Collects which blocks of a file hold something, from its content as it passes by. */
export class DataFinder {
  readonly #size: number;
  readonly #ranges: { offset: number; length: number }[] = [];

  /** `size` is that of the file, in bytes. */
  constructor(size: number) {
    this.#size = size;
  }

  /** Looks at bytes that lie at `offset` in the file. Offsets ascend. */
  see(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const block = Math.floor((offset + at) / HOLE_BLOCK) * HOLE_BLOCK;
      const length = Math.min(block + HOLE_BLOCK - offset - at, bytes.length - at);
      if (ZEROS.compare(bytes, at, at + length, 0, length) !== 0) this.#add(block);
      at += length;
    }
  }

  /** The parts that hold data, in whole blocks; `undefined` when all of the file does. */
  ranges(): readonly DataRange[] | undefined {
    if (this.#size === 0) return undefined;
    const [first] = this.#ranges;
    return this.#ranges.length === 1 && first!.offset === 0 && first!.length === this.#size
      ? undefined
      : this.#ranges;
  }

  #add(block: number): void {
    const length = Math.min(HOLE_BLOCK, this.#size - block);
    const last = this.#ranges.at(-1);
    const end = last === undefined ? -1 : last.offset + last.length;
    if (end > block) return;
    if (end === block) last!.length += length;
    else this.#ranges.push({ offset: block, length });
  }
}
