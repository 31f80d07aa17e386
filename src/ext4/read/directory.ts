import { byteKey, printable } from "../../bytes/index.ts";
import { type EntryType, fileMode } from "../../tree/index.ts";
import { ownedChecksum } from "../checksum.ts";
import { INCOMPATIBLE } from "../features.ts";
import { INODE_FLAG } from "../structures.ts";
import { fileRuns } from "./blocks.ts";
import type { Frame } from "./frame.ts";
import { inlineParts, isInline } from "./inline.ts";
import { READ_FLAG, type StoredInode } from "./inode.ts";
import { corrupt, unreadable } from "./problems.ts";

// Directories (directory.rst). All blocks of one are read in their order: to those who know no index, its
// inner nodes are unused entries. An index is checked, but not searched.

/** What a name in a directory leads to. */
export interface DirectoryChild {
  readonly inode: number;
  /** What the directory says that it is, where it says so. */
  readonly type: Exclude<EntryType, "hardlink"> | undefined;
}

/** The names of a directory. */
export interface DirectoryListing {
  /** By name, as a string of one character for each byte, in the order of the directory. */
  readonly children: ReadonlyMap<string, DirectoryChild>;
  /** The inode that ".." leads to, where it is stored. */
  readonly parent: number | undefined;
  /** Blocks that it was read from. */
  readonly blocks: number;
}

const HEAD_SIZE = 8;
/** An entry has room for a name of one byte, and ends at a multiple of four. */
const SHORTEST_ENTRY = 12;
const TAIL_SIZE = 12;
const TAIL_TYPE = 0xde;
const DOT = ".";
const DOTS = "..";
const INLINE_PARENT_SIZE = 4;

/** Types by the number of the directory entry (directory.rst, "ftype"). */
const TYPES = [undefined, "file", "directory", "character", "block", "fifo", "socket", "symlink"] as const;

/** How a directory is read. */
export interface DirectoryOptions {
  /** Whether names that are encrypted are taken as the bytes that they are. Default: they are refused. */
  readonly isEncryptedRead?: boolean;
}

/**
 * Reads a directory.
 *
 * @throws DiskwrightError `CORRUPT`, `SOURCE_UNREADABLE` when its names are encrypted.
 */
export async function readDirectory(
  frame: Frame,
  inode: StoredInode,
  { isEncryptedRead = false }: DirectoryOptions = {},
): Promise<DirectoryListing> {
  if ((inode.mode & fileMode.TYPE_MASK) !== fileMode.DIRECTORY) {
    throw corrupt(`inode ${inode.number} should be a directory, but has the mode 0${inode.mode.toString(8)}`);
  }
  if ((inode.flags & READ_FLAG.encrypted) !== 0 && !isEncryptedRead) {
    throw unreadable(
      `directory inode ${inode.number} is encrypted (feature encrypt): its names cannot be read`,
    );
  }
  const names = new NameCollector(frame, inode);
  return isInline(frame, inode) ? readInline(inode, names) : await readBlocks(frame, inode, names);
}

async function readBlocks(frame: Frame, inode: StoredInode, names: NameCollector): Promise<DirectoryListing> {
  const { blockSize } = frame;
  const total = Math.ceil(inode.size / blockSize);
  const seen = new Set<number>();
  for await (const { logical, physical, count, isWritten } of fileRuns(frame, inode, 0, total)) {
    if (!isWritten) continue;
    const last = Math.min(count, total - logical);
    for (let index = 0; index < last; index++) {
      const block = physical + index;
      // Otherwise a small image could make a directory of billions of names.
      if (seen.has(block)) throw corrupt(`directory inode ${inode.number} has block ${block} twice`);
      seen.add(block);
      const number = logical + index;
      const bytes = await frame.block(block, `block ${number} of directory inode ${inode.number}`);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      if (frame.hasChecksums) verifyBlock(frame, inode, number, bytes, view);
      if (number === 0) names.checkDots(view);
      names.collect(bytes, 0, blockSize, `block ${number}`);
    }
  }
  if (seen.size < total) {
    frame.problems.add(`directory inode ${inode.number} has ${total} blocks, but ${total - seen.size} lack`);
  }
  return names.finish(seen.size);
}

/** An inline directory begins with its parent; neither "." nor ".." is stored. */
function readInline(inode: StoredInode, names: NameCollector): DirectoryListing {
  const [first, second] = inlineParts(inode);
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  names.parent = view.getUint32(0, true);
  names.collect(first, INLINE_PARENT_SIZE, first.length, "the first inline part");
  names.collect(second, 0, second.length, "the second inline part");
  return names.finish(0);
}

/** Takes the names out of the blocks of a directory, and checks each before it is used. */
class NameCollector {
  parent: number | undefined;
  readonly #frame: Frame;
  readonly #inode: StoredInode;
  readonly #hasTypes: boolean;
  readonly #isEncrypted: boolean;
  readonly #children = new Map<string, DirectoryChild>();

  constructor(frame: Frame, inode: StoredInode) {
    this.#frame = frame;
    this.#inode = inode;
    this.#hasTypes = frame.has({ incompatible: INCOMPATIBLE.filetype });
    this.#isEncrypted = (inode.flags & READ_FLAG.encrypted) !== 0;
  }

  /** The first two entries of the first block are "." and "..". */
  checkDots(view: DataView): void {
    const { problems, blockSize } = this.#frame;
    const isDot = (at: number, length: number): boolean => {
      const name = Array.from({ length }, (_, index) => view.getUint8(at + HEAD_SIZE + index));
      return (
        view.getUint32(at, true) !== 0 &&
        view.getUint8(at + 6) === length &&
        name.every((byte) => byte === 0x2e)
      );
    };
    const second = recordLength(view.getUint16(4, true), blockSize);
    const isSound = isDot(0, 1) && second <= blockSize - SHORTEST_ENTRY && isDot(second, 2);
    if (!isSound) problems.add(`directory inode ${this.#inode.number} does not begin with "." and ".."`);
  }

  /** Takes the entries from `start` to `end`, which must fill that range exactly. */
  collect(bytes: Uint8Array, start: number, end: number, where: string): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = start; at < end; ) {
      if (at + HEAD_SIZE > end) throw this.#damaged(where, at, "an entry does not fit");
      const child = view.getUint32(at, true);
      const length = recordLength(view.getUint16(at + 4, true), this.#frame.blockSize);
      // Without types the length of a name has two bytes.
      const nameLength = this.#hasTypes ? bytes[at + 6]! : view.getUint16(at + 6, true);
      if (length < SHORTEST_ENTRY || length % 4 !== 0 || at + length > end) {
        throw this.#damaged(where, at, `an entry of ${length} bytes`);
      }
      if (child !== 0) {
        if (nameLength === 0 || nameLength > 255 || HEAD_SIZE + nameLength > length) {
          throw this.#damaged(where, at, `a name of ${nameLength} bytes in an entry of ${length}`);
        }
        const name = bytes.subarray(at + HEAD_SIZE, at + HEAD_SIZE + nameLength);
        const type = this.#hasTypes ? TYPES[bytes[at + 7]!] : undefined;
        if (this.#hasTypes && type === undefined) this.#noteType(name, bytes[at + 7]!);
        this.#add(name, child, type, where, at);
      }
      at += length;
    }
  }

  finish(blocks: number): DirectoryListing {
    if (this.parent === undefined) {
      this.#frame.problems.add(`directory inode ${this.#inode.number} has no ".."`);
    }
    return { children: this.#children, parent: this.parent, blocks };
  }

  #noteType(name: Uint8Array, type: number): void {
    this.#frame.problems.add(
      `directory inode ${this.#inode.number}: "${printable(name)}" has the unknown type ${type}`,
    );
  }

  #add(name: Uint8Array, inode: number, type: DirectoryChild["type"], where: string, at: number): void {
    const { superblock, problems } = this.#frame;
    const own = this.#inode.number;
    const key = byteKey(name);
    if (key === DOT) {
      if (inode !== own) problems.add(`directory inode ${own}: "." leads to inode ${inode}`);
    } else if (key === DOTS) this.parent = inode;
    // Names become paths of whoever extracts them.
    else if (!this.#isEncrypted && (name.includes(0x2f) || name.includes(0))) {
      throw this.#damaged(where, at, `the impossible name "${printable(name)}"`);
    } else if (inode > superblock.inodesCount) {
      throw this.#damaged(where, at, `"${printable(name)}" leads to inode ${inode}, which there is not`);
    } else if (this.#children.has(key)) {
      // A kernel finds the first one.
      problems.add(`directory inode ${own} has the name "${printable(name)}" twice`);
    } else this.#children.set(key, { inode, type });
  }

  #damaged(where: string, at: number, what: string): Error {
    return corrupt(
      `directory inode ${this.#inode.number} is damaged in ${where} at byte ${at}: it has ${what}`,
    );
  }
}

/** 16 bits say how long an entry is; in blocks of 64 KiB their lowest two stand for the bits above them. */
export function recordLength(stored: number, blockSize: number): number {
  if (blockSize < 65536) return stored;
  if (stored === 65535 || stored === 0) return blockSize;
  return (stored & 0xfffc) | ((stored & 3) << 16);
}

function verifyBlock(
  frame: Frame,
  inode: StoredInode,
  number: number,
  bytes: Uint8Array,
  view: DataView,
): void {
  const isIndexed = (inode.flags & INODE_FLAG.index) !== 0;
  // A leaf with a checksum never has an entry that spans its whole block.
  const isNode =
    isIndexed && (number === 0 || recordLength(view.getUint16(4, true), bytes.length) === bytes.length);
  const isSound = isNode ? isNodeSound(inode, number, bytes, view) : isLeafSound(inode, bytes, view);
  if (isSound) return;
  frame.problems.add(`block ${number} of directory inode ${inode.number}: its checksum does not match`);
}

function isLeafSound(inode: StoredInode, bytes: Uint8Array, view: DataView): boolean {
  const tail = bytes.length - TAIL_SIZE;
  return (
    view.getUint32(tail, true) === 0 &&
    view.getUint16(tail + 4, true) === TAIL_SIZE &&
    view.getUint16(tail + 6, true) === TAIL_TYPE << 8 &&
    view.getUint32(tail + 8, true) === ownedChecksum(inode.seed, bytes.subarray(0, tail))
  );
}

const ROOT_ENTRIES_AT = 0x20;
const NODE_ENTRIES_AT = 0x08;
const INDEX_ENTRY_SIZE = 8;
const NO_CHECKSUM = new Uint8Array(4);

/** A node is signed as far as it has entries; its checksum lies behind the most that it can have. */
function isNodeSound(inode: StoredInode, number: number, bytes: Uint8Array, view: DataView): boolean {
  const entriesAt = number === 0 ? ROOT_ENTRIES_AT : NODE_ENTRIES_AT;
  const limit = view.getUint16(entriesAt, true);
  const count = view.getUint16(entriesAt + 2, true);
  const tail = entriesAt + limit * INDEX_ENTRY_SIZE;
  if (count > limit || tail + INDEX_ENTRY_SIZE > bytes.length) return false;
  let register = ownedChecksum(inode.seed, bytes.subarray(0, entriesAt + count * INDEX_ENTRY_SIZE));
  register = ownedChecksum(register, bytes.subarray(tail, tail + 4));
  return view.getUint32(tail + 4, true) === ownedChecksum(register, NO_CHECKSUM);
}
