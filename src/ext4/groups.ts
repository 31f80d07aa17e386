import { fillBlockBitmap, fillInodeBitmap } from "./bitmap.ts";
import { bitmapChecksum, groupDescriptorChecksum, groupDescriptorChecksum16 } from "./checksum.ts";
import type { Design } from "./design.ts";
import { groupLength } from "./group-shape.ts";
import { type Ext4Plan, groupOfInode } from "./plan.ts";
import { FIRST_INODE, GROUP_FLAG } from "./structures.ts";

/** What the descriptors say of the groups, and which bitmaps have to be written. */
export interface GroupTable {
  /** All descriptors, one after the other. */
  readonly bytes: Uint8Array;
  /** Whether a group's block bitmap is on disk; otherwise the kernel makes it when it needs it. */
  readonly hasBlockBitmap: readonly boolean[];
  readonly hasInodeBitmap: readonly boolean[];
  /** Inodes in use of each group, always the first ones. */
  readonly usedInodes: readonly number[];
}

/** Encodes the group descriptor table (group_descr.rst). */
export function encodeGroups(plan: Ext4Plan): GroupTable {
  const cut = plan.geometry;
  const { design } = cut;
  const { descriptorSize, blockSize, checksumSeed } = design;
  const directories = directoriesByGroup(plan);
  const bytes = new Uint8Array(cut.descriptorBlocks * blockSize);
  const view = new DataView(bytes.buffer);
  const bitmap = new Uint8Array(blockSize);
  const hasBlockBitmap: boolean[] = [];
  const hasInodeBitmap: boolean[] = [];
  const usedInodes: number[] = [];
  // Only a checksum in the descriptor lets a kernel trust it that a bitmap need not be read.
  const mayBeUninitialised = design.checksums !== "none";
  const checksumOf = (bits: number): number =>
    design.checksums === "crc32c" ? bitmapChecksum(checksumSeed, bitmap.subarray(0, bits / 8)) : 0;
  for (let group = 0; group < cut.groups; group++) {
    const { blockBitmap, inodeBitmap, inodeTable } = cut.metadata[group]!;
    const inodes = usedInodesOf(plan, group);
    const usedBlocks = fillBlockBitmap(bitmap, cut, group, plan.placement.end);
    // e2fsck wants the last group initialised whatever it holds.
    const isBlockBitmapWritten = !mayBeUninitialised || usedBlocks > 0 || group === cut.groups - 1;
    const blockChecksum = isBlockBitmapWritten ? checksumOf(cut.blocksPerGroup) : 0;
    const isInodeBitmapWritten = !mayBeUninitialised || inodes > 0;
    let inodeChecksum = 0;
    if (isInodeBitmapWritten) {
      fillInodeBitmap(bitmap, cut, inodes);
      inodeChecksum = checksumOf(cut.inodesPerGroup);
    }
    const freeBlocks = groupLength(cut, group) - usedBlocks;
    const freeInodes = cut.inodesPerGroup - inodes;
    const at = group * descriptorSize;
    encodeGroupDescriptor(view, at, descriptorSize, {
      blockBitmap,
      inodeBitmap,
      inodeTable,
      freeBlocks,
      freeInodes,
      directories: directories[group]!,
      unusedInodes: mayBeUninitialised ? freeInodes : 0,
      blockBitmapChecksum: blockChecksum,
      inodeBitmapChecksum: inodeChecksum,
      flags:
        (mayBeUninitialised ? GROUP_FLAG.inodeTableZeroed : 0) |
        (isInodeBitmapWritten ? 0 : GROUP_FLAG.inodesUninitialised) |
        (isBlockBitmapWritten ? 0 : GROUP_FLAG.blocksUninitialised),
    });
    const checksum = descriptorChecksum(design, group, bytes.subarray(at, at + descriptorSize));
    view.setUint16(at + CHECKSUM_OFFSET, checksum, true);
    hasBlockBitmap.push(isBlockBitmapWritten);
    hasInodeBitmap.push(isInodeBitmapWritten);
    usedInodes.push(inodes);
  }
  return { bytes, hasBlockBitmap, hasInodeBitmap, usedInodes };
}

function descriptorChecksum(design: Design, group: number, descriptor: Uint8Array): number {
  switch (design.checksums) {
    case "none":
      return 0;
    case "crc16":
      return groupDescriptorChecksum16(design.uuid, group, descriptor);
    case "crc32c":
      return groupDescriptorChecksum(design.checksumSeed, group, descriptor);
  }
}

/** Inodes in use of a group: inodes are handed out in order. */
export function usedInodesOf(plan: Ext4Plan, group: number): number {
  const { inodesPerGroup } = plan.geometry;
  return Math.min(Math.max(plan.inventory.lastInode - group * inodesPerGroup, 0), inodesPerGroup);
}

function directoriesByGroup(plan: Ext4Plan): Uint32Array {
  const { tree, inventory, geometry: cut } = plan;
  const counts = new Uint32Array(cut.groups);
  for (let row = 0; row < tree.length; row++) {
    if (tree.isDirectory(row)) counts[groupOfInode(cut, inventory.inodeOf[row]!)]!++;
  }
  if (inventory.lostAndFoundRow === undefined) counts[groupOfInode(cut, FIRST_INODE)]!++;
  return counts;
}

/** What a descriptor says of a group. */
export interface GroupValues {
  /** Numbers of blocks. */
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly directories: number;
  /** Inodes at the end of the table that were never in use. */
  readonly unusedInodes: number;
  readonly blockBitmapChecksum: number;
  readonly inodeBitmapChecksum: number;
  readonly flags: number;
}

const CHECKSUM_OFFSET = 0x1e;

/**
 * Writes a descriptor of 32 or 64 bytes at `at`, but for its checksum; there are a million of them in a
 * filesystem of 128 TiB. The bytes must be zero before.
 */
export function encodeGroupDescriptor(view: DataView, at: number, size: 32 | 64, values: GroupValues): void {
  view.setUint32(at, values.blockBitmap % 2 ** 32, true);
  view.setUint32(at + 0x04, values.inodeBitmap % 2 ** 32, true);
  view.setUint32(at + 0x08, values.inodeTable % 2 ** 32, true);
  view.setUint16(at + 0x0c, values.freeBlocks & 0xffff, true);
  view.setUint16(at + 0x0e, values.freeInodes & 0xffff, true);
  view.setUint16(at + 0x10, values.directories & 0xffff, true);
  view.setUint16(at + 0x12, values.flags, true);
  view.setUint16(at + 0x18, values.blockBitmapChecksum & 0xffff, true);
  view.setUint16(at + 0x1a, values.inodeBitmapChecksum & 0xffff, true);
  view.setUint16(at + 0x1c, values.unusedInodes & 0xffff, true);
  if (size === 32) return;
  view.setUint32(at + 0x20, Math.floor(values.blockBitmap / 2 ** 32), true);
  view.setUint32(at + 0x24, Math.floor(values.inodeBitmap / 2 ** 32), true);
  view.setUint32(at + 0x28, Math.floor(values.inodeTable / 2 ** 32), true);
  view.setUint16(at + 0x2c, values.freeBlocks >>> 16, true);
  view.setUint16(at + 0x2e, values.freeInodes >>> 16, true);
  view.setUint16(at + 0x30, values.directories >>> 16, true);
  view.setUint16(at + 0x32, values.unusedInodes >>> 16, true);
  view.setUint16(at + 0x38, values.blockBitmapChecksum >>> 16, true);
  view.setUint16(at + 0x3a, values.inodeBitmapChecksum >>> 16, true);
}
