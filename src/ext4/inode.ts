import type { Device } from "../tree/index.ts";
import { fileMode } from "../tree/index.ts";
import { inodeSeed, ownedChecksum } from "./checksum.ts";
import type { Design } from "./design.ts";
import { BASE_INODE_SIZE, EXTRA_INODE_SIZE, MAXIMUM_LINKS } from "./structures.ts";
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
  /** Blocks of content and of what maps it, and of attributes, in units of 512 bytes. */
  readonly sectors: number;
  readonly flags: number;
  /** The block of extended attributes, or 0. */
  readonly xattrBlock: number;
}

/**
 * Writes an inode at `at`, but for its `i_block` and the attributes behind its fields, which the caller
 * fills before it signs the inode with {@link signInode}. The four times are all that of the last change:
 * the others would differ from run to run. The bytes must be zero before.
 */
export function encodeInode(view: DataView, at: number, inodeSize: number, values: InodeValues): void {
  const { mode, uid, gid, size, seconds, nanoseconds, sectors, xattrBlock } = values;
  const low = timeLow(seconds);
  view.setUint16(at, mode, true);
  view.setUint16(at + 0x02, uid & 0xffff, true);
  view.setUint32(at + 0x04, size % 2 ** 32, true);
  view.setUint32(at + 0x08, low, true);
  view.setUint32(at + 0x0c, low, true);
  view.setUint32(at + 0x10, low, true);
  view.setUint16(at + 0x18, gid & 0xffff, true);
  view.setUint16(at + 0x1a, linksField(mode, values.links), true);
  view.setUint32(at + 0x1c, sectors % 2 ** 32, true);
  view.setUint32(at + 0x20, values.flags, true);
  view.setUint32(at + 0x68, xattrBlock % 2 ** 32, true);
  view.setUint32(at + 0x6c, Math.floor(size / 2 ** 32), true);
  view.setUint16(at + 0x74, Math.floor(sectors / 2 ** 32), true);
  view.setUint16(at + 0x76, Math.floor(xattrBlock / 2 ** 32), true);
  view.setUint16(at + 0x78, uid >>> 16, true);
  view.setUint16(at + 0x7a, gid >>> 16, true);
  if (inodeSize === BASE_INODE_SIZE) return;
  const extra = timeExtra(seconds, nanoseconds);
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

/** Writes a device number into `i_block`: in 16 bits where it fits, as old kernels had it, else in 32. */
export function encodeDevice(view: DataView, at: number, { major, minor }: Device): void {
  if (major < 256 && minor < 256) view.setUint32(at + BLOCK_OFFSET, (major << 8) | minor, true);
  else {
    const word = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
    view.setUint32(at + BLOCK_OFFSET + 4, word >>> 0, true);
  }
}

/** Puts the checksum into a finished inode, where the filesystem has checksums. */
export function signInode(
  design: Design,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  inode: number,
): void {
  if (design.checksums !== "crc32c") return;
  const { inodeSize, checksumSeed } = design;
  const seed = inodeSeed(checksumSeed, inode, 0);
  const checksum = ownedChecksum(seed, bytes.subarray(at, at + inodeSize));
  view.setUint16(at + 0x7c, checksum & 0xffff, true);
  if (inodeSize > BASE_INODE_SIZE) view.setUint16(at + 0x82, checksum >>> 16, true);
}

/**
 * What an inode that holds the value of an attribute says in place of its times (attributes.rst,
 * "ea_inode"): the hash of the value as access time, how many entries point to it as change time (the upper
 * half, always 0 here) and version.
 */
export function encodeValueFields(
  view: DataView,
  at: number,
  inodeSize: number,
  { hash, references }: { readonly hash: number; readonly references: number },
): void {
  view.setUint32(at + 0x08, hash, true);
  view.setUint32(at + 0x0c, 0, true);
  view.setUint32(at + 0x24, references, true);
  if (inodeSize === BASE_INODE_SIZE) return;
  view.setUint32(at + 0x84, 0, true);
  view.setUint32(at + 0x8c, timeExtra(hash, 0), true);
}
