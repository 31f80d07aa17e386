// The block allocation table ([MS-VHDX] §2.5): 64 bits for each block of the disk, and for the bitmap of sectors
// that a difference has for each chunk of blocks.

/** Bytes of an entry. */
export const BAT_ENTRY = 8;

/** What the lowest three bits of an entry say of a block (§2.5.1.1). */
export const BLOCK_STATES = {
  /** Never written. */
  notPresent: 0,
  undefined: 1,
  zero: 2,
  /** Discarded; it may still have a place. */
  unmapped: 3,
  fullyPresent: 6,
  /** Only in differences: the bitmap tells which sectors are here and which in the parent. */
  partiallyPresent: 7,
} as const;

/** The sectors that one bitmap tells of: the bits of 1 MiB (§2.4). */
const BITMAP_SECTORS = 2 ** 23;

/** Blocks that share a bitmap, whose entry lies behind theirs (§2.5). */
export function chunkRatioOf(blockSize: number, sectorSize: number): number {
  return (BITMAP_SECTORS * sectorSize) / blockSize;
}

/** Which entry is that of a block. */
export function batIndex(block: number, chunkRatio: number): number {
  return block + Math.floor(block / chunkRatio);
}

/** The block of an entry; for the entry of a bitmap, the block of the entry behind it. */
export function blockAt(index: number, chunkRatio: number): number {
  return index - Math.floor(index / (chunkRatio + 1));
}

/** Entries of the table of a disk that is no difference: it ends with its last block. */
export function batEntries(blocks: number, chunkRatio: number): number {
  return blocks === 0 ? 0 : batIndex(blocks - 1, chunkRatio) + 1;
}
