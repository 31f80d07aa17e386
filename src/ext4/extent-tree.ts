import { ownedChecksum } from "./checksum.ts";
import type { FileMap, Run, Segment } from "./mapping.ts";
import type { SpaceMap } from "./space.ts";
import { EXTENT_MAGIC, LONGEST_EXTENT } from "./structures.ts";

// Extent trees (ifork.rst, "Extent Tree"). The root lies in the inode and holds up to four entries; every
// other node fills a block and, with metadata_csum, ends with a checksum.

const HEADER_SIZE = 12;
const ENTRY_SIZE = 12;

/** Entries that the root in an inode can hold. */
export const ROOT_ENTRIES = 4;

/** Entries that a node in a block of this size can hold. */
export function nodeEntries(blockSize: number): number {
  return Math.floor((blockSize - HEADER_SIZE - 4) / ENTRY_SIZE);
}

/** Called with each run: its first block in the file, its first block on disk, and how many blocks. */
export type ExtentVisitor = (logical: number, physical: number, count: number) => void;

/**
 * Lays the segments of one file from block `first` on, around what is taken, and tells each extent.
 * Returns the block behind the last one.
 */
export function layExtents(
  space: SpaceMap,
  first: number,
  segments: readonly Segment[],
  visit: ExtentVisitor,
): number {
  let cursor = first;
  for (const { logical, count } of segments) {
    for (let done = 0; done < count; ) {
      cursor = space.firstFree(cursor);
      const length = Math.min(count - done, space.freeLength(cursor), LONGEST_EXTENT);
      visit(logical + done, cursor, length);
      cursor += length;
      done += length;
    }
  }
  return cursor;
}

/** How many blocks the tree of so many extents needs beside the inode. */
export function treeBlocks(extents: number, blockSize: number): number {
  let blocks = 0;
  for (let entries = extents; entries > ROOT_ENTRIES; ) {
    entries = Math.ceil(entries / nodeEntries(blockSize));
    blocks += entries;
  }
  return blocks;
}

/**
 * Encodes a tree as shallow as it can be. Leaves come first, then each level above them, in the blocks that
 * `nextBlock` hands out in ascending order. Without a seed the nodes carry no checksum.
 */
export function encodeTree(
  extents: readonly Run[],
  blockSize: number,
  ownSeed: number | undefined,
  nextBlock: () => number,
): FileMap {
  const perNode = nodeEntries(blockSize);
  const nodes: { block: number; bytes: Uint8Array }[] = [];
  let entries = extents;
  let depth = 0;
  while (entries.length > ROOT_ENTRIES) {
    const above: Run[] = [];
    for (let at = 0; at < entries.length; at += perNode) {
      const bytes = new Uint8Array(blockSize);
      const part = entries.slice(at, at + perNode);
      encodeNode(bytes, part, perNode, depth);
      if (ownSeed !== undefined) {
        const tail = HEADER_SIZE + perNode * ENTRY_SIZE;
        new DataView(bytes.buffer).setUint32(tail, ownedChecksum(ownSeed, bytes.subarray(0, tail)), true);
      }
      const block = nextBlock();
      nodes.push({ block, bytes });
      // An entry of an inner node says only where the node below starts.
      above.push({ logical: part[0]!.logical, physical: block, count: 0 });
    }
    entries = above;
    depth++;
  }
  const root = new Uint8Array(HEADER_SIZE + ROOT_ENTRIES * ENTRY_SIZE);
  encodeNode(root, entries, ROOT_ENTRIES, depth);
  return { root, nodes };
}

function encodeNode(bytes: Uint8Array, entries: readonly Run[], maximum: number, depth: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  encodeHeader(view, 0, entries.length, maximum, depth);
  entries.forEach(({ logical, physical, count }, index) => {
    const at = HEADER_SIZE + index * ENTRY_SIZE;
    if (depth === 0) encodeLeaf(view, at, logical, physical, count);
    else {
      view.setUint32(at, logical, true);
      view.setUint32(at + 4, physical % 2 ** 32, true);
      view.setUint16(at + 8, Math.floor(physical / 2 ** 32), true);
    }
  });
}

/** Writes the header of a node. */
export function encodeHeader(
  view: DataView,
  at: number,
  entries: number,
  maximum: number,
  depth: number,
): void {
  view.setUint16(at, EXTENT_MAGIC, true);
  view.setUint16(at + 2, entries, true);
  view.setUint16(at + 4, maximum, true);
  view.setUint16(at + 6, depth, true);
}

/** Writes one extent. */
export function encodeLeaf(
  view: DataView,
  at: number,
  logical: number,
  physical: number,
  count: number,
): void {
  view.setUint32(at, logical, true);
  view.setUint16(at + 4, count, true);
  view.setUint16(at + 6, Math.floor(physical / 2 ** 32), true);
  view.setUint32(at + 8, physical % 2 ** 32, true);
}
