import { checkArgument } from "../arguments/index.ts";
import { formatSize, identity } from "../bytes/index.ts";
import { type Tree, treeKind } from "../tree/index.ts";
import { ext4OptionsKind, ext4Plans } from "./arguments.ts";
import { type BlockSize, type Design, type DirectoryHash, designOf } from "./design.ts";
import type { Ext4Type, FeatureSet } from "./features.ts";
import { blocksOfFile } from "./file-map.ts";
import { type FitWishes, fitInto, fitSmallest, MOST_INODES } from "./fit.ts";
import { type Geometry, SMALLEST_GROUP } from "./geometry.ts";
import { growthLimit, mostReservedAtOnce } from "./group-shape.ts";
import { type Inventory, NO_ROW, takeInventory } from "./inventory.ts";
import type { Placement } from "./placement.ts";
import { refuse } from "./refuse.ts";
import { type PlanRegion, planRegions } from "./regions.ts";
import { checkSize, type Settings, type SettingsOptions, settingsOf } from "./settings.ts";
import { journalRanges, LARGEST_JOURNAL, SMALLEST_JOURNAL } from "./special/journal.ts";
import { resizeInodeSize } from "./special/resize-inode.ts";
import { type Ext4Usage, usageOf } from "./usage.ts";

/** How an ext4 filesystem is to be. Sizes are in bytes. */
export interface Ext4Options extends SettingsOptions {
  /** Identifies the filesystem, and seeds its checksums. */
  readonly uuid: string;
  /** Seeds the hashes of directories. Default: derived from `uuid`. */
  readonly hashSeed?: string | undefined;
  /** The size of the filesystem. Default: the smallest that holds the tree and `freeBytes`. */
  readonly size?: number | undefined;
  /** Free space that must be left. Default 0. */
  readonly freeBytes?: number | undefined;
  /** The preset of features, as mke2fs has it. Default: ext4. */
  readonly type?: Ext4Type | undefined;
  /** Changes of that preset by the names of mke2fs: `orphan_file` adds, `^has_journal` removes. */
  readonly features?: readonly string[] | undefined;
  /** 1024, 2048 or 4096. Default 4096 at every size. */
  readonly blockSize?: BlockSize | undefined;
  /** A power of 2 from 128 to the block size. Default 256. */
  readonly inodeSize?: number | undefined;
  /** How many inodes there must be at least. Default: those of the tree, and one for each `bytesPerInode`. */
  readonly inodes?: number | undefined;
  /**
   * Blocks of a block group: a multiple of 8 from 256 to what one block of a bitmap describes. Default: as many as
   * that, or fewer where there are so many inodes that more groups are needed.
   */
  readonly blocksPerGroup?: number | undefined;
  /** For how much room one more inode is made. Default: what mke2fs takes for the size. */
  readonly bytesPerInode?: number | undefined;
  /**
   * The size of the journal. Default: what mke2fs takes for the size of the filesystem; none below 2048
   * blocks, unless the journal is asked for by name.
   */
  readonly journalSize?: number | undefined;
  /**
   * The size up to which the filesystem must be able to grow without moving anything. Default: 1024 times
   * its own, and at least 1 TiB when it has a single block group.
   */
  readonly growTo?: number | undefined;
  /** The share of blocks that only root may fill, 0 … 50. Default 5. */
  readonly reservedPercent?: number | undefined;
  /** How directories hash names. Default: half_md4, with signed characters. */
  readonly directoryHash?: DirectoryHash | undefined;
  readonly nameCharacters?: "signed" | "unsigned" | undefined;
  /** Owner and group of the root directory. Default: those of the tree's root. */
  readonly rootOwner?: { readonly uid: number; readonly gid: number } | undefined;
  /**
   * The filesystem's own times, in seconds since 1970; later times of entries become this one. Default: 1970
   * for the filesystem, and every entry keeps its own.
   */
  readonly time?: number | undefined;
}

/** Where everything of a filesystem lies: pure data, made before a byte is written. */
export interface Ext4Plan {
  readonly tree: Tree;
  readonly design: Design;
  readonly settings: Settings;
  readonly uuid: string;
  readonly hashSeed: string;
  readonly label: string;
  readonly time: number | undefined;
  /** The features that the filesystem has in the end: its size and its content have a say in them. */
  readonly features: FeatureSet;
  /** Bytes. */
  readonly size: number;
  readonly reservedBlocks: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly rootOwner: { readonly uid: number; readonly gid: number } | undefined;
  readonly geometry: Geometry;
  readonly inventory: Inventory;
  readonly placement: Placement;
  readonly usage: Ext4Usage;
  readonly warnings: readonly string[];
  /** Who owns which bytes: every block that is in use, each once, in ascending order. */
  regions(): Iterable<PlanRegion>;
}

const LARGEST_TIME = 2 ** 40 - 1;
const LARGEST_ID = 2 ** 32 - 1;
/** Extents number blocks with 48 bits; without 64bit the superblock counts them with 32. */
const MOST_BLOCKS = 2 ** 48;
const MOST_NARROW_BLOCKS = 2 ** 32 - 1;

/**
 * Plans an ext4 filesystem that holds `tree`.
 *
 * @throws DoesNotFitError when `size` is too small; `missingBytes` is exact.
 * @throws DiskwrightError `INVALID_TREE` for what ext4 cannot hold, `INVALID_FILESYSTEM` for options that
 *   cannot be.
 */
export function planExt4(tree: Tree, options: Ext4Options): Ext4Plan {
  checkArgument("tree", tree, treeKind);
  checkArgument("options", options, ext4OptionsKind);
  const { freeBytes = 0, label = "", reservedPercent = 5, time } = options;
  const hashSeed = options.hashSeed ?? identity(options.uuid).uuid("ext4/hash-seed");
  const design = designOf({ ...options, hashSeed });
  const settings = settingsOf(options);
  checkOptions(options, design);
  const { blockSize } = design;
  const inventory = takeInventory(tree, design, options);
  const journalBlocks =
    options.journalSize === undefined ? undefined : Math.floor(options.journalSize / blockSize);
  const wishes: FitWishes = {
    inventory,
    freeBlocks: Math.ceil(freeBytes / blockSize),
    inodes: options.inodes,
    bytesPerInode: options.bytesPerInode,
    journal: journalRanges(design, journalBlocks, isJournalNamed(options)),
    growTo: options.growTo,
    blocksPerGroup: options.blocksPerGroup,
  };
  const { geometry, placement } =
    options.size === undefined ? fitSmallest(wishes) : fitInto(wishes, options.size);
  checkSizeOf(geometry, options);

  const free = geometry.blocks - geometry.firstDataBlock - geometry.space.takenBlocks - placement.usedBlocks;
  const plan: Ext4Plan = {
    tree,
    design,
    settings,
    uuid: design.uuid,
    hashSeed,
    label,
    time,
    features: finalFeatures(inventory, geometry),
    size: geometry.blocks * blockSize,
    reservedBlocks: Math.floor((geometry.blocks * reservedPercent) / 100),
    freeBlocks: free,
    freeInodes: geometry.inodes - inventory.lastInode,
    rootOwner: options.rootOwner,
    geometry,
    inventory,
    placement,
    usage: usageOf(inventory, geometry, placement, free),
    warnings: [...inventory.warnings, ...growthWarnings(geometry)],
    regions: () => planRegions(plan),
  };
  return ext4Plans.here(plan);
}

/** Whether the journal, or what needs one, was asked for; then even a small filesystem has one. */
function isJournalNamed({ features = [] }: Ext4Options): boolean {
  return ["has_journal", "orphan_file", "fast_commit"].some((name) => features.includes(name));
}

/** A feature that size or content decides replaces what was asked for, as in mke2fs. */
function finalFeatures(inventory: Inventory, cut: Geometry): FeatureSet {
  const { features, blockSize } = cut.design;
  const hasResizeInode = features.has("resize_inode") && !cut.hasMetaGroups;
  const isLarge = inventory.hasLargeFile || (hasResizeInode && resizeInodeSize(blockSize) >= 2 ** 31);
  return features.changed(
    [...(cut.hasMetaGroups ? (["meta_bg"] as const) : []), ...(isLarge ? (["large_file"] as const) : [])],
    [
      ...(cut.hasMetaGroups ? (["resize_inode"] as const) : []),
      ...(cut.journal === undefined ? (["has_journal"] as const) : []),
    ],
  );
}

function checkOptions(options: Ext4Options, { blockSize, features }: Design): void {
  const { reservedPercent = 5, time = 0, inodes, bytesPerInode, journalSize, rootOwner } = options;
  const { blocksPerGroup } = options;
  if (!(reservedPercent >= 0 && reservedPercent <= 50)) refuse(`reserved ${reservedPercent} %: use 0 to 50`);
  if (!Number.isInteger(time) || time < 0 || time > LARGEST_TIME) {
    refuse(`time ${time}: use whole seconds since 1970, up to ${LARGEST_TIME}`);
  }
  if (inodes !== undefined && !(Number.isInteger(inodes) && inodes > 0 && inodes <= MOST_INODES)) {
    refuse(`${inodes} inodes: use a whole number up to ${MOST_INODES}`);
  }
  if (blocksPerGroup !== undefined) {
    const isWithin = blocksPerGroup >= SMALLEST_GROUP && blocksPerGroup <= 8 * blockSize;
    if (!isWithin || blocksPerGroup % 8 !== 0) {
      refuse(
        `groups of ${blocksPerGroup} blocks: use a multiple of 8 from ${SMALLEST_GROUP} to ${8 * blockSize}`,
      );
    }
  }
  if (bytesPerInode !== undefined && !(bytesPerInode >= blockSize)) {
    refuse(`${bytesPerInode} bytes per inode: use at least the block size, ${blockSize}`);
  }
  if (rootOwner !== undefined) {
    for (const id of [rootOwner.uid, rootOwner.gid]) {
      if (!Number.isInteger(id) || id < 0 || id > LARGEST_ID)
        refuse(`owner ${id} of the root: use 0 to ${LARGEST_ID}`);
    }
  }
  checkSize("a filesystem", options.size);
  checkSize("free space", options.freeBytes);
  checkSize("growth to a size", options.growTo);
  checkSize("a journal", journalSize, SMALLEST_JOURNAL * blockSize, LARGEST_JOURNAL * blockSize);
  if (journalSize !== undefined && !features.has("has_journal")) {
    refuse("a journal has a size only with the feature has_journal: add it, or leave the size out");
  }
  if (options.growTo !== undefined && !features.has("resize_inode")) {
    refuse("room to grow is reserved only with the feature resize_inode: add it, or leave the size out");
  }
  if (options.size !== undefined) checkBlocks(options.size / blockSize, options.size, features);
}

function checkBlocks(blocks: number, size: number, features: FeatureSet): void {
  if (blocks >= MOST_BLOCKS) refuse(`ext4 of ${formatSize(size)}: the limit is 1 EiB`);
  if (blocks > MOST_NARROW_BLOCKS && !features.has("64bit")) {
    refuse(`ext4 of ${formatSize(size)} has more than 2^32 blocks: use the feature 64bit`);
  }
}

/** What can be checked only when the size is known. */
function checkSizeOf(cut: Geometry, { growTo }: Ext4Options): void {
  const { blockSize, features } = cut.design;
  checkBlocks(cut.blocks, cut.blocks * blockSize, features);
  if (growTo !== undefined && (cut.hasMetaGroups || growthLimit(cut) < growTo)) {
    refuse(
      `room to grow to ${formatSize(growTo)} cannot be reserved, the limit is ${formatSize(growthLimit(cut))}: ` +
        "use larger blocks, or the feature meta_bg instead of resize_inode",
    );
  }
}

function growthWarnings({ reservedDescriptorBlocks, journal, design }: Geometry): string[] {
  const most = mostReservedAtOnce(blocksOfFile(journal));
  if (reservedDescriptorBlocks <= most) return [];
  const needed = 8 * (reservedDescriptorBlocks + 1) * design.blockSize;
  return [
    `the journal is too small for a kernel to grow the filesystem while it is mounted: use one of ${formatSize(needed)}, or reserve less room to grow`,
  ];
}

/** The group that an inode belongs to. */
export function groupOfInode(cut: Geometry, inode: number): number {
  return Math.floor((inode - 1) / cut.inodesPerGroup);
}

/** The row of an inode, or `undefined` for an inode that the tree does not have. */
export function rowOfInode(inventory: Inventory, inode: number): number | undefined {
  const row = inventory.rowOf[inode];
  return row === undefined || row === NO_ROW ? undefined : row;
}
