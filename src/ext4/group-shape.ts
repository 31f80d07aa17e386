import { TIB } from "../bytes/index.ts";
import type { Design } from "./design.ts";

// How a filesystem is cut into block groups, and what each of them starts with (blockgroup.rst): a copy of
// the superblock, group descriptors, room for more of them.

/** How a filesystem is cut into block groups. Counted in blocks. */
export interface GroupShape {
  readonly design: Design;
  readonly blocks: number;
  /** 1 where the superblock fills block 1 (1 KiB blocks), else 0. */
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groups: number;
  /** Blocks of the group descriptor table. */
  readonly descriptorBlocks: number;
  /** Blocks behind each copy of the table into which it can grow (resize_inode). */
  readonly reservedDescriptorBlocks: number;
  /** meta_bg: the table is not in one piece, each of its blocks lies near the groups that it describes. */
  readonly hasMetaGroups: boolean;
  /** sparse_super2: the groups with a copy of the superblock; 0 for none. */
  readonly backupGroups: readonly [number, number];
}

/** What a block group starts with, before anything else: superblock, descriptors, room for more of them. */
export interface GroupHeader {
  readonly hasSuperblock: boolean;
  /** The first block of the descriptor table that the group holds, and how many from there on. */
  readonly firstDescriptorBlock: number;
  readonly descriptorBlocks: number;
  readonly reservedBlocks: number;
}

/** What has a say in the room that is reserved for more descriptors. */
export interface GrowthWishes {
  /** Blocks of the journal; 0 for none. */
  readonly journalBlocks: number;
  /** The size, in bytes, up to which the filesystem is to be able to grow. */
  readonly growTo?: number | undefined;
}

/** Settles what groups start with. */
export function shapeOf(
  design: Design,
  firstDataBlock: number,
  blocks: number,
  blocksPerGroup: number,
  groups: number,
  wishes: GrowthWishes,
): GroupShape {
  const { blockSize, descriptorSize, features } = design;
  const descriptorBlocks = Math.ceil((groups * descriptorSize) / blockSize);
  const common = { design, blocks, firstDataBlock, blocksPerGroup, groups, descriptorBlocks };
  const reserved = reservedDescriptorBlocks(common, wishes);
  // A table that would fill its group is spread out (mke2fs does so from three quarters of a group on).
  const isTooLong = descriptorBlocks + reserved > (blocksPerGroup * 3) / 4;
  const hasMetaGroups = features.has("meta_bg") || isTooLong;
  const last = groups - 1;
  return {
    ...common,
    hasMetaGroups,
    reservedDescriptorBlocks: hasMetaGroups ? 0 : reserved,
    backupGroups: features.has("sparse_super2") ? [Math.min(1, last), last > 1 ? last : 0] : [0, 0],
  };
}

/** Up to this size a filesystem of a single group can grow, unless told otherwise. */
const USUAL_GROWTH = TIB;

/**
 * How many reserved blocks a kernel can change at once when it grows a mounted filesystem. A transaction can
 * have a quarter of the journal; near that limit Linux 6.1 gives up or panics, at half of it it does not.
 */
export function mostReservedAtOnce(journalBlocks: number): number {
  return journalBlocks === 0 ? Number.POSITIVE_INFINITY : Math.floor(journalBlocks / 8) - 1;
}

/**
 * How many blocks are reserved behind the descriptor table: enough to grow by a factor of 1024, as mke2fs
 * has it. resize2fs damages a filesystem of one group that grows past them, so such a filesystem has at
 * least enough for 1 TiB, or what its journal allows (which matters with blocks of 1 KiB).
 */
function reservedDescriptorBlocks(
  shape: Pick<
    GroupShape,
    "design" | "blocks" | "firstDataBlock" | "blocksPerGroup" | "groups" | "descriptorBlocks"
  >,
  { growTo, journalBlocks }: GrowthWishes,
): number {
  const { blockSize, descriptorSize, features } = shape.design;
  if (!features.has("resize_inode")) return 0;
  const neededFor = (blocks: number): number => {
    const groups = Math.ceil((blocks - shape.firstDataBlock) / shape.blocksPerGroup);
    return Math.ceil((groups * descriptorSize) / blockSize) - shape.descriptorBlocks;
  };
  let wanted = neededFor(Math.min(1024 * shape.blocks, 2 ** 32 - 1));
  if (growTo !== undefined) wanted = neededFor(growTo / blockSize);
  else {
    if (shape.groups === 1) wanted = Math.max(wanted, neededFor(USUAL_GROWTH / blockSize));
    wanted = Math.min(wanted, mostReservedAtOnce(journalBlocks));
  }
  // The resize inode has one block of pointers for them. Groups cut small for many inodes have less room.
  const most = Math.min(blockSize / 4, Math.floor(shape.blocksPerGroup / 8));
  return Math.max(0, Math.min(wanted, most));
}

/** The size in bytes up to which the descriptors of a geometry have room. */
export function growthLimit(cut: GroupShape): number {
  const { blockSize, descriptorSize } = cut.design;
  const descriptors = ((cut.descriptorBlocks + cut.reservedDescriptorBlocks) * blockSize) / descriptorSize;
  return descriptors * cut.blocksPerGroup * blockSize;
}

/** Which groups hold copies of the superblock. */
export interface SuperblockCopies {
  /** sparse_super: few groups do. */
  readonly isSparse: boolean;
  /** sparse_super2: only these two do, where they are not 0. */
  readonly backupGroups: readonly number[] | undefined;
}

/** Whether a group holds a copy of the superblock (super.rst: all, sparse_super, sparse_super2). */
export function holdsSuperblock({ isSparse, backupGroups }: SuperblockCopies, group: number): boolean {
  if (group === 0) return true;
  if (backupGroups !== undefined) return backupGroups.includes(group);
  if (group === 1 || !isSparse) return true;
  return [3, 5, 7].some((base) => isPowerOf(base, group));
}

function isPowerOf(base: number, value: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}

function hasSuperblock({ design, backupGroups }: GroupShape, group: number): boolean {
  const copies = {
    isSparse: design.features.has("sparse_super"),
    backupGroups: design.features.has("sparse_super2") ? backupGroups : undefined,
  };
  return holdsSuperblock(copies, group);
}

/** What a group starts with. */
export function headerOf(shape: GroupShape, group: number): GroupHeader {
  const superblock = hasSuperblock(shape, group);
  if (!shape.hasMetaGroups) {
    return {
      hasSuperblock: superblock,
      firstDescriptorBlock: 0,
      descriptorBlocks: superblock ? shape.descriptorBlocks : 0,
      reservedBlocks: superblock ? shape.reservedDescriptorBlocks : 0,
    };
  }
  // One block describes a meta group; its first, second and last group hold that block.
  const groupsPerMeta = shape.design.blockSize / shape.design.descriptorSize;
  const within = group % groupsPerMeta;
  return {
    hasSuperblock: superblock,
    firstDescriptorBlock: Math.floor(group / groupsPerMeta),
    descriptorBlocks: within <= 1 || within === groupsPerMeta - 1 ? 1 : 0,
    reservedBlocks: 0,
  };
}

/** Blocks of a group's header. */
export function headerLength({ hasSuperblock: has, descriptorBlocks, reservedBlocks }: GroupHeader): number {
  return (has ? 1 : 0) + descriptorBlocks + reservedBlocks;
}

/** The first block of a group. */
export function groupStart(
  shape: Pick<GroupShape, "firstDataBlock" | "blocksPerGroup">,
  group: number,
): number {
  return shape.firstDataBlock + group * shape.blocksPerGroup;
}

/** Blocks of a group; the last one may be shorter than the others. */
export function groupLength(shape: GroupShape, group: number): number {
  return Math.min(shape.blocksPerGroup, shape.blocks - groupStart(shape, group));
}
