import {
  formatBytes,
  formatSize,
  GIB,
  identity,
  MIB,
  parseGuid,
  printable,
  TIB,
  utf8,
} from "../bytes/index.ts";
import { DiskwrightError, DoesNotFitError } from "../errors.ts";
import { fileMode, type Tree } from "../tree/index.ts";
import { filesystemSeed } from "./checksum.ts";
import { type BlockSize, type Geometry, geometry, hasSuperblock } from "./geometry.ts";
import { type Inventory, NO_ROW, takeInventory } from "./inventory.ts";
import { type Placement, place } from "./placement.ts";
import { type PlanRegion, planRegions } from "./regions.ts";
import { INODE_SIZE } from "./structures.ts";

/** How an ext4 filesystem is to be. Sizes are in bytes. */
export interface Ext4Options {
  /** Identifies the filesystem, and seeds its checksums. */
  readonly uuid: string;
  /** Seeds the hashes of directories. Default: derived from `uuid`. */
  readonly hashSeed?: string | undefined;
  /** Up to 16 bytes of UTF-8. Default: none. */
  readonly label?: string | undefined;
  /** The size of the filesystem. Default: the smallest that holds the tree and `freeBytes`. */
  readonly size?: number | undefined;
  /** Free space that must be left. Default 0. */
  readonly freeBytes?: number | undefined;
  /** 1024, 2048 or 4096. Default 4096 at every size. */
  readonly blockSize?: BlockSize | undefined;
  /** How many inodes there must be at least. Default: those of the tree, and one for each `bytesPerInode`. */
  readonly inodes?: number | undefined;
  /** For how much room one more inode is made. Default: what mke2fs takes for the size. */
  readonly bytesPerInode?: number | undefined;
  /** The share of blocks that only root may fill, 0 … 50. Default 5. */
  readonly reservedPercent?: number | undefined;
  /**
   * The filesystem's own times, in seconds since 1970; later times of entries become this one. Default: 1970
   * for the filesystem, and every entry keeps its own.
   */
  readonly time?: number | undefined;
}

/** What takes the room in a filesystem, in bytes. Together they are the size of the filesystem. */
export interface Ext4Usage {
  /** Superblock and group descriptors, with their copies. */
  readonly superblocks: number;
  readonly bitmaps: number;
  readonly inodeTables: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly files: number;
  /** Nodes of extent trees that do not lie in an inode. */
  readonly extentTrees: number;
  readonly free: number;
}

/** Where everything of a filesystem lies: pure data, made before a byte is written. */
export interface Ext4Plan {
  readonly tree: Tree;
  readonly uuid: string;
  /** What the checksums of all metadata but the superblock start from; it follows from the UUID. */
  readonly checksumSeed: number;
  readonly hashSeed: string;
  readonly label: string;
  readonly time: number | undefined;
  /** Bytes. */
  readonly size: number;
  readonly reservedBlocks: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly geometry: Geometry;
  readonly inventory: Inventory;
  readonly placement: Placement;
  readonly usage: Ext4Usage;
  readonly warnings: readonly string[];
  /** Who owns which bytes: every block that is in use, each once, in ascending order. */
  regions(): Iterable<PlanRegion>;
}

const LARGEST_LABEL = 16;
const LARGEST_TIME = 2 ** 40 - 1;
/** Inodes are numbered with 32 bits; each of up to half a million groups may round their number up. */
const MOST_INODES = 2 ** 32 - 2 ** 23;
/** The 64bit feature numbers blocks with 48 bits in extents. */
const MOST_BLOCKS = 2 ** 48;

/**
 * Plans an ext4 filesystem that holds `tree`.
 *
 * @throws DoesNotFitError when `size` is too small; `missingBytes` is exact.
 * @throws DiskwrightError `INVALID_TREE` for what ext4 cannot hold, `INVALID_FILESYSTEM` for options that
 *   cannot be.
 */
export function planExt4(tree: Tree, options: Ext4Options): Ext4Plan {
  const { blockSize = 4096, freeBytes = 0, label = "", reservedPercent = 5, time } = options;
  checkOptions(options, blockSize);
  const inventory = takeInventory(tree, blockSize);
  const freeBlocks = Math.ceil(freeBytes / blockSize);
  const { geometry, placement } =
    options.size === undefined
      ? smallest(inventory, wantedInodes(inventory, options, freeBytes), freeBlocks)
      : fixed(inventory, options, options.size, freeBlocks);

  const used = inventory.contentBlocks + placement.treeBlocks;
  const free = geometry.blocks - geometry.firstDataBlock - geometry.space.takenBlocks - used;
  const plan: Ext4Plan = {
    tree,
    uuid: parseGuid(options.uuid),
    checksumSeed: filesystemSeed(options.uuid),
    hashSeed: parseGuid(options.hashSeed ?? identity(options.uuid).uuid("ext4/hash-seed")),
    label,
    time,
    size: geometry.blocks * blockSize,
    reservedBlocks: Math.floor((geometry.blocks * reservedPercent) / 100),
    freeBlocks: free,
    freeInodes: geometry.inodes - inventory.lastInode,
    geometry,
    inventory,
    placement,
    usage: usageOf(inventory, geometry, placement, free),
    warnings: inventory.warnings,
    regions: () => planRegions(plan),
  };
  return plan;
}

function checkOptions(options: Ext4Options, blockSize: number): void {
  const refuse = (message: string): never => {
    throw new DiskwrightError("INVALID_FILESYSTEM", message);
  };
  const { label = "", reservedPercent = 5, time = 0, inodes, bytesPerInode, freeBytes = 0, size } = options;
  if (![1024, 2048, 4096].includes(blockSize)) refuse(`ext4 block size ${blockSize}: use 1024, 2048 or 4096`);
  const labelBytes = utf8(label).length;
  if (labelBytes > LARGEST_LABEL || label.includes("\0")) {
    refuse(
      `ext4 label "${printable(utf8(label))}" has ${labelBytes} bytes: it can have ${LARGEST_LABEL}, none of them NUL`,
    );
  }
  if (!(reservedPercent >= 0 && reservedPercent <= 50)) refuse(`reserved ${reservedPercent} %: use 0 to 50`);
  if (!Number.isInteger(time) || time < 0 || time > LARGEST_TIME) {
    refuse(`time ${time}: use whole seconds since 1970, up to ${LARGEST_TIME}`);
  }
  if (inodes !== undefined && !(Number.isInteger(inodes) && inodes > 0 && inodes <= MOST_INODES)) {
    refuse(`${inodes} inodes: use a whole number up to ${MOST_INODES}`);
  }
  if (bytesPerInode !== undefined && !(bytesPerInode >= blockSize)) {
    refuse(`${bytesPerInode} bytes per inode: use at least the block size, ${blockSize}`);
  }
  for (const [name, value] of [
    ["size", size],
    ["free space", freeBytes],
  ] as const) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0))
      refuse(`${name} of ${value} bytes`);
  }
  if (size !== undefined && size / blockSize >= MOST_BLOCKS)
    refuse(`ext4 of ${formatSize(size)}: the limit is 1 EiB`);
}

/** The room for which mke2fs makes one inode in a filesystem of this size (its usage types, mke2fs.conf). */
function usualBytesPerInode(size: number): number {
  if (size < 3 * MIB) return 8192;
  if (size < 512 * MIB) return 4096;
  if (size < 4 * TIB) return 16384;
  return size < 16 * 1024 * GIB ? 32768 : 65536;
}

/** The inodes of the tree and, for the room that is left beside it, as many as such room usually has. */
function wantedInodes(inventory: Inventory, options: Ext4Options, room: number): number {
  const perInode = options.bytesPerInode ?? usualBytesPerInode(room);
  const wanted = options.inodes ?? inventory.lastInode + Math.floor(room / perInode);
  return Math.min(Math.max(wanted, inventory.lastInode), MOST_INODES);
}

interface Fit {
  readonly geometry: Geometry;
  readonly placement: Placement;
}

/** Tries one size, in blocks. Gives the blocks that are missing when it is too small. */
function attempt(inventory: Inventory, blocks: number, inodes: number, freeBlocks: number): Fit | number {
  const cut = geometry(inventory.blockSize as BlockSize, blocks, inodes);
  if ("missingBlocks" in cut) return Math.max(1, cut.missingBlocks);
  const placement = place(inventory, cut);
  const used = inventory.contentBlocks + placement.treeBlocks;
  const free = cut.blocks - cut.firstDataBlock - cut.space.takenBlocks - used;
  const missing = Math.max(placement.end - cut.blocks, freeBlocks - free);
  return missing > 0 ? missing : { geometry: cut, placement };
}

/** The smallest filesystem that holds the content, so many free blocks and so many inodes. */
function smallest(inventory: Inventory, inodes: number, freeBlocks: number): Fit {
  let tooSmall = 0;
  let blocks = inventory.contentBlocks + freeBlocks + 2;
  let fit = attempt(inventory, blocks, inodes, freeBlocks);
  while (typeof fit === "number") {
    tooSmall = blocks;
    blocks += fit;
    fit = attempt(inventory, blocks, inodes, freeBlocks);
  }
  // The steps above can overshoot by what a larger filesystem needs for itself.
  while (blocks - tooSmall > 1) {
    const middle = Math.floor((tooSmall + blocks) / 2);
    const tried = attempt(inventory, middle, inodes, freeBlocks);
    if (typeof tried === "number") tooSmall = middle;
    else {
      blocks = middle;
      fit = tried;
    }
  }
  return fit;
}

/**
 * A filesystem of a given size. The tree comes first: where it and the usual number of inodes do not fit
 * together, there are as many inodes as the tree needs, or as were asked for.
 */
function fixed(inventory: Inventory, options: Ext4Options, size: number, freeBlocks: number): Fit {
  const { blockSize } = inventory;
  const blocks = Math.floor(size / blockSize);
  const perInode = options.bytesPerInode ?? usualBytesPerInode(size);
  // Beside a tree of large files there are as many inodes as in an empty filesystem; beside one of small
  // files, some more for the room that is left, each of which takes room itself.
  const room = Math.max(0, blocks - inventory.contentBlocks) * blockSize;
  const forRoom = inventory.lastInode + Math.floor(room / (perInode + INODE_SIZE));
  const usual = Math.max(Math.floor(size / perInode), forRoom);
  const needed = Math.max(options.inodes ?? 0, inventory.lastInode);
  const wanted = options.inodes === undefined ? Math.min(usual, MOST_INODES) : needed;
  for (const inodes of wanted > needed ? [wanted, needed] : [needed]) {
    const fit = attempt(inventory, blocks, inodes, freeBlocks);
    if (typeof fit !== "number") return fit;
  }
  const least = smallest(inventory, needed, freeBlocks);
  const missing = least.geometry.blocks * blockSize - size;
  const use = usageOf(inventory, least.geometry, least.placement, freeBlocks);
  throw new DoesNotFitError(
    `the ext4 filesystem has ${formatBytes(size)} and needs ${formatBytes(size + missing)}, ` +
      `${formatBytes(missing)} more: files ${formatSize(use.files)}, directories ${formatSize(use.directories)}, ` +
      `inodes ${formatSize(use.inodeTables)} (${inventory.lastInode}), other metadata ` +
      `${formatSize(use.superblocks + use.bitmaps + use.extentTrees + use.symlinks)}` +
      (freeBlocks > 0 ? `, free space ${formatSize(freeBlocks * blockSize)}` : ""),
    missing,
  );
}

function usageOf(inventory: Inventory, cut: Geometry, placement: Placement, free: number): Ext4Usage {
  const { tree, blockSize } = inventory;
  let directories = inventory.lostAndFoundRow === undefined ? inventory.lostAndFoundBlocks : 0;
  let symlinks = 0;
  let files = 0;
  for (const row of inventory.order) {
    const blocks = inventory.blocks[row]!;
    const type = tree.typeBits(row);
    if (type === fileMode.DIRECTORY) directories += blocks;
    else if (type === fileMode.SYMLINK) symlinks += blocks;
    else files += blocks;
  }
  let superblocks = cut.firstDataBlock;
  for (let group = 0; group < cut.groups; group++) {
    if (hasSuperblock(group)) superblocks += 1 + cut.descriptorBlocks;
  }
  return {
    superblocks: superblocks * blockSize,
    bitmaps: 2 * cut.groups * blockSize,
    inodeTables: cut.groups * cut.inodeTableBlocks * blockSize,
    directories: directories * blockSize,
    symlinks: symlinks * blockSize,
    files: files * blockSize,
    extentTrees: placement.treeBlocks * blockSize,
    free: free * blockSize,
  };
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
