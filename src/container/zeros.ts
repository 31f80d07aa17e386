import type { SweepWriter } from "../extents/index.ts";

/** The size of the blocks that are looked at, and left out when they are all zeros. */
export const ZERO_BLOCK = 4096;

/** Whether bytes are all zeros. */
export function isZeros(bytes: Uint8Array): boolean {
  const { length } = bytes;
  let at = 0;
  // Most data shows itself in its first bytes.
  for (; at < length && (bytes.byteOffset + at) % 4 !== 0; at++) if (bytes[at] !== 0) return false;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + at, (length - at) >>> 2);
  let word = 0;
  for (; word + 8 <= words.length; word += 8) {
    const any =
      words[word]! |
      words[word + 1]! |
      words[word + 2]! |
      words[word + 3]! |
      words[word + 4]! |
      words[word + 5]! |
      words[word + 6]! |
      words[word + 7]!;
    if (any !== 0) return false;
  }
  for (; word < words.length; word++) if (words[word] !== 0) return false;
  for (at += words.length * 4; at < length; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** A part of some bytes: where it starts among them, and ends. */
export type Range = readonly [start: number, end: number];

/**
 * The parts of a piece of a disk that are not zeros, in whole blocks of 4 KiB of the disk; neighbours are
 * joined.
 */
export function contentRanges(position: number, bytes: Uint8Array): Range[] {
  const ranges: Range[] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + ZERO_BLOCK - ((position + at) % ZERO_BLOCK));
    // One look at the first and the last byte spares most blocks of data the search.
    if (bytes[at] === 0 && bytes[end - 1] === 0 && isZeros(bytes.subarray(at, end))) {
      if (at > start) ranges.push([start, at]);
      start = end;
    }
    at = end;
  }
  if (start < bytes.length) ranges.push([start, bytes.length]);
  return ranges;
}

/** Hands on what is not zeros, in whole blocks of 4 KiB of the disk. */
export function withoutZeros(write: SweepWriter): SweepWriter {
  return async (position, bytes) => {
    for (const [start, end] of contentRanges(position, bytes)) {
      await write(position + start, bytes.subarray(start, end));
    }
  };
}
