import type { Geometry } from "./geometry.ts";
import { groupLength, groupStart } from "./group-shape.ts";

/** Sets the bits from `from` to before `to`. */
function setBits(bitmap: Uint8Array, from: number, to: number): void {
  let bit = from;
  for (; bit < to && bit % 8 !== 0; bit++) bitmap[bit >>> 3]! |= 1 << (bit % 8);
  const wholeBytes = Math.floor((to - bit) / 8);
  if (wholeBytes > 0) {
    bitmap.fill(0xff, bit >>> 3, (bit >>> 3) + wholeBytes);
    bit += 8 * wholeBytes;
  }
  for (; bit < to; bit++) bitmap[bit >>> 3]! |= 1 << (bit % 8);
}

/**
 * The blocks in use of one group: all before `contentEnd`, since content leaves no gap, and metadata. Bits
 * of blocks behind the filesystem are set, as e2fsck wants them. Returns how many blocks are in use.
 */
export function fillBlockBitmap(
  bitmap: Uint8Array,
  cut: Geometry,
  group: number,
  contentEnd: number,
): number {
  const start = groupStart(cut, group);
  const length = groupLength(cut, group);
  bitmap.fill(0);
  const content = Math.min(Math.max(contentEnd - start, 0), length);
  setBits(bitmap, 0, content);
  let used = content;
  for (const run of cut.space.takenWithin(start + content, start + length)) {
    setBits(bitmap, run.start - start, run.start - start + run.count);
    used += run.count;
  }
  setBits(bitmap, length, 8 * bitmap.length);
  return used;
}

/** The inodes in use of one group, the first `used` of them. Bits behind the last inode are set. */
export function fillInodeBitmap(bitmap: Uint8Array, cut: Geometry, used: number): void {
  bitmap.fill(0);
  setBits(bitmap, 0, used);
  setBits(bitmap, cut.inodesPerGroup, 8 * bitmap.length);
}
