import { fileMode, type Tree } from "../tree/index.ts";
import { ownedChecksum } from "./checksum.ts";

// Linear directories (directory.rst, "Linear (Classic) Directories"). Entries do not cross blocks; the last
// one of a block reaches to the tail that holds the checksum.

const HEAD_SIZE = 8;
/** The checksum, dressed as an unused entry so that old readers pass over it. */
const TAIL_SIZE = 12;
const TAIL_TYPE = 0xde;
const DOT = 0x2e;

/** Bytes that an entry with a name of `nameLength` bytes takes. */
export function entrySize(nameLength: number): number {
  return (HEAD_SIZE + nameLength + 3) & ~3;
}

/** Counts the blocks of a directory while the lengths of its names go by, in order. */
export class DirectoryMeasure {
  readonly #usable: number;
  #used = 2 * entrySize(2);
  blocks = 1;

  constructor(blockSize: number) {
    this.#usable = blockSize - TAIL_SIZE;
  }

  add(nameLength: number): void {
    const size = entrySize(nameLength);
    if (this.#used + size > this.#usable) {
      this.blocks++;
      this.#used = 0;
    }
    this.#used += size;
  }
}

/** The byte in a directory entry that says what it names (directory.rst, "ftype"). */
export function fileTypeByte(typeBits: number): number {
  switch (typeBits) {
    case fileMode.FILE:
      return 1;
    case fileMode.DIRECTORY:
      return 2;
    case fileMode.CHARACTER_DEVICE:
      return 3;
    case fileMode.BLOCK_DEVICE:
      return 4;
    case fileMode.FIFO:
      return 5;
    case fileMode.SOCKET:
      return 6;
    case fileMode.SYMLINK:
      return 7;
    default:
      return 0;
  }
}

/** A child of a directory that the tree does not have, such as a made lost+found. */
export interface ExtraChild {
  readonly name: Uint8Array;
  readonly inode: number;
}

/** What the blocks of a directory say. */
export interface DirectoryContents {
  readonly inode: number;
  readonly parentInode: number;
  /** The row of the directory, or `undefined` for one that the tree does not have. */
  readonly row: number | undefined;
  /** A further subdirectory, before the others. */
  readonly extra?: ExtraChild;
  /** Blocks that the directory has; those without entries are empty. */
  readonly blocks: number;
  readonly checksumSeed: number;
}

/** Encodes the blocks of a directory, one after the other. */
export function* directoryBlocks(
  tree: Tree,
  inodeOf: Uint32Array,
  contents: DirectoryContents,
  blockSize: number,
): Generator<Uint8Array> {
  const usable = blockSize - TAIL_SIZE;
  let block = new Uint8Array(blockSize);
  let view = new DataView(block.buffer);
  let used = 0;
  let last = 0;
  let done = 0;

  function put(inode: number, name: Uint8Array, type: number): void {
    const size = entrySize(name.length);
    view.setUint32(used, inode, true);
    view.setUint16(used + 4, size, true);
    block[used + 6] = name.length;
    block[used + 7] = type;
    block.set(name, used + HEAD_SIZE);
    last = used;
    used += size;
  }

  /** Stretches the last entry to the tail, and signs the block. */
  function finish(): Uint8Array {
    view.setUint16(last + 4, usable - last, true);
    view.setUint16(usable + 4, TAIL_SIZE, true);
    block[usable + 7] = TAIL_TYPE;
    view.setUint32(usable + 8, ownedChecksum(contents.checksumSeed, block.subarray(0, usable)), true);
    const finished = block;
    block = new Uint8Array(blockSize);
    view = new DataView(block.buffer);
    used = last = 0;
    done++;
    return finished;
  }

  put(contents.inode, Uint8Array.of(DOT), 2);
  put(contents.parentInode, Uint8Array.of(DOT, DOT), 2);
  if (contents.extra !== undefined) put(contents.extra.inode, contents.extra.name, 2);
  if (contents.row !== undefined) {
    const { firstChild, childCount, nameLength } = tree.columns;
    const first = firstChild[contents.row]!;
    const end = first + childCount[contents.row]!;
    for (let row = first; row < end; row++) {
      if (used + entrySize(nameLength[row]!) > usable) yield finish();
      put(inodeOf[row]!, tree.name(row), fileTypeByte(tree.typeBits(row)));
    }
  }
  while (done < contents.blocks) yield finish();
}
