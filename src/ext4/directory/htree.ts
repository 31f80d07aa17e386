import { fileMode, type Tree } from "../../tree/index.ts";
import { ownedChecksum } from "../checksum.ts";
import { type BlockFormat, entrySize, fileTypeByte, HEAD_SIZE, putEntryHead, usableBytes } from "./block.ts";
import { HASH_VERSION, type NameHasher, type NameHashing, nameHasher } from "./hash.ts";

// Indexed directories (directory.rst, "Hash Tree Directories"): a tree whose leaves are blocks of entries in
// the order of the hashes of their names. An inner node says from which hash on names lie in which block.
// Blocks are numbered level by level: the root is 0, inner nodes follow, leaves come last.

/** How directories are indexed. */
export interface IndexFormat extends NameHashing {
  /** large_dir: three levels instead of two. */
  readonly mayBeLarge: boolean;
}

/** A child of a directory that has no row. */
export const EXTRA_CHILD = 0xffffffff;

/** The tree of an indexed directory. */
export interface DirectoryIndex {
  /** Rows of the children in the order of their hashes, then of their names; or {@link EXTRA_CHILD}. */
  readonly order: Uint32Array;
  /** Blocks of each level: 1 for the root, those of inner nodes, the leaves. */
  readonly widths: readonly number[];
  /** The end of each leaf in `order`. */
  readonly leafEnds: Uint32Array;
  /** From which hash on names lie in each leaf; odd when names of that hash lie in the leaf before, too. */
  readonly leafHashes: Uint32Array;
}

/**
 * Lays the children of a directory into the leaves of a tree, each filled as far as it goes. A string says
 * why that cannot be.
 */
export function indexDirectory(
  tree: Tree,
  row: number,
  extraName: Uint8Array | undefined,
  format: BlockFormat,
  index: IndexFormat,
): DirectoryIndex | string {
  const hashes = hashChildren(tree, row, extraName, nameHasher(index));
  const order = sortedByHash(hashes);
  const { nameLength } = tree.columns;
  const extraLength = extraName?.length ?? 0;
  const first = firstRow(tree, row, extraName);
  const usable = usableBytes(format);
  const leafEnds: number[] = [];
  const leafHashes: number[] = [];
  let used = usable;
  let lastHash = -1;
  for (let at = 0; at < order.length; at++) {
    const child = order[at]!;
    const hash = hashes[child]!;
    const isExtra = child === 0 && extraName !== undefined;
    const size = entrySize(isExtra ? extraLength : nameLength[first + child]!);
    if (used + size > usable) {
      if (at > 0) leafEnds.push(at);
      leafHashes.push(hash === lastHash ? hash + 1 : hash);
      used = 0;
    }
    used += size;
    lastHash = hash;
    order[at] = isExtra ? EXTRA_CHILD : first + child;
  }
  leafEnds.push(order.length);
  const widths = levelWidths(leafEnds.length, format, index);
  if (typeof widths === "string") return widths;
  return { order, widths, leafEnds: Uint32Array.from(leafEnds), leafHashes: Uint32Array.from(leafHashes) };
}

/** The row of the child with number 0; with an extra child, which comes first, a row too early. */
function firstRow(tree: Tree, row: number, extraName: Uint8Array | undefined): number {
  return tree.columns.firstChild[row]! - (extraName === undefined ? 0 : 1);
}

/** The hash of each child, an extra one first. */
function hashChildren(
  tree: Tree,
  row: number,
  extraName: Uint8Array | undefined,
  hashOf: NameHasher,
): Uint32Array {
  const { firstChild, childCount, nameStart, nameLength, names } = tree.columns;
  const first = firstChild[row]!;
  const count = childCount[row]!;
  const extra = extraName === undefined ? 0 : 1;
  const hashes = new Uint32Array(extra + count);
  if (extraName !== undefined) hashes[0] = hashOf(extraName, 0, extraName.length);
  for (let child = 0; child < count; child++) {
    hashes[extra + child] = hashOf(names, nameStart[first + child]!, nameLength[first + child]!);
  }
  return hashes;
}

const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;

/** The positions of `hashes` in the order of their values, equal ones as they come: a radix sort. */
export function sortedByHash(hashes: Uint32Array): Uint32Array {
  let from = new Uint32Array(hashes.length);
  let to = new Uint32Array(hashes.length);
  for (let at = 0; at < from.length; at++) from[at] = at;
  const starts = new Uint32Array(DIGITS + 1);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    starts.fill(0);
    for (let at = 0; at < hashes.length; at++) starts[((hashes[at]! >>> shift) & (DIGITS - 1)) + 1]!++;
    for (let digit = 0; digit < DIGITS; digit++) starts[digit + 1]! += starts[digit]!;
    for (let at = 0; at < from.length; at++) {
      const position = from[at]!;
      to[starts[(hashes[position]! >>> shift) & (DIGITS - 1)]!++] = position;
    }
    [from, to] = [to, from];
  }
  return from;
}

/** Where the root's entries start: behind "." and "..", of 12 bytes each, and 8 bytes of its own. */
const ROOT_ENTRIES_AT = 32;
/** Where those of other nodes start: behind an unused entry that spans the block for those who know no index. */
const NODE_ENTRIES_AT = 8;
const INDEX_ENTRY_SIZE = 8;
const INFO_LENGTH = 8;

/** The most entries of a node. Its checksum takes the place of one. */
function entryLimit({ blockSize, hasChecksums }: BlockFormat, entriesAt: number): number {
  return Math.floor((blockSize - entriesAt) / INDEX_ENTRY_SIZE) - (hasChecksums ? 1 : 0);
}

/** The blocks of each level above so many leaves, and those; or why there are too many. */
function levelWidths(leaves: number, format: BlockFormat, index: IndexFormat): readonly number[] | string {
  const ofRoot = entryLimit(format, ROOT_ENTRIES_AT);
  const ofNode = entryLimit(format, NODE_ENTRIES_AT);
  const widths = [leaves];
  while (widths[0]! > ofRoot) widths.unshift(Math.ceil(widths[0]! / ofNode));
  widths.unshift(1);
  const inner = index.mayBeLarge ? 2 : 1;
  if (widths.length - 2 <= inner) return widths;
  const remedy = index.mayBeLarge
    ? "spread them over more directories"
    : "use the feature large_dir, or spread them over more directories";
  return `its names take ${leaves} blocks, the limit of the index is ${ofRoot * ofNode ** inner}: ${remedy}`;
}

/** Blocks of a directory with this index. */
export function indexedBlocks({ widths }: DirectoryIndex): number {
  return widths.reduce((sum, width) => sum + width);
}

/** Whose the index is. */
export interface IndexOwner {
  readonly inode: number;
  readonly parentInode: number;
  readonly checksumSeed: number;
}

/** Encodes the root and the inner nodes, in the order of their blocks. */
export function* indexNodes(
  index: DirectoryIndex,
  owner: IndexOwner,
  format: BlockFormat,
  hashing: NameHashing,
): Generator<Uint8Array> {
  const { widths, leafHashes } = index;
  const levels = widths.length - 1;
  const ofNode = entryLimit(format, NODE_ENTRIES_AT);
  let firstOfNext = 0;
  for (let level = 0; level < levels; level++) {
    firstOfNext += widths[level]!;
    const children = widths[level + 1]!;
    const perNode = level === 0 ? children : ofNode;
    const leavesPerChild = ofNode ** (levels - level - 1);
    for (let child = 0; child < children; child += perNode) {
      const block = new Uint8Array(format.blockSize);
      const view = new DataView(block.buffer);
      if (level === 0) putRootHead(view, owner, format, levels - 1, hashing);
      else putEntryHead(view, 0, 0, format.blockSize, 0, 0);
      const entriesAt = level === 0 ? ROOT_ENTRIES_AT : NODE_ENTRIES_AT;
      const count = Math.min(perNode, children - child);
      for (let entry = 0; entry < count; entry++) {
        const at = entriesAt + entry * INDEX_ENTRY_SIZE;
        view.setUint32(at, leafHashes[(child + entry) * leavesPerChild]!, true);
        view.setUint32(at + 4, firstOfNext + child + entry, true);
      }
      finishNode(block, view, entriesAt, count, owner, format);
      yield block;
    }
  }
}

const DOT = 0x2e;
const DOT_SIZE = 12;

/** "." and "..", which spans the rest of the block for those who know no index, and what the tree is like. */
function putRootHead(
  view: DataView,
  { inode, parentInode }: IndexOwner,
  { blockSize, hasFileTypes }: BlockFormat,
  innerLevels: number,
  { hash }: NameHashing,
): void {
  const type = hasFileTypes ? fileTypeByte(fileMode.DIRECTORY) : 0;
  putEntryHead(view, 0, inode, DOT_SIZE, 1, type);
  view.setUint8(HEAD_SIZE, DOT);
  putEntryHead(view, DOT_SIZE, parentInode, blockSize - DOT_SIZE, 2, type);
  view.setUint8(DOT_SIZE + HEAD_SIZE, DOT);
  view.setUint8(DOT_SIZE + HEAD_SIZE + 1, DOT);
  view.setUint8(2 * DOT_SIZE + 4, HASH_VERSION[hash]);
  view.setUint8(2 * DOT_SIZE + 5, INFO_LENGTH);
  view.setUint8(2 * DOT_SIZE + 6, innerLevels);
}

const NO_TAIL = new Uint8Array(8);

/**
 * Counts the entries of a node, in the place of the first one's hash, and signs what is before their end and
 * an empty tail; the entries that are not there do not enter the checksum.
 */
function finishNode(
  block: Uint8Array,
  view: DataView,
  entriesAt: number,
  count: number,
  { checksumSeed }: IndexOwner,
  format: BlockFormat,
): void {
  const limit = entryLimit(format, entriesAt);
  view.setUint16(entriesAt, limit, true);
  view.setUint16(entriesAt + 2, count, true);
  if (!format.hasChecksums) return;
  const entries = block.subarray(0, entriesAt + count * INDEX_ENTRY_SIZE);
  const checksum = ownedChecksum(ownedChecksum(checksumSeed, entries), NO_TAIL);
  view.setUint32(entriesAt + limit * INDEX_ENTRY_SIZE + 4, checksum, true);
}
