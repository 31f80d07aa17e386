import type { Device } from "../tree/index.ts";
import { fileMode } from "../tree/index.ts";
import { inodeSeed, ownedChecksum } from "./checksum.ts";
import { EXTRA_INODE_SIZE, INODE_FLAG, INODE_SIZE, MAXIMUM_LINKS } from "./structures.ts";
import { timeExtra, timeLow } from "./time.ts";

/** Where the 60 bytes of `i_block` start in an inode. */
export const BLOCK_OFFSET = 0x28;

/** What an inode says. Sizes are in bytes, times in seconds and nanoseconds since 1970. */
export interface InodeValues {
  /** Type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Names that it has. */
  readonly links: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Blocks of content and of the extent tree, in units of 512 bytes. */
  readonly sectors: number;
  /** Whether `i_block` holds an extent tree. */
  readonly hasExtents: boolean;
}

/**
 * Writes inode number `inode` at `at`, but for its `i_block`, which the caller fills before it signs the
 * inode with {@link signInode}. The four times are all that of the last change: the others would differ
 * from run to run. The bytes must be zero before.
 */
export function encodeInode(view: DataView, at: number, values: InodeValues): void {
  const { mode, uid, gid, size, seconds, nanoseconds, sectors } = values;
  const low = timeLow(seconds);
  const extra = timeExtra(seconds, nanoseconds);
  view.setUint16(at, mode, true);
  view.setUint16(at + 0x02, uid & 0xffff, true);
  view.setUint32(at + 0x04, size % 2 ** 32, true);
  view.setUint32(at + 0x08, low, true);
  view.setUint32(at + 0x0c, low, true);
  view.setUint32(at + 0x10, low, true);
  view.setUint16(at + 0x18, gid & 0xffff, true);
  view.setUint16(at + 0x1a, linksField(mode, values.links), true);
  view.setUint32(at + 0x1c, sectors % 2 ** 32, true);
  view.setUint32(at + 0x20, values.hasExtents ? INODE_FLAG.extents : 0, true);
  view.setUint32(at + 0x6c, Math.floor(size / 2 ** 32), true);
  view.setUint16(at + 0x74, Math.floor(sectors / 2 ** 32), true);
  view.setUint16(at + 0x78, uid >>> 16, true);
  view.setUint16(at + 0x7a, gid >>> 16, true);
  view.setUint16(at + 0x80, EXTRA_INODE_SIZE, true);
  view.setUint32(at + 0x84, extra, true);
  view.setUint32(at + 0x88, extra, true);
  view.setUint32(at + 0x8c, extra, true);
  view.setUint32(at + 0x90, low, true);
  view.setUint32(at + 0x94, extra, true);
}

/** A directory with more subdirectories than the field can count says 1 (dir_nlink). */
function linksField(mode: number, links: number): number {
  const isDirectory = (mode & fileMode.TYPE_MASK) === fileMode.DIRECTORY;
  return isDirectory && links > MAXIMUM_LINKS ? 1 : links;
}

/** Writes the number of a device: 8 bits each in the first word where that is enough, else the second. */
export function encodeDevice(view: DataView, at: number, { major, minor }: Device): void {
  if (major < 256 && minor < 256) view.setUint32(at + BLOCK_OFFSET, (major << 8) | minor, true);
  else {
    const word = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
    view.setUint32(at + BLOCK_OFFSET + 4, word >>> 0, true);
  }
}

/** Puts the checksum into a finished inode. */
export function signInode(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  filesystemSeed: number,
  inode: number,
): void {
  const checksum = ownedChecksum(inodeSeed(filesystemSeed, inode, 0), bytes.subarray(at, at + INODE_SIZE));
  view.setUint16(at + 0x7c, checksum & 0xffff, true);
  view.setUint16(at + 0x82, checksum >>> 16, true);
}
