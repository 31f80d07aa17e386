import { SUPERBLOCK_OFFSET } from "../structures.ts";
import { type Frame, GROUP_FEATURES } from "./frame.ts";
import { hasSuperblock, type StoredGroup } from "./groups.ts";

// Where a block group lies, and what it has for itself (blockgroup.rst).

/** A run of blocks. */
interface Run {
  readonly start: number;
  readonly count: number;
}

/** Blocks of the inode table of a group. */
export function inodeTableBlocks({ superblock, inodeSize, blockSize }: Frame): number {
  return Math.ceil((superblock.inodesPerGroup * inodeSize) / blockSize);
}

/** The first block of a group. */
export function firstBlockOf({ superblock }: Frame, group: number): number {
  return superblock.firstDataBlock + group * superblock.blocksPerGroup;
}

/** Blocks of a group; the last one may be shorter than the others. */
export function blocksOf(frame: Frame, group: number): number {
  return Math.min(frame.superblock.blocksPerGroup, frame.blocks - firstBlockOf(frame, group));
}

/** The blocks that a group starts with: superblock, descriptors, room for more of them (blockgroup.rst). */
function headerRun(frame: Frame, group: number): Run {
  const { superblock, blockSize, descriptorSize, groups } = frame;
  const perBlock = blockSize / descriptorSize;
  const hasCopy = hasSuperblock(frame, group);
  const hasMeta = frame.has(GROUP_FEATURES.metaGroups);
  const isMeta = hasMeta && Math.floor(group / perBlock) >= superblock.firstMetaBlockGroup;
  const start = firstBlockOf(frame, group);
  // With clusters of blocks of 1 KiB, block 0 lies before the superblock.
  const gap = group === 0 ? Math.floor(SUPERBLOCK_OFFSET / blockSize) - superblock.firstDataBlock : 0;
  const own = gap + (hasCopy ? 1 : 0);
  if (isMeta) {
    const within = group % perBlock;
    return { start, count: own + (within <= 1 || within === perBlock - 1 ? 1 : 0) };
  }
  if (!hasCopy) return { start, count: own };
  const descriptors = hasMeta ? superblock.firstMetaBlockGroup : Math.ceil(groups / perBlock);
  return { start, count: own + descriptors + (hasMeta ? 0 : superblock.reservedDescriptorBlocks) };
}

/** All that a group has for itself. */
export function metadataRuns(frame: Frame, group: number, stored: StoredGroup): Run[] {
  return [
    headerRun(frame, group),
    { start: stored.blockBitmap, count: 1 },
    { start: stored.inodeBitmap, count: 1 },
    { start: stored.inodeTable, count: inodeTableBlocks(frame) },
  ];
}
