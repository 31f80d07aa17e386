import { formatBytes, largestOf, utf8 } from "../bytes/index.ts";
import { throwProblems } from "../errors.ts";
import type { Tree } from "../tree/index.ts";
import { mostMappedBlocks } from "./block-map.ts";
import type { Design } from "./design.ts";
import { type DirectoryIndex, layDirectory } from "./directory/directory.ts";
import type { Segment } from "./mapping.ts";
import { type QuotaFile, quotaFiles } from "./special/quota.ts";
import { FIRST_INODE, MAXIMUM_LINKS, ROOT_INODE } from "./structures.ts";
import { timeWarning } from "./time.ts";
import { planXattrs, type XattrPlan } from "./xattr/plan.ts";

/** mke2fs gives lost+found room for entries beforehand, so that e2fsck need not find any in an emergency. */
const LOST_AND_FOUND_BYTES = 16384;

export const LOST_AND_FOUND: Uint8Array = utf8("lost+found");

/** A symlink's target up to this long lies in the inode. */
const FAST_SYMLINK = 59;

/** Logical blocks of a file are numbered with 32 bits. */
const MOST_FILE_BLOCKS = 2 ** 32 - 1;
/** Without huge_file the blocks of a file are counted in 512 bytes with 32 bits. */
const MOST_SECTORS = 2 ** 32 - 1;
/** Without large_file the size of a file has 31 bits. */
const SMALL_FILE = 2 ** 31 - 1;

/** No row: an inode that is not in the tree. */
export const NO_ROW = 0xffffffff;

/**
 * What a tree asks of a filesystem, whatever its size: which inode each entry gets, and how many blocks of
 * content it has.
 */
export interface Inventory {
  readonly tree: Tree;
  readonly design: Design;
  /** The row of lost+found, or `undefined` when it has to be made. */
  readonly lostAndFoundRow: number | undefined;
  readonly lostAndFoundBlocks: number;
  /** The inode of the orphan file, if there is one. */
  readonly orphanInode: number | undefined;
  /** The inode of each row. Further hard links share that of the first. */
  readonly inodeOf: Uint32Array;
  /** The row of each inode, by number; {@link NO_ROW} where there is none. */
  readonly rowOf: Uint32Array;
  readonly quotaFiles: readonly QuotaFile[];
  /** The inode of the first value that is too large for a block of attributes; the next ones follow. */
  readonly firstValueInode: number;
  /** Inodes from 1 up to this one are in use. */
  readonly lastInode: number;
  /** Blocks of content of each row, without those that map them. */
  readonly blocks: Uint32Array;
  /** How the entries of indexed directories are laid, by row. */
  readonly indexes: ReadonlyMap<number, DirectoryIndex>;
  readonly xattrs: XattrPlan | undefined;
  /** The rows with blocks, in the order in which they are laid: directories, symlinks, files. */
  readonly order: Uint32Array;
  /** Blocks of all content: with lost+found and attributes, without those that map them. */
  readonly contentBlocks: number;
  /** Whether a file has 2 GiB or more, which the feature large_file says. */
  readonly hasLargeFile: boolean;
  readonly warnings: readonly string[];
}

/** What is written instead of what the tree says. */
export interface InventoryWishes {
  readonly rootOwner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Later times become this one, in seconds since 1970. */
  readonly time?: number | undefined;
}

/**
 * Takes stock of a tree.
 *
 * @throws DiskwrightError `INVALID_TREE`, naming every entry that ext4 cannot hold.
 */
export function takeInventory(
  tree: Tree,
  design: Design,
  { rootOwner, time = Number.POSITIVE_INFINITY }: InventoryWishes = {},
): Inventory {
  const problems: string[] = [];
  const warnings: string[] = [];
  const lostAndFoundRow = tree.child(0, LOST_AND_FOUND);
  if (lostAndFoundRow !== undefined && !tree.isDirectory(lostAndFoundRow)) {
    problems.push("/lost+found: ext4 keeps this name for a directory: rename or exclude it");
  }
  const { columns } = tree;
  const orphanInode = design.features.has("orphan_file") ? FIRST_INODE + 1 : undefined;
  const inodeOf = new Uint32Array(tree.length);
  const blocks = new Uint32Array(tree.length);
  const indexes = new Map<number, DirectoryIndex>();
  const directories: number[] = [];
  const symlinks: number[] = [];
  const files: number[] = [];
  let contentBlocks = 0;
  let hasLargeFile = false;
  const quota = quotaFiles(tree, design.features, rootOwner);
  let nextInode = largestOf([FIRST_INODE, orphanInode ?? 0, ...quota.map(({ inode }) => inode)]) + 1;
  const rowOf = new Uint32Array(tree.length + nextInode).fill(NO_ROW);

  /** Lays a directory, and returns its blocks. */
  function layBlocks(row: number): number {
    const isRootWithout = row === 0 && lostAndFoundRow === undefined;
    const laid = layDirectory(tree, row, isRootWithout ? LOST_AND_FOUND : undefined, design.directories);
    if (typeof laid === "string") {
      problems.push(`${tree.displayPath(row)}: ${laid}`);
      return 0;
    }
    if (laid.index !== undefined) indexes.set(row, laid.index);
    else if (row === lostAndFoundRow) return Math.max(laid.blocks, lostAndFoundSize(design));
    return laid.blocks;
  }

  for (let row = 0; row < tree.length; row++) {
    if (tree.isFurtherLink(row)) {
      inodeOf[row] = inodeOf[columns.primary[row]!]!;
      continue;
    }
    const inode = row === 0 ? ROOT_INODE : row === lostAndFoundRow ? FIRST_INODE : nextInode++;
    inodeOf[row] = inode;
    rowOf[inode] = row;
    const problem = entryProblem(tree, row, design);
    if (problem !== undefined) {
      problems.push(`${tree.displayPath(row)}: ${problem}`);
      continue;
    }
    const warning = timeWarning(Math.min(columns.mtimeSeconds[row]!, time), design.inodeSize);
    if (warning !== undefined) warnings.push(`${tree.displayPath(row)}: ${warning}`);
    let kind = files;
    if (tree.isDirectory(row)) {
      kind = directories;
      blocks[row] = layBlocks(row);
    } else if (tree.isSymlink(row)) {
      kind = symlinks;
      blocks[row] = tree.target(row).length > FAST_SYMLINK ? 1 : 0;
    } else if (tree.isFile(row)) {
      blocks[row] = fileBlocks(tree, row, design.blockSize);
      if (columns.size[row]! > SMALL_FILE) hasLargeFile = true;
    }
    if (blocks[row]! > 0) kind.push(row);
    contentBlocks += blocks[row]!;
  }

  const firstValueInode = nextInode;
  const xattrs = planXattrs(tree, xattrFormat(design), firstValueInode, problems);
  throwProblems("INVALID_TREE", `${design.hasExtents ? "ext4" : "ext2"} cannot hold the tree`, problems);
  if (xattrs !== undefined) {
    contentBlocks += xattrs.blocks;
    for (const { value } of xattrs.values) contentBlocks += Math.ceil(value.length / design.blockSize);
    nextInode += xattrs.values.length;
  }
  for (const { size } of quota) contentBlocks += Math.ceil(size / design.blockSize);
  const lostAndFoundBlocks =
    lostAndFoundRow === undefined ? lostAndFoundSize(design) : blocks[lostAndFoundRow]!;
  if (lostAndFoundRow === undefined) contentBlocks += lostAndFoundBlocks;
  return {
    tree,
    design,
    lostAndFoundRow,
    lostAndFoundBlocks,
    orphanInode,
    quotaFiles: quota,
    inodeOf,
    rowOf,
    firstValueInode,
    lastInode: nextInode - 1,
    blocks,
    indexes,
    xattrs,
    order: joined(directories, symlinks, files),
    contentBlocks,
    hasLargeFile,
    warnings,
  };
}

function joined(...kinds: readonly (readonly number[])[]): Uint32Array {
  const rows = new Uint32Array(kinds.reduce((sum, kind) => sum + kind.length, 0));
  let at = 0;
  for (const kind of kinds) {
    rows.set(kind, at);
    at += kind.length;
  }
  return rows;
}

function xattrFormat(design: Design): Parameters<typeof planXattrs>[1] {
  return {
    blockSize: design.blockSize,
    inodeRoom: design.inodeRoom,
    mayUseInodes: design.features.has("ea_inode"),
    checksumSeed: design.checksumSeed,
    hasChecksums: design.checksums === "crc32c",
  };
}

function lostAndFoundSize({ blockSize }: Design): number {
  // At 1 KiB mke2fs stops at the twelve blocks that an ext2 inode can point to itself.
  return Math.min(12, LOST_AND_FOUND_BYTES / blockSize);
}

function entryProblem(tree: Tree, row: number, design: Design): string | undefined {
  const { blockSize, features } = design;
  const xattrs = tree.xattrs(row);
  if (xattrs !== undefined && !features.has("ext_attr")) {
    return `extended attributes (${[...xattrs.keys()].join(", ")}) need the feature ext_attr: add it, or leave them out of the tree`;
  }
  if (tree.isSymlink(row) && tree.target(row).length >= blockSize) {
    return `the symlink's target has ${tree.target(row).length} bytes, the limit is ${blockSize - 1}: shorten it`;
  }
  if (tree.isFile(row)) {
    const size = tree.columns.size[row]!;
    const most = design.hasExtents
      ? MOST_FILE_BLOCKS
      : Math.min(MOST_FILE_BLOCKS, mostMappedBlocks(blockSize));
    if (Math.ceil(size / blockSize) > most) {
      const remedy = design.hasExtents ? "split it" : "use the feature extent";
      return `the file has ${formatBytes(size)}, the limit is ${formatBytes(most * blockSize)}: ${remedy}`;
    }
    if (!features.has("huge_file") && fileBlocks(tree, row, blockSize) * (blockSize / 512) > MOST_SECTORS) {
      return "the file has more than 2 TiB of data: use the feature huge_file";
    }
  }
  const links = tree.linkCount(row);
  if (links > MAXIMUM_LINKS)
    return `${links} hard links, the limit is ${MAXIMUM_LINKS}: store some as copies (--links split)`;
  if (!features.has("dir_nlink") && tree.isDirectory(row) && subdirectories(tree, row) > MAXIMUM_LINKS - 2) {
    return `${subdirectories(tree, row)} subdirectories, the limit is ${MAXIMUM_LINKS - 2}: use the feature dir_nlink`;
  }
  return undefined;
}

/** How many directories lie directly in a directory of the tree. */
export function subdirectories(tree: Tree, row: number): number {
  const { firstChild, childCount } = tree.columns;
  const first = firstChild[row]!;
  let count = 0;
  for (let child = first; child < first + childCount[row]!; child++) if (tree.isDirectory(child)) count++;
  return count;
}

function fileBlocks(tree: Tree, row: number, blockSize: number): number {
  if (tree.data(row) === undefined) return Math.ceil(tree.columns.size[row]! / blockSize);
  return segmentsOf(tree, row, blockSize).reduce((sum, { count }) => sum + count, 0);
}

const NO_SEGMENTS: readonly Segment[] = [];

/** The parts of a file that have blocks. A range of data takes every block that it touches. */
export function segmentsOf(tree: Tree, row: number, blockSize: number): readonly Segment[] {
  const size = tree.columns.size[row]!;
  const data = tree.data(row);
  if (data === undefined)
    return size === 0 ? NO_SEGMENTS : [{ logical: 0, count: Math.ceil(size / blockSize) }];
  const segments: { logical: number; count: number }[] = [];
  for (const { offset, length } of data) {
    const logical = Math.floor(offset / blockSize);
    const end = Math.ceil((offset + length) / blockSize);
    const last = segments.at(-1);
    if (last !== undefined && logical <= last.logical + last.count) last.count = end - last.logical;
    else segments.push({ logical, count: end - logical });
  }
  return segments;
}
