import { formatBytes } from "../../bytes/index.ts";
import { fileMode, type Tree } from "../../tree/index.ts";
import { type BlockFormat, EntryBlocks, entrySize, usableBytes } from "./block.ts";
import {
  type DirectoryIndex,
  EXTRA_CHILD,
  type IndexFormat,
  indexDirectory,
  indexedBlocks,
  indexNodes,
} from "./htree.ts";

// Directories (directory.rst). One of a single block lists its entries in the order of their names; a larger
// one has an index, because without one a lookup reads all of it, and no kernel adds an index later.

export { type DirectoryIndex, EXTRA_CHILD, type IndexFormat } from "./htree.ts";

/** How directories of a filesystem are stored. */
export interface DirectoryFormat extends BlockFormat {
  /** The feature `dir_index`: directories of more than one block are indexed. */
  readonly index: IndexFormat | undefined;
}

/** A subdirectory that the tree does not have, such as a made lost+found. */
export interface ExtraChild {
  readonly name: Uint8Array;
  readonly inode: number;
}

/** How the entries of one directory are laid into blocks. */
export interface DirectoryLayout {
  /** Blocks of the directory, those of its index included. */
  readonly blocks: number;
  /** `undefined` for a linear directory. */
  readonly index?: DirectoryIndex;
}

/** Most directories are small; they share their layout. */
const ONE_BLOCK: DirectoryLayout = { blocks: 1 };

/** The size of a directory has 32 bits, unless it is one of large_dir, which has an index. */
const LARGEST_LINEAR = 2 ** 32 - 1;

/**
 * Lays the entries of a directory into blocks. A string says why that cannot be: which limit it breaks, and
 * what to do.
 *
 * @param extraName the name of a subdirectory that the tree does not have.
 */
export function layDirectory(
  tree: Tree,
  row: number,
  extraName: Uint8Array | undefined,
  format: DirectoryFormat,
): DirectoryLayout | string {
  const blocks = linearBlocks(tree, row, extraName, format);
  if (blocks === 1) return ONE_BLOCK;
  if (format.index !== undefined) {
    const index = indexDirectory(tree, row, extraName, format, format.index);
    return typeof index === "string" ? index : { blocks: indexedBlocks(index), index };
  }
  const size = blocks * format.blockSize;
  if (size > LARGEST_LINEAR) {
    const sizes = `${formatBytes(size)}, the limit is ${formatBytes(LARGEST_LINEAR)}`;
    return `its names take ${sizes}: use the features dir_index and large_dir, or spread them over more directories`;
  }
  return { blocks };
}

/** Blocks of a directory without index. */
function linearBlocks(
  { columns }: Tree,
  row: number,
  extraName: Uint8Array | undefined,
  format: DirectoryFormat,
): number {
  const usable = usableBytes(format);
  const first = columns.firstChild[row]!;
  const end = first + columns.childCount[row]!;
  let blocks = 1;
  let used = entrySize(1) + entrySize(2);
  if (extraName !== undefined) used += entrySize(extraName.length);
  for (let child = first; child < end; child++) {
    const size = entrySize(columns.nameLength[child]!);
    if (used + size > usable) {
      blocks++;
      used = 0;
    }
    used += size;
  }
  return blocks;
}

/** What the blocks of a directory say. */
export interface DirectoryContents {
  readonly inode: number;
  readonly parentInode: number;
  /** The row of the directory, or `undefined` for one that the tree does not have. */
  readonly row: number | undefined;
  /** A further subdirectory; without an index it comes before the others. */
  readonly extra?: ExtraChild;
  /** Blocks that the directory has. Those of a linear one that no entry needs are empty. */
  readonly blocks: number;
  /** How it is indexed, as {@link layDirectory} said. */
  readonly index?: DirectoryIndex;
  /** What the checksums of the directory start from. */
  readonly checksumSeed: number;
}

/** Encodes the blocks of a directory, one after the other. `inodeOf` has the inode of each row. */
export function* directoryBlocks(
  tree: Tree,
  inodeOf: Uint32Array,
  contents: DirectoryContents,
  format: DirectoryFormat,
): Generator<Uint8Array> {
  const { index } = contents;
  if (index === undefined || format.index === undefined) {
    yield* linearDirectory(tree, inodeOf, contents, format);
  } else {
    yield* indexNodes(index, contents, format, format.index);
    yield* leaves(tree, inodeOf, contents, index, format);
  }
}

const DOTS = Uint8Array.of(0x2e, 0x2e);

function* linearDirectory(
  tree: Tree,
  inodeOf: Uint32Array,
  contents: DirectoryContents,
  format: DirectoryFormat,
): Generator<Uint8Array> {
  const { columns } = tree;
  const { row, extra } = contents;
  const blocks = new EntryBlocks(format, contents.checksumSeed);
  let done = 0;
  blocks.put(contents.inode, fileMode.DIRECTORY, DOTS, 0, 1);
  blocks.put(contents.parentInode, fileMode.DIRECTORY, DOTS, 0, 2);
  if (extra !== undefined) blocks.put(extra.inode, fileMode.DIRECTORY, extra.name, 0, extra.name.length);
  const first = row === undefined ? 0 : columns.firstChild[row]!;
  const end = row === undefined ? 0 : first + columns.childCount[row]!;
  for (let child = first; child < end; child++) {
    const length = columns.nameLength[child]!;
    if (!blocks.fits(length)) {
      yield blocks.finish();
      done++;
    }
    blocks.put(inodeOf[child]!, tree.typeBits(child), columns.names, columns.nameStart[child]!, length);
  }
  for (; done < contents.blocks; done++) yield blocks.finish();
}

/** The leaves of an indexed directory. */
function* leaves(
  tree: Tree,
  inodeOf: Uint32Array,
  { extra, checksumSeed }: DirectoryContents,
  { order, leafEnds }: DirectoryIndex,
  format: DirectoryFormat,
): Generator<Uint8Array> {
  const { nameStart, nameLength, names } = tree.columns;
  const blocks = new EntryBlocks(format, checksumSeed);
  let at = 0;
  for (const end of leafEnds) {
    for (; at < end; at++) {
      const child = order[at]!;
      if (child === EXTRA_CHILD)
        blocks.put(extra!.inode, fileMode.DIRECTORY, extra!.name, 0, extra!.name.length);
      else blocks.put(inodeOf[child]!, tree.typeBits(child), names, nameStart[child]!, nameLength[child]!);
    }
    yield blocks.finish();
  }
}
