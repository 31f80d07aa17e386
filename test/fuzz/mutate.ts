import type { Random } from "./random.ts";

/** A part of an input whose bytes say something. */
export interface Range {
  readonly start: number;
  readonly length: number;
}

const INTERESTING = [
  0, 1, 2, 7, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
];
const WIDTHS = [1, 2, 4, 8] as const;
const SIZES = [-4096, -512, -1, 1, 512, 4096] as const;

/** Changes an input in one to four ways, mostly where its bytes say something. May return other memory. */
export function mutated(original: Uint8Array, ranges: readonly Range[], random: Random): Uint8Array {
  // A copy even of a Buffer, whose slice() is a view.
  let bytes: Uint8Array = new Uint8Array(original);
  for (let steps = 1 + random.below(4); steps > 0; steps--) bytes = mutatedOnce(bytes, ranges, random);
  return bytes;
}

function mutatedOnce(bytes: Uint8Array, ranges: readonly Range[], random: Random): Uint8Array {
  if (random.below(16) === 0) return resized(bytes, random);
  if (bytes.length === 0) return bytes;
  const at = place(bytes, ranges, random);
  const width = random.pick(WIDTHS);
  switch (random.below(6)) {
    case 0:
      bytes[at]! ^= 1 << random.below(8);
      break;
    case 1:
      bytes[at] = random.below(256);
      break;
    case 2:
      put(bytes, at - (at % width), random.pick(INTERESTING), width, random.below(4) === 0);
      break;
    case 3: {
      const near = view(bytes, at - (at % 4)) + random.pick([-2, -1, 1, 2, 8, 64]);
      put(bytes, at - (at % 4), near >>> 0, 4, false);
      break;
    }
    case 4: {
      const length = 1 + random.below(64);
      bytes.copyWithin(at, place(bytes, ranges, random), Math.min(bytes.length, at + length));
      break;
    }
    default:
      bytes.fill(random.pick([0, 0xff]), at, at + 1 + random.below(32));
  }
  return bytes;
}

function place(bytes: Uint8Array, ranges: readonly Range[], random: Random): number {
  if (ranges.length === 0 || random.below(20) === 0) return random.below(bytes.length);
  const { start, length } = random.pick(ranges);
  return Math.min(start + random.below(length), bytes.length - 1);
}

function resized(bytes: Uint8Array, random: Random): Uint8Array {
  const by = random.below(2) === 0 ? random.pick(SIZES) : random.below(bytes.length) - bytes.length;
  const resized = new Uint8Array(Math.max(0, bytes.length + by));
  resized.set(bytes.subarray(0, resized.length));
  return resized;
}

function put(bytes: Uint8Array, at: number, value: number, width: number, isBigEndian: boolean): void {
  for (let index = 0; index < width && at + index < bytes.length; index++) {
    const place = isBigEndian ? width - 1 - index : index;
    bytes[at + index] = place < 4 ? (value >>> (8 * place)) & 0xff : 0;
  }
}

function view(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
