import { compareBytes, crc32cRegister, roundUp } from "../../bytes/index.ts";
import { DiskwrightError } from "../../errors.ts";
import { xattrBlockChecksum } from "../checksum.ts";
import { XATTR_MAGIC } from "../structures.ts";
import { aclFromDisk, aclToDisk } from "./acl.ts";
import { ACCESS_ACL, DEFAULT_ACL, fullXattrName, isAcl, type XattrName } from "./name.ts";

// Extended attributes (attributes.rst). An area of them, the end of an inode or a block, holds entries from
// its start upwards, four zero bytes behind the last one, and values from its end downwards. Names and
// values are padded to multiples of four.

const ENTRY_SIZE = 16;
const END_SIZE = 4;
const BLOCK_HEADER_SIZE = 32;
const MAGIC_SIZE = 4;

/** The largest value that a kernel reads from an inode of its own, in bytes. */
const LARGEST_STORED_VALUE = 2 ** 24;

/** An attribute as it is stored. */
export interface StoredXattr {
  readonly name: XattrName;
  /** In the form of the disk. */
  readonly value: Uint8Array;
  /** The inode that holds the value (ea_inode), and the value's hash; absent when it lies beside its entry. */
  readonly outside?: { readonly inode: number; readonly hash: number };
}

/** An attribute whose name and value have no problem, as it is stored. */
export function storedXattr(name: XattrName, value: Uint8Array): StoredXattr {
  return { name, value: isAcl(name.index) ? aclToDisk(value) : value };
}

/** The order of entries: a kernel stops searching a block at the first one that is greater. */
export function compareXattrs(a: StoredXattr, b: StoredXattr): number {
  const [one, other] = [a.name, b.name];
  return one.index - other.index || one.rest.length - other.rest.length || compareBytes(one.rest, other.rest);
}

/** Bytes that the entry of a name takes. */
export function xattrEntrySize({ rest }: XattrName): number {
  return (ENTRY_SIZE + rest.length + 3) & ~3;
}

/** Bytes that an attribute takes of an area. */
export function xattrSize({ name, value, outside }: StoredXattr): number {
  const entry = xattrEntrySize(name);
  return outside === undefined ? entry + roundUp(value.length, 4) : entry;
}

/** Bytes of attributes that an inode can hold with so much room behind its fields. */
export function inodeXattrRoom(inodeRoom: number): number {
  return Math.max(0, inodeRoom - MAGIC_SIZE - END_SIZE);
}

/** Bytes of attributes that a block can hold. */
export function blockXattrRoom(blockSize: number): number {
  return blockSize - BLOCK_HEADER_SIZE - END_SIZE;
}

/** What value inodes identify their values with: it lies in their access time, and enters the entry's hash. */
export function valueInodeHash(checksumSeed: number, value: Uint8Array): number {
  return crc32cRegister(checksumSeed, value);
}

/** The area behind the fields of an inode that holds these attributes, which must be sorted and fit. */
export function encodeInodeXattrs(xattrs: readonly StoredXattr[], inodeRoom: number): Uint8Array {
  const area = new Uint8Array(inodeRoom);
  const view = viewOf(area);
  view.setUint32(0, XATTR_MAGIC, true);
  encodeEntries(view, area, MAGIC_SIZE, MAGIC_SIZE, xattrs, (at, { name, outside }) => {
    // As a kernel has it: only that a value lies in another inode is checked by a hash.
    if (outside !== undefined) view.setUint32(at, hashWithWord(nameHash(name.rest), outside.hash), true);
  });
  return area;
}

/** A block of these attributes, which must be sorted and fit. {@link signXattrBlock} puts in its checksum. */
export function encodeXattrBlock(
  xattrs: readonly StoredXattr[],
  blockSize: number,
  references: number,
): Uint8Array {
  const block = new Uint8Array(blockSize);
  const view = viewOf(block);
  view.setUint32(0x00, XATTR_MAGIC, true);
  view.setUint32(0x04, references, true);
  view.setUint32(0x08, 1, true);
  let blockHash = 0;
  let isHashed = true;
  encodeEntries(view, block, BLOCK_HEADER_SIZE, 0, xattrs, (at, { name, outside }, valueStart, valueEnd) => {
    let hash = nameHash(name.rest);
    if (outside !== undefined) hash = hashWithWord(hash, outside.hash);
    for (let word = valueStart; word < valueEnd; word += 4)
      hash = hashWithWord(hash, view.getUint32(word, true));
    view.setUint32(at, hash, true);
    blockHash = hashWithWord(blockHash, hash);
    isHashed &&= hash !== 0;
  });
  // A hash of zero says that the block is not to be found by its hash.
  view.setUint32(0x0c, isHashed ? blockHash : 0, true);
  return block;
}

const CHECKSUM_OFFSET = 0x10;
/** Puts the checksum into a finished block of attributes. */
export function signXattrBlock(block: Uint8Array, checksumSeed: number, blockNumber: number): void {
  viewOf(block).setUint32(CHECKSUM_OFFSET, xattrBlockChecksum(checksumSeed, blockNumber, block), true);
}

/**
 * Writes entries from `at` on and values from the end of the area down; offsets count from `base`. `putHash`
 * gets the place of each entry's hash and the padded range of its value.
 */
function encodeEntries(
  view: DataView,
  area: Uint8Array,
  start: number,
  base: number,
  xattrs: readonly StoredXattr[],
  putHash: (at: number, xattr: StoredXattr, valueStart: number, valueEnd: number) => void,
): void {
  let at = start;
  let valueStart = area.length & ~3;
  for (const xattr of xattrs) {
    const { name, value, outside } = xattr;
    const valueEnd = valueStart;
    if (outside === undefined) valueStart -= roundUp(value.length, 4);
    area[at] = name.rest.length;
    area[at + 0x01] = name.index;
    if (outside !== undefined) view.setUint32(at + 0x04, outside.inode, true);
    else if (value.length > 0) {
      view.setUint16(at + 0x02, valueStart - base, true);
      area.set(value, valueStart);
    }
    view.setUint32(at + 0x08, value.length, true);
    area.set(name.rest, at + ENTRY_SIZE);
    putHash(at + 0x0c, xattr, valueStart, valueEnd);
    at += xattrEntrySize(name);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Over the bytes of a name, unsigned: a kernel accepts signed ones too, but writes these. */
function nameHash(name: Uint8Array): number {
  let hash = 0;
  for (let index = 0; index < name.length; index++) hash = (hash << 5) ^ (hash >>> 27) ^ name[index]!;
  return hash >>> 0;
}

function hashWithWord(hash: number, word: number): number {
  return ((hash << 16) ^ (hash >>> 16) ^ word) >>> 0;
}

/** An attribute from a disk, by its full name. */
export type RawXattr =
  /** The value in the form that getxattr gives. */
  | { readonly name: string; readonly value: Uint8Array }
  /** The content of `valueInode`, of `size` bytes, is the value; {@link xattrValue} gives its form. */
  | { readonly name: string; readonly valueInode: number; readonly size: number };

/**
 * The attributes in the area behind the declared fields of an inode (from byte 128 + extra size to its end).
 * None when nothing is there. Of attributes in both inode and block, a kernel takes those of the inode.
 *
 * @throws DiskwrightError `CORRUPT`.
 */
export function decodeInodeXattrs(area: Uint8Array): RawXattr[] {
  if (area.length < MAGIC_SIZE || viewOf(area).getUint32(0, true) !== XATTR_MAGIC) return [];
  return decodeEntries(area, MAGIC_SIZE, MAGIC_SIZE);
}

/**
 * The attributes in a block.
 *
 * @throws DiskwrightError `CORRUPT`.
 */
export function decodeBlockXattrs(block: Uint8Array): RawXattr[] {
  if (block.length < BLOCK_HEADER_SIZE) throw corrupt("the block is too short");
  const view = viewOf(block);
  if (view.getUint32(0x00, true) !== XATTR_MAGIC) throw corrupt("the block has no magic number");
  if (view.getUint32(0x08, true) !== 1) throw corrupt("they claim more than one block");
  return decodeEntries(block, BLOCK_HEADER_SIZE, 0);
}

/** A value as it is stored, in the form that getxattr gives. */
export function xattrValue(name: string, stored: Uint8Array): Uint8Array {
  return name === ACCESS_ACL || name === DEFAULT_ACL ? aclFromDisk(stored) : stored;
}

function decodeEntries(area: Uint8Array, start: number, base: number): RawXattr[] {
  const view = viewOf(area);
  const xattrs: RawXattr[] = [];
  let lowestValue = area.length;
  let valueBytes = 0;
  let at = start;
  // Each step goes forward by an entry, so that no area, whatever it holds, can keep this loop.
  for (;;) {
    if (at + END_SIZE > area.length) throw corrupt("nothing marks the end of the entries");
    if (view.getUint32(at, true) === 0) break;
    const nameEnd = at + ENTRY_SIZE + area[at]!;
    if (nameEnd > area.length) throw corrupt(`the entry at byte ${at} does not fit`);
    const index = area[at + 0x01]!;
    const name = fullXattrName({ index, rest: area.subarray(at + ENTRY_SIZE, nameEnd) });
    if (name === undefined) throw corrupt(`the entry at byte ${at} has a name of the unknown kind ${index}`);
    const valueInode = view.getUint32(at + 0x04, true);
    const size = view.getUint32(at + 0x08, true);
    if (valueInode !== 0) {
      if (size > LARGEST_STORED_VALUE) throw corrupt(`"${name}" claims ${size} bytes`);
      xattrs.push({ name, valueInode, size });
    } else {
      const from = base + view.getUint16(at + 0x02, true);
      if (size > 0) {
        if (from + size > area.length) throw corrupt(`the value of "${name}" lies outside`);
        lowestValue = Math.min(lowestValue, from);
        valueBytes += size;
        if (valueBytes > area.length) throw corrupt("values lie over each other");
      }
      // A copy even where a Node Buffer was given, whose slice() is a view.
      const stored = new Uint8Array(area.subarray(from, from + size));
      xattrs.push({ name, value: xattrValue(name, stored) });
    }
    at = roundUp(nameEnd, 4);
  }
  if (lowestValue < at + END_SIZE) throw corrupt("a value lies over the entries");
  return xattrs;
}

function corrupt(message: string): DiskwrightError {
  return new DiskwrightError("CORRUPT", `extended attributes are damaged: ${message}`);
}
