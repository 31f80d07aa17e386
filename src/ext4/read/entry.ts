import type { EntryType } from "../../tree/index.ts";
import { fileMode } from "../../tree/index.ts";
import { INCOMPATIBLE } from "../features.ts";
import { INODE_FLAG } from "../structures.ts";
import { smallContent } from "./content.ts";
import type { Frame } from "./frame.ts";
import { isInline } from "./inline.ts";
import { READ_FLAG, type StoredInode } from "./inode.ts";
import { corrupt } from "./problems.ts";

/** An entry of a filesystem. A further hard link repeats the inode of the first. */
export interface Ext4Entry {
  /** From the root, without a leading slash; empty for the root. */
  readonly path: Uint8Array;
  readonly inode: number;
  readonly type: Exclude<EntryType, "hardlink">;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  readonly links: number;
  /** Nanoseconds since 1970: of the last access, the last change of the inode, and that of the content. */
  readonly atime: bigint;
  readonly ctime: bigint;
  readonly mtime: bigint;
  /** When it was made; inodes of 128 bytes do not say. */
  readonly crtime: bigint | undefined;
  /** Blocks of content and metadata, in bytes. */
  readonly allocated: number;
  /** `i_flags`, as lsattr(1) shows them. */
  readonly flags: number;
  readonly generation: number;
  /** Of a symlink; absent when it is encrypted. */
  readonly target?: Uint8Array;
  readonly device?: { readonly major: number; readonly minor: number };
}

/** The entry of an inode under a path. */
export async function entryOf(frame: Frame, path: Uint8Array, inode: StoredInode): Promise<Ext4Entry> {
  const type = typeOf(inode);
  if (inode.links === 0) frame.problems.add(`inode ${inode.number} has a name, but counts no links`);
  const { size, links, atime, ctime, mtime, crtime, allocated, flags, generation, uid, gid } = inode;
  const isDevice = type === "character" || type === "block";
  const isLegible = type === "symlink" && (flags & READ_FLAG.encrypted) === 0;
  const mode = inode.mode & fileMode.PERMISSION_MASK;
  return {
    path,
    inode: inode.number,
    type,
    mode,
    uid,
    gid,
    size,
    links,
    atime,
    ctime,
    mtime,
    crtime,
    allocated,
    flags,
    generation,
    ...(isLegible ? { target: await targetOf(frame, inode) } : {}),
    ...(isDevice ? { device: deviceOf(inode.block) } : {}),
  };
}

/** @throws DiskwrightError `CORRUPT` when the mode has no type. */
export function typeOf(inode: StoredInode): Ext4Entry["type"] {
  const type = fileMode.typeOfMode(inode.mode);
  if (type !== undefined) return type;
  throw corrupt(`inode ${inode.number} has the impossible mode 0${inode.mode.toString(8)}`);
}

/** The target of a symlink. */
export async function targetOf(frame: Frame, inode: StoredInode): Promise<Uint8Array> {
  const what = `the symlink of inode ${inode.number}`;
  const target = isFast(frame, inode)
    ? inode.block.slice(0, inode.size)
    : await smallContent(frame, inode, frame.blockSize, what);
  if (target.length === 0 || target.includes(0)) {
    frame.problems.add(`${what} has an impossible target`);
  }
  return target;
}

/** Whether a target lies in place of the block map. Old kernels gave even short ones a block at times. */
export function isFast(frame: Frame, inode: StoredInode): boolean {
  if (inode.size >= inode.block.length || (inode.flags & INODE_FLAG.extents) !== 0) return false;
  if (isInline(frame, inode)) return false;
  // Values of attributes in inodes of their own count as blocks of the symlink, too.
  if (frame.has({ incompatible: INCOMPATIBLE.ea_inode })) return true;
  const ofXattrs = inode.xattrBlock === 0 ? 0 : frame.clusterSize;
  return inode.allocated <= ofXattrs;
}

/** The number of a device, from either of the two words that can hold it. */
function deviceOf(block: Uint8Array): { major: number; minor: number } {
  const view = new DataView(block.buffer, block.byteOffset);
  const short = view.getUint32(0, true);
  if (short !== 0) return { major: (short >>> 8) & 0xff, minor: short & 0xff };
  const long = view.getUint32(4, true);
  return { major: (long & 0xfff00) >>> 8, minor: (long & 0xff) | ((long >>> 12) & 0xfff00) };
}
