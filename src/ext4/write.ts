import { bytesExtent, type Content, type Extent, merged } from "../extents/index.ts";
import { fileMode } from "../tree/index.ts";
import { fillBlockBitmap, fillInodeBitmap } from "./bitmap.ts";
import { inodeSeed } from "./checksum.ts";
import { type DirectoryContents, directoryBlocks } from "./directory.ts";
import {
  type ExtentTree,
  encodeHeader,
  encodeLeaf,
  encodeTree,
  layExtents,
  ROOT_ENTRIES,
  type Segment,
  treeBlocks,
} from "./extent-tree.ts";
import { groupStart, hasSuperblock } from "./geometry.ts";
import { encodeGroups, type GroupTable } from "./groups.ts";
import { BLOCK_OFFSET, encodeDevice, encodeInode, type InodeValues, signInode } from "./inode.ts";
import { LOST_AND_FOUND } from "./inventory.ts";
import { contentSegments } from "./placement.ts";
import { type Ext4Plan, rowOfInode } from "./plan.ts";
import { FIRST_INODE, INODE_SIZE, LONGEST_EXTENT, ROOT_INODE, SUPERBLOCK_OFFSET } from "./structures.ts";
import { encodeSuperblock } from "./superblock.ts";
import { EARLIEST_TIME, LATEST_TIME } from "./time.ts";

/** Metadata is handed out in pieces of about this many bytes. */
const PIECE = 64 * 1024;

/** The extents of the filesystem, in ascending order: metadata and content in one sweep. */
export function writeExt4(plan: Ext4Plan): Iterable<Extent> {
  return merged(metadataExtents(plan), contentExtents(plan));
}

interface Piece {
  readonly block: number;
  readonly extents: () => Iterable<Extent>;
}

function* metadataExtents(plan: Ext4Plan): Generator<Extent> {
  const cut = plan.geometry;
  const { blockSize } = cut;
  const groups = encodeGroups(plan);
  const pieces: Piece[] = [];
  for (let group = 0; group < cut.groups; group++) {
    if (hasSuperblock(group)) {
      const block = groupStart(cut, group);
      pieces.push({ block, extents: () => superblockExtents(plan, groups, group) });
    }
    const { blockBitmap, inodeBitmap, inodeTable } = cut.metadata[group]!;
    const bitmapPiece = (block: number, fill: (bitmap: Uint8Array) => unknown): Piece => ({
      block,
      extents: () => {
        const bitmap = new Uint8Array(blockSize);
        fill(bitmap);
        return [bytesExtent(block * blockSize, bitmap)];
      },
    });
    if (groups.hasBlockBitmap[group]) {
      pieces.push(
        bitmapPiece(blockBitmap, (bitmap) => fillBlockBitmap(bitmap, cut, group, plan.placement.end)),
      );
    }
    const used = groups.usedInodes[group]!;
    if (used === 0) continue;
    pieces.push(bitmapPiece(inodeBitmap, (bitmap) => fillInodeBitmap(bitmap, cut, used)));
    pieces.push({ block: inodeTable, extents: () => inodeTableExtents(plan, group, used) });
  }
  pieces.sort((a, b) => a.block - b.block);
  for (const piece of pieces) yield* piece.extents();
}

function* superblockExtents(plan: Ext4Plan, groups: GroupTable, group: number): Generator<Extent> {
  const { blockSize } = plan.geometry;
  const position = groupStart(plan.geometry, group) * blockSize;
  // The first kilobyte of the filesystem belongs to boot code; only copies start at their block.
  const offset = group === 0 ? SUPERBLOCK_OFFSET - position : 0;
  yield bytesExtent(position + offset, encodeSuperblock(plan, group));
  yield bytesExtent(position + blockSize, groups.bytes);
}

/** The inode table of a group, as far as its inodes are in use; the rest is a hole. */
function* inodeTableExtents(plan: Ext4Plan, group: number, used: number): Generator<Extent> {
  const cut = plan.geometry;
  const first = group * cut.inodesPerGroup + 1;
  const start = cut.metadata[group]!.inodeTable * cut.blockSize;
  const perPiece = PIECE / INODE_SIZE;
  for (let done = 0; done < used; done += perPiece) {
    const count = Math.min(perPiece, used - done);
    const bytes = new Uint8Array(count * INODE_SIZE);
    const view = new DataView(bytes.buffer);
    for (let index = 0; index < count; index++)
      writeInode(plan, first + done + index, bytes, view, index * INODE_SIZE);
    yield bytesExtent(start + done * INODE_SIZE, bytes);
  }
}

function writeInode(plan: Ext4Plan, inode: number, bytes: Uint8Array, view: DataView, at: number): void {
  const { tree, inventory } = plan;
  const row = rowOfInode(inventory, inode);
  if (row === undefined) {
    // Reserved inodes stay zero; a lost+found that the tree does not have is made.
    if (inode !== FIRST_INODE) return;
    encodeInode(view, at, lostAndFoundInode(plan));
    bytes.set(extentTreeOf(plan, inode, undefined).root, at + BLOCK_OFFSET);
  } else {
    const type = tree.typeBits(row);
    const target = type === fileMode.SYMLINK ? tree.target(row) : undefined;
    const device = tree.device(row);
    const isFast = target !== undefined && inventory.blocks[row] === 0;
    const hasExtents =
      type === fileMode.FILE || type === fileMode.DIRECTORY || (target !== undefined && !isFast);
    let nodes = 0;
    if (hasExtents) nodes = writeExtentRoot(plan, inode, row, bytes, view, at + BLOCK_OFFSET);
    else if (target !== undefined) bytes.set(target, at + BLOCK_OFFSET);
    else if (device !== undefined) encodeDevice(view, at, device);
    encodeInode(view, at, inodeValues(plan, row, type, hasExtents, nodes));
  }
  signInode(bytes, view, at, plan.checksumSeed, inode);
}

/** Writes the root of an entry's extent tree, and returns how many blocks its other nodes take. */
function writeExtentRoot(
  plan: Ext4Plan,
  inode: number,
  row: number,
  bytes: Uint8Array,
  view: DataView,
  at: number,
): number {
  const { inventory, geometry: cut, tree } = plan;
  const count = inventory.blocks[row]!;
  const first = plan.placement.firstBlock[row]!;
  // Nearly every entry is in one piece; it needs no tree to be built.
  if (count === 0) {
    encodeHeader(view, at, 0, ROOT_ENTRIES, 0);
  } else if (
    count <= LONGEST_EXTENT &&
    tree.data(row) === undefined &&
    cut.space.freeLength(first) >= count
  ) {
    encodeHeader(view, at, 1, ROOT_ENTRIES, 0);
    encodeLeaf(view, at + 12, 0, first, count);
  } else {
    const built = extentTreeOf(plan, inode, row);
    bytes.set(built.root, at);
    return built.nodes.length;
  }
  return 0;
}

function inodeValues(
  plan: Ext4Plan,
  row: number,
  type: number,
  hasExtents: boolean,
  nodes: number,
): InodeValues {
  const { tree, inventory, time } = plan;
  const { columns } = tree;
  const { blockSize } = plan.geometry;
  const blocks = inventory.blocks[row]!;
  const isClamped = time !== undefined && columns.mtimeSeconds[row]! >= time;
  const seconds = isClamped ? time : columns.mtimeSeconds[row]!;
  const isFile = type === fileMode.FILE || type === fileMode.SYMLINK;
  return {
    mode: columns.mode[row]!,
    uid: columns.uid[row]!,
    gid: columns.gid[row]!,
    size: isFile ? columns.size[row]! : blocks * blockSize,
    links: type === fileMode.DIRECTORY ? directoryLinks(plan, row) : tree.linkCount(row),
    seconds: Math.min(Math.max(seconds, EARLIEST_TIME), LATEST_TIME),
    nanoseconds:
      isClamped || seconds < EARLIEST_TIME || seconds > LATEST_TIME ? 0 : columns.mtimeNanoseconds[row]!,
    sectors: (blocks + nodes) * (blockSize / 512),
    hasExtents,
  };
}

/** Its own name, its ".", and the ".." of each subdirectory. */
function directoryLinks(plan: Ext4Plan, row: number): number {
  const { tree, inventory } = plan;
  const { firstChild, childCount } = tree.columns;
  const first = firstChild[row]!;
  let links = row === 0 && inventory.lostAndFoundRow === undefined ? 3 : 2;
  for (let child = first; child < first + childCount[row]!; child++) if (tree.isDirectory(child)) links++;
  return links;
}

function lostAndFoundInode(plan: Ext4Plan): InodeValues {
  const { blockSize } = plan.geometry;
  const blocks = plan.inventory.lostAndFoundBlocks;
  return {
    mode: fileMode.DIRECTORY | 0o700,
    uid: 0,
    gid: 0,
    size: blocks * blockSize,
    links: 2,
    seconds: plan.time ?? 0,
    nanoseconds: 0,
    sectors: blocks * (blockSize / 512),
    hasExtents: true,
  };
}

/** A run of an entry's blocks: the first in the file, the first on disk, how many. */
interface Run {
  readonly logical: number;
  readonly physical: number;
  readonly count: number;
}

function runsOf(plan: Ext4Plan, row: number | undefined): { readonly runs: Run[]; readonly end: number } {
  const first = row === undefined ? plan.placement.lostAndFound : plan.placement.firstBlock[row]!;
  const segments: readonly Segment[] =
    row === undefined
      ? [{ logical: 0, count: plan.inventory.lostAndFoundBlocks }]
      : contentSegments(plan.inventory, row);
  const runs: Run[] = [];
  const end = layExtents(plan.geometry.space, first, segments, (logical, physical, count) => {
    runs.push({ logical, physical, count });
  });
  return { runs, end };
}

function extentTreeOf(plan: Ext4Plan, inode: number, row: number | undefined): ExtentTree {
  const { space, blockSize } = plan.geometry;
  const { runs, end } = runsOf(plan, row);
  let cursor = end;
  return encodeTree(runs, blockSize, inodeSeed(plan.checksumSeed, inode, 0), () => {
    const block = space.firstFree(cursor);
    cursor = block + 1;
    return block;
  });
}

function* contentExtents(plan: Ext4Plan): Generator<Extent> {
  const { tree, inventory } = plan;
  yield* directoryExtents(plan, inventory.lostAndFoundRow);
  for (const row of inventory.order) {
    if (row === inventory.lostAndFoundRow) continue;
    if (tree.isFile(row)) yield* fileExtents(plan, row);
    else if (tree.isDirectory(row)) yield* directoryExtents(plan, row);
    else yield bytesExtent(plan.placement.firstBlock[row]! * plan.geometry.blockSize, tree.target(row));
  }
}

/** The blocks of a directory; without a row, those of a lost+found that the tree does not have. */
function* directoryExtents(plan: Ext4Plan, row: number | undefined): Generator<Extent> {
  const { tree, inventory } = plan;
  const { blockSize } = plan.geometry;
  const inode = row === undefined ? FIRST_INODE : inventory.inodeOf[row]!;
  const isRootWithout = row === 0 && inventory.lostAndFoundRow === undefined;
  const contents: DirectoryContents = {
    inode,
    parentInode: row === undefined ? ROOT_INODE : inventory.inodeOf[tree.columns.parent[row]!]!,
    row,
    blocks: row === undefined ? inventory.lostAndFoundBlocks : inventory.blocks[row]!,
    checksumSeed: inodeSeed(plan.checksumSeed, inode, 0),
    ...(isRootWithout ? { extra: { name: LOST_AND_FOUND, inode: FIRST_INODE } } : {}),
  };
  const blocks = directoryBlocks(tree, inventory.inodeOf, contents, blockSize);
  const { runs } = runsOf(plan, row);
  for (const { physical, count } of runs) {
    for (let index = 0; index < count; index++) {
      yield bytesExtent((physical + index) * blockSize, blocks.next().value as Uint8Array);
    }
  }
  yield* treeExtents(plan, inode, row, runs.length);
}

function* fileExtents(plan: Ext4Plan, row: number): Generator<Extent> {
  const { tree, geometry: cut } = plan;
  const { blockSize } = cut;
  const content: Content = tree.content(row);
  const size = tree.columns.size[row]!;
  const first = plan.placement.firstBlock[row]!;
  if (tree.data(row) === undefined && cut.space.freeLength(first) * blockSize >= size && size <= SMALL_FILE) {
    yield { position: first * blockSize, length: size, source: content, offset: 0 };
    return;
  }
  const { runs } = runsOf(plan, row);
  for (const { logical, physical, count } of runs) {
    const offset = logical * blockSize;
    const length = Math.min(count * blockSize, size - offset);
    yield { position: physical * blockSize, length, source: content, offset };
  }
  yield* treeExtents(plan, plan.inventory.inodeOf[row]!, row, runs.length);
}

/** Below this a file in one piece is one extent whatever the block size. */
const SMALL_FILE = 1024 * LONGEST_EXTENT;

/** The nodes of an extent tree that do not fit into the inode. */
function* treeExtents(
  plan: Ext4Plan,
  inode: number,
  row: number | undefined,
  extents: number,
): Generator<Extent> {
  const { blockSize } = plan.geometry;
  if (treeBlocks(extents, blockSize) === 0) return;
  for (const { block, bytes } of extentTreeOf(plan, inode, row).nodes)
    yield bytesExtent(block * blockSize, bytes);
}
