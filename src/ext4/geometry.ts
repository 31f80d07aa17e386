import { roundDown, roundUp } from "../bytes/index.ts";
import type { Design } from "./design.ts";
import type { FileLayout } from "./file-map.ts";
import { skipFree } from "./file-map.ts";
import {
  type GroupShape,
  type GrowthWishes,
  groupLength,
  groupStart,
  headerLength,
  headerOf,
  shapeOf,
} from "./group-shape.ts";
import { type BlockRun, SpaceMap } from "./space.ts";
import { layJournal } from "./special/journal.ts";

/** Where the metadata of one block group lies. Numbers of blocks. */
export interface GroupMetadata {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
}

/** Block groups, and where their metadata lies. Numbers of blocks. */
export interface Geometry extends GroupShape {
  readonly inodesPerGroup: number;
  readonly inodes: number;
  /** Blocks of one group's inode table. */
  readonly inodeTableBlocks: number;
  readonly metadata: readonly GroupMetadata[];
  /** Where the journal lies, if there is one. */
  readonly journal: FileLayout | undefined;
  /** What was free when the journal was laid. */
  readonly journalSpace: SpaceMap;
  /** What is left for directories and files. */
  readonly space: SpaceMap;
}

/** Why a geometry cannot be had: blocks that are missing for metadata alone. */
export interface GeometryShortfall {
  readonly missingBlocks: number;
}

/** What a geometry has to have room for. */
export interface GeometryWishes extends GrowthWishes {
  readonly inodes: number;
  /** How many will do where so many cannot be had. Default: no fewer. */
  readonly leastInodes?: number;
  /** Blocks of a group. Default: as many as one bitmap block can describe, unless the inodes need more groups. */
  readonly blocksPerGroup?: number | undefined;
}

/** The highest number that an inode can have. */
const LAST_INODE = 2 ** 32 - 1;

/** The fewest blocks of a group, as mke2fs has it. */
export const SMALLEST_GROUP = 256;

/** log2 of the block groups that keep their metadata together (flex_bg). */
export const LOG_GROUPS_PER_FLEX = 4;

/** Blocks that the last group must have beyond its metadata to be worth it, where they lie in it (mke2fs). */
const WORTHWHILE_TAIL = 50;

/** Bits in a block: the most blocks or inodes that one bitmap block can describe. */
function bitsPerBlock(blockSize: number): number {
  return 8 * blockSize;
}

/**
 * Cuts `blocks` blocks into groups that have at least so many inodes together.
 *
 * The groups are as large as one bitmap block can describe, unless that leaves too few groups for the
 * inodes; then they are smaller. With flex_bg the bitmaps and inode tables of 16 groups lie together at the
 * start of the first, as mke2fs places them; where the filesystem ends before that, they follow the ones
 * before. A tail too short for what it would have to hold is left out.
 */
export function geometry(
  design: Design,
  blocks: number,
  wishes: GeometryWishes,
): Geometry | GeometryShortfall {
  const { blockSize, inodeSize } = design;
  const firstDataBlock = blockSize === 1024 ? 1 : 0;
  const bits = bitsPerBlock(blockSize);
  const usable = blocks - firstDataBlock;
  if (usable < 8) return { missingBlocks: 8 - usable };

  const leastInodes = wishes.leastInodes ?? wishes.inodes;
  const groupsForInodes = Math.ceil(wishes.inodes / bits);
  const blocksPerGroup =
    wishes.blocksPerGroup ??
    (usable > bits * (groupsForInodes - 1) ? bits : evenGroups(usable, groupsForInodes));
  if (blocksPerGroup < SMALLEST_GROUP) return { missingBlocks: SMALLEST_GROUP * groupsForInodes - usable };

  const unit = Math.max(8, blockSize / inodeSize);
  const inodeTableFor = (groups: number): { perGroup: number; blocks: number } => {
    const perGroup = Math.min(
      roundUp(Math.ceil(wishes.inodes / groups), unit),
      roundDown(LAST_INODE / groups, unit),
      bits,
    );
    return { perGroup, blocks: (perGroup * inodeSize) / blockSize };
  };
  let groups = Math.ceil(usable / blocksPerGroup);
  let shape = shapeOf(design, firstDataBlock, blocks, blocksPerGroup, groups, wishes);
  const tail = usable - (groups - 1) * blocksPerGroup;
  const needed = headerLength(headerOf(shape, groups - 1)) + leastTail(design, inodeTableFor(groups).blocks);
  if (groups > 1 && tail < needed) {
    groups--;
    shape = shapeOf(design, firstDataBlock, blocks - tail, blocksPerGroup, groups, wishes);
    if (groups * bits < leastInodes) return { missingBlocks: needed - tail };
  }
  if (headerLength(headerOf(shape, 0)) + 1 > blocksPerGroup) return { missingBlocks: blocksPerGroup };
  const table = inodeTableFor(groups);
  if (table.perGroup * groups < Math.min(leastInodes, LAST_INODE - unit * groups))
    return { missingBlocks: blocksPerGroup };

  const headers: BlockRun[] = [];
  for (let group = 0; group < groups; group++) {
    const count = headerLength(headerOf(shape, group));
    if (count > 0) headers.push({ start: groupStart(shape, group), count });
  }
  const placed = placeMetadata(shape, new SpaceMap(headers, shape.blocks), table.blocks);
  if ("missingBlocks" in placed) return placed;
  const taken = [...headers, ...placed.runs];
  const journalSpace = new SpaceMap(taken, shape.blocks);
  let space = journalSpace;
  let journal: FileLayout | undefined;
  if (wishes.journalBlocks > 0) {
    journal = layJournal(design, space, firstDataBlock, wishes.journalBlocks);
    const end = skipFree(space, journal.mapStart, journal.mapBlocks);
    if (end > shape.blocks) return { missingBlocks: end - shape.blocks };
    space = new SpaceMap([...taken, ...fileRuns(space, journal)], shape.blocks);
  }
  return {
    ...shape,
    inodesPerGroup: table.perGroup,
    inodes: table.perGroup * groups,
    inodeTableBlocks: table.blocks,
    metadata: placed.metadata,
    journal,
    journalSpace,
    space,
  };
}

/** The runs of blocks of a file and of its map. */
export function fileRuns(space: SpaceMap, { runs, mapStart, mapBlocks }: FileLayout): BlockRun[] {
  const content = runs.map(({ physical, count }): BlockRun => ({ start: physical, count }));
  return [...content, ...space.freeWithin(mapStart, skipFree(space, mapStart, mapBlocks))];
}

/** The size of groups, a multiple of 8, that cuts `usable` blocks into `groups` of them, or a few more. */
function evenGroups(usable: number, groups: number): number {
  const rounded = roundUp(usable / groups, 8);
  return Math.ceil(usable / rounded) >= groups ? rounded : roundDown(usable / groups, 8);
}

/** Blocks that the last group must have beside its header. */
function leastTail(design: Design, inodeTableBlocks: number): number {
  // With flex_bg the bitmaps and the inode table of the last group lie elsewhere.
  return design.features.has("flex_bg") ? 1 : 2 + inodeTableBlocks + WORTHWHILE_TAIL;
}

/** Groups whose bitmaps and inode tables lie together. */
function groupsPerFlex(design: Design): number {
  return design.features.has("flex_bg") ? 2 ** LOG_GROUPS_PER_FLEX : 1;
}

/** Gives each flex group its bitmaps and inode tables, around the headers. */
function placeMetadata(
  shape: GroupShape,
  aroundHeaders: SpaceMap,
  inodeTableBlocks: number,
): { readonly metadata: GroupMetadata[]; readonly runs: BlockRun[] } | GeometryShortfall {
  const runs: BlockRun[] = [];
  const metadata: GroupMetadata[] = [];
  let cursor = shape.firstDataBlock;
  /** The next `count` free blocks in a row; bitmaps may be apart, an inode table may not. */
  const take = (count: number): number => {
    let start = aroundHeaders.firstFree(cursor);
    while (aroundHeaders.freeLength(start) < count && start < shape.blocks) {
      start = aroundHeaders.firstFree(start + aroundHeaders.freeLength(start));
    }
    cursor = start + count;
    runs.push({ start, count });
    return start;
  };
  const perFlex = groupsPerFlex(shape.design);
  for (let leader = 0; leader < shape.groups; leader += perFlex) {
    const members = Math.min(perFlex, shape.groups - leader);
    const home = groupStart(shape, leader);
    const fitsAtHome = home + members * (2 + inodeTableBlocks) <= shape.blocks;
    if ((fitsAtHome || perFlex === 1) && home > cursor) cursor = home;
    const blockBitmaps = Array.from({ length: members }, () => take(1));
    const inodeBitmaps = Array.from({ length: members }, () => take(1));
    for (let member = 0; member < members; member++) {
      metadata.push({
        blockBitmap: blockBitmaps[member]!,
        inodeBitmap: inodeBitmaps[member]!,
        inodeTable: take(inodeTableBlocks),
      });
    }
    // Without flex_bg a group keeps its own.
    const end = perFlex === 1 ? groupStart(shape, leader) + groupLength(shape, leader) : shape.blocks;
    if (cursor > end) {
      const left = (shape.groups - leader - members) * (2 + inodeTableBlocks);
      return { missingBlocks: cursor - end + left };
    }
  }
  return { metadata, runs };
}
