import type { ByteRange } from "../../extents/index.ts";
import { bitmapChecksum } from "../checksum.ts";
import { GROUP_FLAG, type GroupDescriptor, groupDescriptor } from "../structures.ts";
import { type Frame, GROUP_FEATURES } from "./frame.ts";
import { groupHeaderBlocks, type InodeTables } from "./groups.ts";

// Which blocks the block bitmaps call free (bitmaps.rst). Where a bitmap cannot be trusted, no block of its group is
// called free.

/** The free blocks of a filesystem as byte ranges, in ascending order. */
export async function* freeRanges(frame: Frame, tables: InodeTables): AsyncGenerator<ByteRange> {
  // With bigalloc, a bit stands for a cluster of blocks.
  if (frame.clusterSize !== frame.blockSize) return;
  const { blockSize, superblock } = frame;
  for (let group = 0; group < frame.groups; group++) {
    const start = superblock.firstDataBlock + group * superblock.blocksPerGroup;
    const length = Math.min(superblock.blocksPerGroup, frame.blocks - start);
    const bitmap = await blockBitmap(frame, group, await descriptorOf(tables, group));
    if (bitmap === undefined) continue;
    for (let bit = 0; bit < length; ) {
      const first = nextBit(bitmap, bit, length, 0);
      bit = nextBit(bitmap, first, length, 1);
      if (bit > first) yield { position: (start + first) * blockSize, length: (bit - first) * blockSize };
    }
  }
}

async function descriptorOf(tables: InodeTables, group: number): Promise<GroupDescriptor> {
  const bytes = await tables.descriptor(group);
  // Of 32 bytes, the upper halves are missing.
  const whole = new Uint8Array(groupDescriptor.span);
  whole.set(bytes.subarray(0, Math.min(bytes.length, whole.length)));
  return groupDescriptor.fromBytes(whole);
}

/** The block bitmap of a group; `undefined` when its checksum does not match. */
async function blockBitmap(
  frame: Frame,
  group: number,
  descriptor: GroupDescriptor,
): Promise<Uint8Array | undefined> {
  const hasFlags = frame.hasChecksums || frame.has(GROUP_FEATURES.crc16);
  if (hasFlags && (descriptor.flags & GROUP_FLAG.blocksUninitialised) !== 0) {
    return initialBitmap(frame, group, descriptor);
  }
  const block = frame.wide(descriptor.blockBitmapLow, descriptor.blockBitmapHigh);
  const bitmap = await frame.block(block, `the block bitmap of group ${group}`);
  if (!frame.hasChecksums) return bitmap;
  const checksum = bitmapChecksum(
    frame.checksumSeed,
    bitmap.subarray(0, frame.superblock.blocksPerGroup / 8),
  );
  const low = descriptor.blockBitmapChecksumLow;
  const stored = hasHighHalf(frame) ? descriptor.blockBitmapChecksumHigh * 2 ** 16 + low : low;
  if (stored === (hasHighHalf(frame) ? checksum : checksum & 0xffff)) return bitmap;
  frame.problems.add(`the block bitmap of group ${group}: its checksum does not match`);
  return undefined;
}

/** A descriptor of 32 bytes has room for the low half of a checksum only. */
function hasHighHalf(frame: Frame): boolean {
  return frame.descriptorSize >= groupDescriptor.span;
}

/** What the kernel makes of a bitmap that is not initialised: only the group's own metadata is in use. */
function initialBitmap(frame: Frame, group: number, descriptor: GroupDescriptor): Uint8Array {
  const { superblock, blockSize } = frame;
  const { firstDataBlock, blocksPerGroup, inodesPerGroup } = superblock;
  const bitmap = new Uint8Array(blockSize);
  const start = firstDataBlock + group * blocksPerGroup;
  const take = (block: number, count: number): void => {
    const end = Math.min(blocksPerGroup, block + count - start);
    for (let bit = Math.max(0, block - start); bit < end; bit++) bitmap[bit >>> 3]! |= 1 << (bit & 7);
  };
  take(start, groupHeaderBlocks(frame, group));
  take(frame.wide(descriptor.blockBitmapLow, descriptor.blockBitmapHigh), 1);
  take(frame.wide(descriptor.inodeBitmapLow, descriptor.inodeBitmapHigh), 1);
  const tableBlocks = Math.ceil((inodesPerGroup * frame.inodeSize) / blockSize);
  take(frame.wide(descriptor.inodeTableLow, descriptor.inodeTableHigh), tableBlocks);
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
