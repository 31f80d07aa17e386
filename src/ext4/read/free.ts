import type { ByteRange } from "../../extents/index.ts";
import { bitmapChecksum } from "../checksum.ts";
import { GROUP_FLAG, groupDescriptor } from "../structures.ts";
import type { Frame } from "./frame.ts";
import { blocksOf, firstBlockOf, metadataRuns } from "./group-runs.ts";
import { readDescriptor, type StoredGroup } from "./groups.ts";

// Which blocks the block bitmaps call free (bitmaps.rst). Where a bitmap cannot be trusted, no block of its group is
// called free.

/** The free blocks of a filesystem as byte ranges, in ascending order. */
export async function* freeRanges(frame: Frame): AsyncGenerator<ByteRange> {
  // With bigalloc, a bit stands for a cluster of blocks.
  if (frame.clusterSize !== frame.blockSize) return;
  const { blockSize } = frame;
  for (let group = 0; group < frame.groups; group++) {
    const start = firstBlockOf(frame, group);
    const length = blocksOf(frame, group);
    const bitmap = await blockBitmap(frame, group, await readDescriptor(frame, group));
    if (bitmap === undefined) continue;
    for (let bit = 0; bit < length; ) {
      const first = nextBit(bitmap, bit, length, 0);
      bit = nextBit(bitmap, first, length, 1);
      if (bit > first) yield { position: (start + first) * blockSize, length: (bit - first) * blockSize };
    }
  }
}

/** The block bitmap of a group; `undefined` when its checksum does not match. */
async function blockBitmap(
  frame: Frame,
  group: number,
  stored: StoredGroup,
): Promise<Uint8Array | undefined> {
  if ((stored.flags & GROUP_FLAG.blocksUninitialised) !== 0) return initialBitmap(frame, group, stored);
  const bitmap = await frame.block(stored.blockBitmap, `the block bitmap of group ${group}`);
  if (!frame.hasChecksums) return bitmap;
  const { blocksPerGroup } = frame.superblock;
  const checksum = bitmapChecksum(frame.checksumSeed, bitmap.subarray(0, blocksPerGroup / 8));
  // A descriptor of 32 bytes has room for the low half of a checksum only.
  const isWhole = frame.descriptorSize >= groupDescriptor.span;
  if (stored.blockBitmapChecksum === (isWhole ? checksum : checksum & 0xffff)) return bitmap;
  frame.problems.add(`the block bitmap of group ${group}: its checksum does not match`);
  return undefined;
}

/** What the kernel makes of a bitmap that is not initialised: only the group's own metadata is in use. */
function initialBitmap(frame: Frame, group: number, stored: StoredGroup): Uint8Array {
  const bitmap = new Uint8Array(frame.blockSize);
  const first = firstBlockOf(frame, group);
  const length = blocksOf(frame, group);
  for (const { start, count } of metadataRuns(frame, group, stored)) {
    const end = Math.min(length, start + count - first);
    for (let bit = Math.max(0, start - first); bit < end; bit++) bitmap[bit >>> 3]! |= 1 << (bit & 7);
  }
  return bitmap;
}

/** The first bit from `from` on that has this value; `end` where there is none before. */
function nextBit(bitmap: Uint8Array, from: number, end: number, value: 0 | 1): number {
  const skipped = value === 0 ? 0xff : 0;
  let bit = from;
  while (bit < end) {
    const byte = bitmap[bit >>> 3]!;
    if ((bit & 7) === 0 && byte === skipped) bit += 8;
    else if (((byte >>> (bit & 7)) & 1) === value) return bit;
    else bit++;
  }
  return end;
}
