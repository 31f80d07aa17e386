import { HASH_VERSION, type NameHasher, type NameHashing, nameHasher } from "../directory/hash.ts";
import { INCOMPATIBLE } from "../features.ts";
import { type FileRun, fileRuns } from "../read/blocks.ts";
import { recordLength } from "../read/directory.ts";
import type { Frame } from "../read/frame.ts";
import { READ_FLAG, type StoredInode } from "../read/inode.ts";
import { INODE_FLAG } from "../structures.ts";

// The index of a directory (directory.rst, "Hash Tree Directories"): each of its blocks must be reached once, with the
// names in it that hash to where the index says.

const ROOT_INFO = 0x18;
const ROOT_ENTRIES = 0x20;
const NODE_ENTRIES = 0x08;
const ENTRY_SIZE = 8;
/** Set in the hash of an entry when names of that hash begin in the block before. */
const CONTINUES = 1;
const HASH_END = 2 ** 32;
const SIGNED_HASH = 1;
const UNSIGNED_HASH = 2;

interface IndexWalk {
  readonly frame: Frame;
  readonly inode: StoredInode;
  readonly hasher: NameHasher | undefined;
  readonly blocks: number;
  readonly reached: Set<number>;
  blockOf(logical: number): number | undefined;
  note(what: string): void;
}

/** Checks the index of a directory that has one, whose entries were read before. */
export async function checkIndex(frame: Frame, inode: StoredInode): Promise<void> {
  if ((inode.flags & INODE_FLAG.index) === 0 || (inode.flags & INODE_FLAG.inlineData) !== 0) return;
  const blocks = Math.ceil(inode.size / frame.blockSize);
  const runs: FileRun[] = [];
  for await (const run of fileRuns(frame, inode, 0, blocks)) if (run.isWritten) runs.push(run);
  const note = (what: string): void =>
    frame.problems.add(`the index of directory inode ${inode.number}: ${what}`);
  const root = await blockAt(frame, inode, blockFinder(runs)(0));
  if (root === undefined) {
    note("its root is not there");
    return;
  }
  const version = root.getUint8(ROOT_INFO + 4);
  const levels = root.getUint8(ROOT_INFO + 6);
  const mostLevels = frame.has({ incompatible: INCOMPATIBLE.large_dir }) ? 2 : 1;
  if (root.getUint32(ROOT_INFO, true) !== 0) note("a field that has to be 0 is not");
  if (root.getUint8(ROOT_INFO + 5) < ENTRY_SIZE) {
    note("its head has the wrong length");
    return;
  }
  if (levels > mostLevels) {
    note(`it has ${levels} levels of nodes, there can be ${mostLevels}`);
    return;
  }
  const walk: IndexWalk = {
    frame,
    inode,
    hasher: hasherOf(frame, inode, version),
    blocks,
    reached: new Set([0]),
    blockOf: blockFinder(runs),
    note,
  };
  if (version > 6) note(`it has the unknown hash ${version}`);
  await checkNode(walk, root, ROOT_ENTRIES, levels, 0, HASH_END);
  if (walk.reached.size < blocks) note(`${blocks - walk.reached.size} blocks of names are not in it`);
}

/** Checks the entries of a node, and those of the nodes below. */
async function checkNode(
  walk: IndexWalk,
  node: DataView,
  entriesAt: number,
  levels: number,
  from: number,
  to: number,
): Promise<void> {
  const limit = node.getUint16(entriesAt, true);
  const count = node.getUint16(entriesAt + 2, true);
  const tail = walk.frame.hasChecksums ? ENTRY_SIZE : 0;
  const room = Math.floor((node.byteLength - entriesAt - tail) / ENTRY_SIZE);
  if (limit !== room || count < 1 || count > limit) {
    walk.note(`a node has ${count} of ${limit} entries, it has room for ${room}`);
    return;
  }
  const start = (entry: number): number =>
    entry === 0 ? from : node.getUint32(entriesAt + entry * ENTRY_SIZE, true);
  for (let entry = 0; entry < count; entry++) {
    const first = start(entry);
    const end = entry + 1 < count ? start(entry + 1) : to;
    if (end < first || end > to) {
      walk.note("the hashes of a node do not ascend");
      return;
    }
    const logical = node.getUint32(entriesAt + entry * ENTRY_SIZE + 4, true) & 0x0fffffff;
    if (logical >= walk.blocks || walk.reached.has(logical)) {
      walk.note(`block ${logical} is ${logical >= walk.blocks ? "not there" : "in it twice"}`);
      return;
    }
    walk.reached.add(logical);
    const block = await blockAt(walk.frame, walk.inode, walk.blockOf(logical));
    if (block === undefined) {
      walk.note(`block ${logical} is not there`);
      return;
    }
    if (levels > 0) await checkNode(walk, block, NODE_ENTRIES, levels - 1, first, end);
    else checkNames(walk, block, logical, first, end);
  }
}

/** Checks that the names of a block hash to where the index has it. */
function checkNames(
  { hasher, note }: IndexWalk,
  block: DataView,
  logical: number,
  from: number,
  to: number,
): void {
  if (hasher === undefined) return;
  const bytes = new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
  // The names of one hash may fill several blocks: then the first of the next block is that of the last here.
  const last = to % 2 === CONTINUES ? to - CONTINUES : to - 1;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = recordLength(block.getUint16(at + 4, true), bytes.length);
    if (length < 8) return;
    if (block.getUint32(at, true) !== 0) {
      const hash = hasher(bytes, at + 8, bytes[at + 6]!);
      if (hash < from - (from % 2) || hash > last) {
        note(`block ${logical} has a name that belongs into another block`);
        return;
      }
    }
    at += length;
  }
}

/** The hash of names; `undefined` when it cannot be told, as with names that are encrypted or folded. */
function hasherOf({ superblock }: Frame, { flags }: StoredInode, version: number): NameHasher | undefined {
  const names = Object.keys(HASH_VERSION) as NameHashing["hash"][];
  const hash = names.find((name) => HASH_VERSION[name] === version);
  const isKnown = (superblock.flags & (SIGNED_HASH | UNSIGNED_HASH)) !== 0;
  if (hash === undefined || !isKnown || (flags & READ_FLAG.casefolded) !== 0) return undefined;
  return nameHasher({ hash, seed: superblock.hashSeed, isSigned: (superblock.flags & UNSIGNED_HASH) === 0 });
}

/** Finds the block of the filesystem for a block of the directory. */
function blockFinder(runs: readonly FileRun[]): (logical: number) => number | undefined {
  return (logical) => {
    let [low, high] = [0, runs.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (runs[middle]!.logical <= logical) low = middle;
      else high = middle - 1;
    }
    const run = runs[low];
    const isIn = run !== undefined && logical >= run.logical && logical < run.logical + run.count;
    return isIn ? run.physical + logical - run.logical : undefined;
  };
}

async function blockAt(
  frame: Frame,
  inode: StoredInode,
  block: number | undefined,
): Promise<DataView | undefined> {
  if (block === undefined) return undefined;
  const bytes = await frame.block(block, `the index of directory inode ${inode.number}`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
