import { ownedChecksum } from "../checksum.ts";
import { EXTENT_MAGIC, LONGEST_EXTENT } from "../structures.ts";
import type { FileRun } from "./blocks.ts";
import type { Frame } from "./frame.ts";
import type { StoredInode } from "./inode.ts";
import { corrupt } from "./problems.ts";

// Extent trees (ifork.rst, "Extent Tree"). The entries of a node ascend, and those of a child lie between the
// entry that points to it and the next one; a tree that keeps to that cannot lead a reader in circles.

const HEADER_SIZE = 12;
const ENTRY_SIZE = 12;
const CHECKSUM_SIZE = 4;
const DEEPEST = 5;
/** A node says that it has room for as many entries as it has bytes, or for up to two fewer. */
const SPARE_ENTRIES = 2;

/** A node that is being gone through. */
interface OpenNode {
  readonly view: DataView;
  readonly depth: number;
  readonly entries: number;
  /** The entry that is next. */
  next: number;
  /** Where in the file this node ends. */
  readonly end: number;
}

/**
 * The runs of a file's blocks that touch those from `from` up to, not including, `to`, in ascending order. `onNode` gets
 * the block of each node before it is read.
 */
export async function* extentRuns(
  frame: Frame,
  inode: StoredInode,
  from: number,
  to: number,
  onNode: (block: number) => void = () => {},
): AsyncGenerator<FileRun> {
  const path = [openNode(inode, inode.block, undefined, 0, 2 ** 32)];
  for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
    if (node.next >= node.entries) {
      path.pop();
      continue;
    }
    const at = HEADER_SIZE + node.next++ * ENTRY_SIZE;
    const logical = node.view.getUint32(at, true);
    if (logical >= to) return;
    const end = node.next < node.entries ? node.view.getUint32(at + ENTRY_SIZE, true) : node.end;
    if (node.depth === 0) {
      const run = leafRun(frame, inode, node.view, at, end);
      if (run.logical + run.count > from) yield run;
      continue;
    }
    if (end <= from) continue;
    const block = node.view.getUint32(at + 4, true) + node.view.getUint16(at + 8, true) * 2 ** 32;
    onNode(block);
    const bytes = await frame.block(block, `a node of the extent tree of inode ${inode.number}`);
    verify(frame, inode, block, bytes);
    path.push(openNode(inode, bytes, node.depth - 1, logical, end));
  }
}

/** The runs of a file whose extents all lie in its inode; `undefined` when there are nodes in blocks. */
export function extentsInInode(frame: Frame, inode: StoredInode): FileRun[] | undefined {
  const { view, depth, entries, end } = openNode(inode, inode.block, undefined, 0, 2 ** 32);
  if (depth > 0) return undefined;
  const runs: FileRun[] = [];
  for (let entry = 0; entry < entries; entry++) {
    const at = HEADER_SIZE + entry * ENTRY_SIZE;
    const next = entry + 1 < entries ? view.getUint32(at + ENTRY_SIZE, true) : end;
    runs.push(leafRun(frame, inode, view, at, next));
  }
  return runs;
}

function leafRun(frame: Frame, inode: StoredInode, view: DataView, at: number, end: number): FileRun {
  const logical = view.getUint32(at, true);
  const length = view.getUint16(at + 4, true);
  const physical = view.getUint16(at + 6, true) * 2 ** 32 + view.getUint32(at + 8, true);
  const isWritten = length <= LONGEST_EXTENT;
  const count = isWritten ? length : length - LONGEST_EXTENT;
  if (count === 0 || logical + count > end)
    throw damaged(inode, `an extent of ${count} blocks at ${logical}`);
  if (!frame.isInside(physical, count)) {
    throw damaged(inode, `it names blocks ${physical} to ${physical + count} of ${frame.blocks}`);
  }
  return { logical, physical, count, isWritten };
}

/** Checks a node before it is used: `start` and `end` say which part of the file it may speak of. */
function openNode(
  inode: StoredInode,
  bytes: Uint8Array,
  expectedDepth: number | undefined,
  start: number,
  end: number,
): OpenNode {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [magic, entries, maximum, depth] = [0, 2, 4, 6].map((at) => view.getUint16(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  const room = Math.floor((bytes.length - HEADER_SIZE) / ENTRY_SIZE);
  if (magic !== EXTENT_MAGIC) throw damaged(inode, "a node has no magic number");
  if (entries > maximum || maximum > room || maximum < room - SPARE_ENTRIES)
    throw damaged(inode, `a node has ${entries} of ${maximum} entries`);
  if (depth > DEEPEST || (expectedDepth !== undefined && depth !== expectedDepth)) {
    throw damaged(inode, `a node has the depth ${depth}`);
  }
  if (entries === 0 && (depth > 0 || expectedDepth !== undefined)) throw damaged(inode, "a node is empty");
  let last = start - 1;
  for (let index = 0; index < entries; index++) {
    const logical = view.getUint32(HEADER_SIZE + index * ENTRY_SIZE, true);
    if (logical <= last || logical >= end) throw damaged(inode, `its entries do not ascend at ${logical}`);
    last = logical;
  }
  return { view, depth, entries, next: 0, end };
}

/** A node in a block ends with a checksum, right behind the most entries that it can have. */
function verify(frame: Frame, inode: StoredInode, block: number, bytes: Uint8Array): void {
  if (!frame.hasChecksums || frame.isVerified(block, inode.number)) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tail = HEADER_SIZE + view.getUint16(4, true) * ENTRY_SIZE;
  const isSound =
    tail + CHECKSUM_SIZE <= bytes.length &&
    view.getUint32(tail, true) === ownedChecksum(inode.seed, bytes.subarray(0, tail));
  if (isSound) frame.markVerified(block, inode.number);
  else {
    frame.problems.add(`inode ${inode.number}: the checksum of its extents in block ${block} does not match`);
  }
}

function damaged(inode: StoredInode, what: string): Error {
  return corrupt(`the extent tree of inode ${inode.number} is damaged: ${what}`);
}
