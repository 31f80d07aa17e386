import { roundDown, roundUp } from "../bytes/index.ts";
import { type BlockRun, SpaceMap } from "./space.ts";
import { DESCRIPTOR_SIZE, INODE_SIZE } from "./structures.ts";

/** A block size that this room writes, in bytes. */
export type BlockSize = 1024 | 2048 | 4096;

/** log2 of the block groups that keep their metadata together (flex_bg). */
export const LOG_GROUPS_PER_FLEX = 4;
const GROUPS_PER_FLEX = 2 ** LOG_GROUPS_PER_FLEX;

/** Where the metadata of one block group lies. Numbers of blocks. */
export interface GroupMetadata {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
}

/** How a filesystem is cut into block groups, and where their metadata lies. Counted in blocks. */
export interface Geometry {
  readonly blockSize: BlockSize;
  readonly blocks: number;
  /** 1 where the superblock fills block 1 (1 KiB blocks), else 0. */
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly inodes: number;
  readonly groups: number;
  /** Blocks of one copy of the group descriptor table. */
  readonly descriptorBlocks: number;
  /** Blocks of one group's inode table. */
  readonly inodeTableBlocks: number;
  readonly metadata: readonly GroupMetadata[];
  /** What is left for directories and files. */
  readonly space: SpaceMap;
}

/** Why a geometry cannot be had: blocks that are missing for metadata alone. */
export interface GeometryShortfall {
  readonly missingBlocks: number;
}

/** The highest number that an inode can have. */
const LAST_INODE = 2 ** 32 - 1;

/** The fewest blocks of a group, as mke2fs has it. */
const SMALLEST_GROUP = 256;

/** Bits in a block: the most blocks or inodes that one bitmap block can describe. */
export function bitsPerBlock(blockSize: BlockSize): number {
  return 8 * blockSize;
}

/**
 * Cuts `blocks` blocks into groups that have at least `inodes` inodes together.
 *
 * The groups are as large as one bitmap block can describe, unless that leaves too few groups for the
 * inodes; then they are smaller. A flex group's bitmaps and inode tables lie together at the start of its
 * first group, as mke2fs places them; where the filesystem ends before that, they follow the ones before.
 * A tail too short for the copy of the superblock that it would have to hold is left out.
 */
export function geometry(blockSize: BlockSize, blocks: number, inodes: number): Geometry | GeometryShortfall {
  const firstDataBlock = blockSize === 1024 ? 1 : 0;
  const inodesPerBlock = blockSize / INODE_SIZE;
  const bits = bitsPerBlock(blockSize);
  const usable = blocks - firstDataBlock;
  if (usable < 8) return { missingBlocks: 8 - usable };

  const groupsForInodes = Math.ceil(inodes / bits);
  const blocksPerGroup = usable > bits * (groupsForInodes - 1) ? bits : evenGroups(usable, groupsForInodes);
  if (blocksPerGroup < SMALLEST_GROUP) return { missingBlocks: SMALLEST_GROUP * groupsForInodes - usable };
  let groups = Math.ceil(usable / blocksPerGroup);
  let descriptorBlocks = Math.ceil((groups * DESCRIPTOR_SIZE) / blockSize);
  const tail = usable - (groups - 1) * blocksPerGroup;
  let kept = blocks;
  if (groups > 1 && hasSuperblock(groups - 1) && tail < 2 + descriptorBlocks) {
    kept -= tail;
    groups--;
    descriptorBlocks = Math.ceil((groups * DESCRIPTOR_SIZE) / blockSize);
    if (groups * bits < inodes) return { missingBlocks: 2 + descriptorBlocks - tail };
  }
  if (1 + descriptorBlocks > blocksPerGroup) return { missingBlocks: descriptorBlocks };
  const unit = Math.max(8, inodesPerBlock);
  const inodesPerGroup = Math.min(
    roundUp(Math.ceil(inodes / groups), unit),
    roundDown(LAST_INODE / groups, unit),
  );
  if (inodesPerGroup * groups < Math.min(inodes, LAST_INODE - unit * groups))
    return { missingBlocks: blocksPerGroup };
  const inodeTableBlocks = inodesPerGroup / inodesPerBlock;

  const shape = { blockSize, blocks: kept, firstDataBlock, blocksPerGroup, groups };
  const superblocks: BlockRun[] = [];
  for (let group = 0; group < groups; group++) {
    if (hasSuperblock(group))
      superblocks.push({ start: groupStart(shape, group), count: 1 + descriptorBlocks });
  }
  const placed = placeMetadata(shape, new SpaceMap(superblocks, kept), inodeTableBlocks);
  if ("missingBlocks" in placed) return placed;
  return {
    ...shape,
    inodesPerGroup,
    inodes: inodesPerGroup * groups,
    descriptorBlocks,
    inodeTableBlocks,
    metadata: placed.metadata,
    space: new SpaceMap([...superblocks, ...placed.runs], kept),
  };
}

/** The size of groups, a multiple of 8, that cuts `usable` blocks into `groups` of them, or a few more. */
function evenGroups(usable: number, groups: number): number {
  const rounded = roundUp(usable / groups, 8);
  return Math.ceil(usable / rounded) >= groups ? rounded : roundDown(usable / groups, 8);
}

/** Whether a group holds a copy of the superblock: 0, 1 and the powers of 3, 5 and 7 (sparse_super). */
export function hasSuperblock(group: number): boolean {
  return group <= 1 || [3, 5, 7].some((base) => isPowerOf(base, group));
}

function isPowerOf(base: number, value: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}

type Shape = Pick<Geometry, "blockSize" | "blocks" | "firstDataBlock" | "blocksPerGroup" | "groups">;

/** The first block of a group. */
export function groupStart(shape: Pick<Shape, "firstDataBlock" | "blocksPerGroup">, group: number): number {
  return shape.firstDataBlock + group * shape.blocksPerGroup;
}

/** Blocks of a group; the last one may be shorter than the others. */
export function groupLength(shape: Shape, group: number): number {
  return Math.min(shape.blocksPerGroup, shape.blocks - groupStart(shape, group));
}

/** Gives each flex group its bitmaps and inode tables, around the copies of the superblock. */
function placeMetadata(
  shape: Shape,
  aroundSuperblocks: SpaceMap,
  inodeTableBlocks: number,
): { readonly metadata: GroupMetadata[]; readonly runs: BlockRun[] } | GeometryShortfall {
  const runs: BlockRun[] = [];
  const metadata: GroupMetadata[] = [];
  let cursor = shape.firstDataBlock;
  /** The next `count` free blocks in a row; bitmaps may be apart, an inode table may not. */
  const take = (count: number): number => {
    let start = aroundSuperblocks.firstFree(cursor);
    while (aroundSuperblocks.freeLength(start) < count && start < shape.blocks) {
      start = aroundSuperblocks.firstFree(start + aroundSuperblocks.freeLength(start));
    }
    cursor = start + count;
    runs.push({ start, count });
    return start;
  };
  for (let leader = 0; leader < shape.groups; leader += GROUPS_PER_FLEX) {
    const members = Math.min(GROUPS_PER_FLEX, shape.groups - leader);
    const home = groupStart(shape, leader);
    const fitsAtHome = home + members * (2 + inodeTableBlocks) <= shape.blocks;
    if (fitsAtHome && home > cursor) cursor = home;
    const blockBitmaps = Array.from({ length: members }, () => take(1));
    const inodeBitmaps = Array.from({ length: members }, () => take(1));
    for (let member = 0; member < members; member++) {
      metadata.push({
        blockBitmap: blockBitmaps[member]!,
        inodeBitmap: inodeBitmaps[member]!,
        inodeTable: take(inodeTableBlocks),
      });
    }
    if (cursor > shape.blocks) {
      const left = (shape.groups - leader - members) * (2 + inodeTableBlocks);
      return { missingBlocks: cursor - shape.blocks + left };
    }
  }
  return { metadata, runs };
}
