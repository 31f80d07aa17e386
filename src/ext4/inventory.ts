import { formatBytes, utf8 } from "../bytes/index.ts";
import { throwProblems } from "../errors.ts";
import type { Tree } from "../tree/index.ts";
import { DirectoryMeasure } from "./directory.ts";
import type { Segment } from "./extent-tree.ts";
import { FIRST_INODE, MAXIMUM_LINKS, ROOT_INODE } from "./structures.ts";
import { EARLIEST_TIME, isTakenForOld, LATEST_TIME } from "./time.ts";

/** mke2fs gives lost+found room for entries beforehand, so that e2fsck need not find any in an emergency. */
const LOST_AND_FOUND_BYTES = 16384;

export const LOST_AND_FOUND: Uint8Array = utf8("lost+found");

/** A symlink's target up to this long lies in the inode. */
export const FAST_SYMLINK = 59;

/** A file has at most so many blocks: logical blocks are numbered with 32 bits. */
const MOST_FILE_BLOCKS = 2 ** 32 - 1;

/** No row: an inode that is not in the tree. */
export const NO_ROW = 0xffffffff;

/**
 * What a tree asks of a filesystem, whatever its size: which inode each entry gets, and how many blocks of
 * content it has.
 */
export interface Inventory {
  readonly tree: Tree;
  readonly blockSize: number;
  /** The row of lost+found, or `undefined` when it has to be made. */
  readonly lostAndFoundRow: number | undefined;
  readonly lostAndFoundBlocks: number;
  /** The inode of each row. Further hard links share that of the first. */
  readonly inodeOf: Uint32Array;
  /** The row of each inode, by number; {@link NO_ROW} where there is none. */
  readonly rowOf: Uint32Array;
  /** Inodes from 1 up to this one are in use. */
  readonly lastInode: number;
  /** Blocks of content of each row, without the nodes of its extent tree. */
  readonly blocks: Uint32Array;
  /** The rows with blocks, in the order in which they are laid: directories, symlinks, files. */
  readonly order: Uint32Array;
  /** Blocks of all content, with lost+found and without extent trees. */
  readonly contentBlocks: number;
  readonly warnings: readonly string[];
}

/**
 * Takes stock of a tree.
 *
 * @throws DiskwrightError `INVALID_TREE`, naming every entry that ext4 cannot hold.
 */
export function takeInventory(tree: Tree, blockSize: number): Inventory {
  const problems: string[] = [];
  const warnings: string[] = [];
  const lostAndFoundRow = tree.child(0, LOST_AND_FOUND);
  if (lostAndFoundRow !== undefined && !tree.isDirectory(lostAndFoundRow)) {
    problems.push("/lost+found: ext4 keeps this name for a directory: rename or exclude it");
  }
  const { columns } = tree;
  const inodeOf = new Uint32Array(tree.length);
  const rowOf = new Uint32Array(tree.length + FIRST_INODE + 1).fill(NO_ROW);
  const blocks = new Uint32Array(tree.length);
  const directories: number[] = [];
  const symlinks: number[] = [];
  const files: number[] = [];
  let contentBlocks = 0;
  let nextInode = FIRST_INODE + 1;

  for (let row = 0; row < tree.length; row++) {
    if (tree.isFurtherLink(row)) {
      inodeOf[row] = inodeOf[columns.primary[row]!]!;
      continue;
    }
    const inode = row === 0 ? ROOT_INODE : row === lostAndFoundRow ? FIRST_INODE : nextInode++;
    inodeOf[row] = inode;
    rowOf[inode] = row;
    const kind = tree.isDirectory(row) ? directories : tree.isSymlink(row) ? symlinks : files;
    const problem = entryProblem(tree, row, blockSize);
    if (problem !== undefined) problems.push(`${tree.displayPath(row)}: ${problem}`);
    else blocks[row] = contentBlocksOf(tree, row, blockSize, lostAndFoundRow);
    const warning = timeWarning(columns.mtimeSeconds[row]!);
    if (warning !== undefined) warnings.push(`${tree.displayPath(row)}: ${warning}`);
    if (blocks[row]! > 0) kind.push(row);
    contentBlocks += blocks[row]!;
  }
  throwProblems("INVALID_TREE", "ext4 cannot hold the tree", problems);

  const lostAndFoundBlocks =
    lostAndFoundRow === undefined ? lostAndFoundSize(blockSize) : blocks[lostAndFoundRow]!;
  if (lostAndFoundRow === undefined) contentBlocks += lostAndFoundBlocks;
  return {
    tree,
    blockSize,
    lostAndFoundRow,
    lostAndFoundBlocks,
    inodeOf,
    rowOf,
    lastInode: nextInode - 1,
    blocks,
    order: Uint32Array.from([...rowsOf(directories, symlinks, files)]),
    contentBlocks,
    warnings,
  };
}

function* rowsOf(...kinds: readonly (readonly number[])[]): Generator<number> {
  for (const rows of kinds) yield* rows;
}

function lostAndFoundSize(blockSize: number): number {
  // At 1 KiB mke2fs stops at the twelve blocks that an ext2 inode can point to itself.
  return Math.min(12, LOST_AND_FOUND_BYTES / blockSize);
}

function entryProblem(tree: Tree, row: number, blockSize: number): string | undefined {
  const xattrs = tree.xattrs(row);
  if (xattrs !== undefined) {
    return `extended attributes (${[...xattrs.keys()].join(", ")}) cannot be written yet: leave them out of the tree`;
  }
  if (tree.isSymlink(row) && tree.target(row).length >= blockSize) {
    return `the symlink's target has ${tree.target(row).length} bytes, the limit is ${blockSize - 1}: shorten it`;
  }
  if (tree.isFile(row)) {
    const size = tree.columns.size[row]!;
    if (Math.ceil(size / blockSize) > MOST_FILE_BLOCKS) {
      return `the file has ${formatBytes(size)}, the limit is ${formatBytes(MOST_FILE_BLOCKS * blockSize)}`;
    }
  }
  const links = tree.linkCount(row);
  if (links > MAXIMUM_LINKS)
    return `${links} hard links, the limit is ${MAXIMUM_LINKS}: store some as copies`;
  return undefined;
}

function timeWarning(seconds: number): string | undefined {
  if (seconds < EARLIEST_TIME || seconds > LATEST_TIME) {
    return "the time lies outside of 1901-12-13 … 2446-05-10, what an inode can hold, and is moved to the nearer end";
  }
  if (isTakenForOld(seconds)) return "e2fsck takes times from 2310-04-04 to 2378-04-22 for times before 1970";
  return undefined;
}

function contentBlocksOf(
  tree: Tree,
  row: number,
  blockSize: number,
  lostAndFoundRow: number | undefined,
): number {
  if (tree.isFile(row)) return segmentsOf(tree, row, blockSize).reduce((sum, { count }) => sum + count, 0);
  if (tree.isSymlink(row)) return tree.target(row).length > FAST_SYMLINK ? 1 : 0;
  if (!tree.isDirectory(row)) return 0;
  const measure = new DirectoryMeasure(blockSize);
  if (row === 0 && lostAndFoundRow === undefined) measure.add(LOST_AND_FOUND.length);
  const { firstChild, childCount, nameLength } = tree.columns;
  const first = firstChild[row]!;
  for (let child = first; child < first + childCount[row]!; child++) measure.add(nameLength[child]!);
  return row === lostAndFoundRow ? Math.max(measure.blocks, lostAndFoundSize(blockSize)) : measure.blocks;
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
