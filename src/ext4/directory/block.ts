import { fileMode } from "../../tree/index.ts";
import { ownedChecksum } from "../checksum.ts";

// Blocks of directory entries (directory.rst, "Linear (Classic) Directories"). Entries do not cross blocks;
// the last one of a block reaches to its end, or to the tail that holds the checksum.

/** Bytes of an entry before its name. */
export const HEAD_SIZE = 8;
/** The checksum, dressed as an unused entry so that old readers pass over it. */
const TAIL_SIZE = 12;
const TAIL_TYPE = 0xde;

/** What every block of a directory depends on. */
export interface BlockFormat {
  readonly blockSize: number;
  /** metadata_csum: blocks end with a checksum. */
  readonly hasChecksums: boolean;
  /** The feature `filetype`: entries say what they name; otherwise that byte is 0. */
  readonly hasFileTypes: boolean;
}

/** Bytes that an entry with a name of `nameLength` bytes takes. */
export function entrySize(nameLength: number): number {
  return (HEAD_SIZE + nameLength + 3) & ~3;
}

/** Bytes of a block that entries can take. */
export function usableBytes({ blockSize, hasChecksums }: BlockFormat): number {
  return hasChecksums ? blockSize - TAIL_SIZE : blockSize;
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

/** Writes what comes before the name of an entry of `size` bytes. */
export function putEntryHead(
  view: DataView,
  at: number,
  inode: number,
  size: number,
  nameLength: number,
  type: number,
): void {
  view.setUint32(at, inode, true);
  view.setUint16(at + 4, size, true);
  view.setUint8(at + 6, nameLength);
  view.setUint8(at + 7, type);
}

/** Fills blocks with entries, one after the other. */
export class EntryBlocks {
  readonly #format: BlockFormat;
  readonly #checksumSeed: number;
  readonly #usable: number;
  #block: Uint8Array;
  #view: DataView;
  /** Where the last entry starts, and where it ends. */
  #last = 0;
  #end = 0;

  constructor(format: BlockFormat, checksumSeed: number) {
    this.#format = format;
    this.#checksumSeed = checksumSeed;
    this.#usable = usableBytes(format);
    this.#block = new Uint8Array(format.blockSize);
    this.#view = new DataView(this.#block.buffer);
  }

  /** Whether the block has room for a name of so many bytes. */
  fits(nameLength: number): boolean {
    return this.#end + entrySize(nameLength) <= this.#usable;
  }

  /** Adds an entry that {@link fits}; the name lies at `start` of `names`. */
  put(inode: number, typeBits: number, names: Uint8Array, start: number, length: number): void {
    const type = this.#format.hasFileTypes ? fileTypeByte(typeBits) : 0;
    const size = entrySize(length);
    const at = this.#end;
    putEntryHead(this.#view, at, inode, size, length, type);
    // Names are short: a loop is quicker than a view of each.
    for (let index = 0; index < length; index++) this.#block[at + HEAD_SIZE + index] = names[start + index]!;
    this.#last = at;
    this.#end = at + size;
  }

  /** Hands out the block with what it has, which may be nothing, and begins the next one. */
  finish(): Uint8Array {
    const block = this.#block;
    const view = this.#view;
    const usable = this.#usable;
    view.setUint16(this.#last + 4, usable - this.#last, true);
    if (this.#format.hasChecksums) {
      view.setUint16(usable + 4, TAIL_SIZE, true);
      block[usable + 7] = TAIL_TYPE;
      view.setUint32(usable + 8, ownedChecksum(this.#checksumSeed, block.subarray(0, usable)), true);
    }
    this.#block = new Uint8Array(block.length);
    this.#view = new DataView(this.#block.buffer);
    this.#last = this.#end = 0;
    return block;
  }
}
