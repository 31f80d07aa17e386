import type { Frame } from "../read/frame.ts";

/**
 * Which blocks of a filesystem something has claimed: a bitmap for each group that has any, in the form of the bitmap
 * on the disk.
 */
export class BlockClaims {
  readonly #first: number;
  readonly #perGroup: number;
  readonly #bitmaps = new Map<number, Uint8Array>();
  #lastGroup = -1;
  #last: Uint8Array = new Uint8Array(0);

  constructor(frame: Frame) {
    this.#first = frame.superblock.firstDataBlock;
    this.#perGroup = frame.superblock.blocksPerGroup;
  }

  /** Claims blocks, which must lie in the filesystem; returns the first that was claimed before. */
  claim(start: number, count: number): number | undefined {
    let shared: number | undefined;
    for (let block = start; block < start + count; ) {
      const group = Math.floor((block - this.#first) / this.#perGroup);
      const groupStart = this.#first + group * this.#perGroup;
      const end = Math.min(start + count, groupStart + this.#perGroup);
      const found = setBits(this.#bitmapOf(group), block - groupStart, end - groupStart);
      if (found >= 0) shared ??= groupStart + found;
      block = end;
    }
    return shared;
  }

  /** The claims of a group, a bit for each of its blocks; `undefined` when there are none. */
  bitmap(group: number): Uint8Array | undefined {
    return this.#bitmaps.get(group);
  }

  #bitmapOf(group: number): Uint8Array {
    if (group === this.#lastGroup) return this.#last;
    let bitmap = this.#bitmaps.get(group);
    if (bitmap === undefined) {
      bitmap = new Uint8Array(Math.ceil(this.#perGroup / 8));
      this.#bitmaps.set(group, bitmap);
    }
    this.#lastGroup = group;
    this.#last = bitmap;
    return bitmap;
  }
}

/** Sets the bits from `from` to before `to`; returns the first that was set before, or -1. */
function setBits(bitmap: Uint8Array, from: number, to: number): number {
  let first = -1;
  for (let bit = from; bit < to; ) {
    const at = bit >>> 3;
    if (bit % 8 === 0 && to - bit >= 8) {
      if (bitmap[at] !== 0 && first < 0) first = bit + lowestBit(bitmap[at]!);
      bitmap[at] = 0xff;
      bit += 8;
      continue;
    }
    const mask = 1 << (bit % 8);
    if ((bitmap[at]! & mask) !== 0 && first < 0) first = bit;
    bitmap[at]! |= mask;
    bit++;
  }
  return first;
}

function lowestBit(byte: number): number {
  return 31 - Math.clz32(byte & -byte);
}

/** How many bits of a bitmap are set, of the first `bits`, which are a multiple of eight or reach to its end. */
export function countBits(bitmap: Uint8Array, bits: number): number {
  let count = 0;
  const bytes = Math.floor(bits / 8);
  for (let at = 0; at < bytes; at++) count += BITS[bitmap[at]!]!;
  for (let bit = 8 * bytes; bit < bits; bit++) if (hasBit(bitmap, bit)) count++;
  return count;
}

/** Whether a bit is set. */
export function hasBit(bitmap: Uint8Array, bit: number): boolean {
  return (bitmap[bit >>> 3]! & (1 << (bit % 8))) !== 0;
}

const BITS = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>>= 1) count += rest & 1;
  return count;
});
