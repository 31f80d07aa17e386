import { fillBlockBitmap, fillInodeBitmap } from "./bitmap.ts";
import { bitmapChecksum, groupDescriptorChecksum, groupDescriptorChecksum16 } from "./checksum.ts";
import type { Design } from "./design.ts";
import { groupLength } from "./geometry.ts";
import { type Ext4Plan, groupOfInode } from "./plan.ts";
import { FIRST_INODE, GROUP_FLAG, groupDescriptor } from "./structures.ts";

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
  const whole = new Uint8Array(groupDescriptor.span);
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
    const inodes = usedInGroup(plan, group);
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
    const values = {
      ...split32("blockBitmap", blockBitmap),
      ...split32("inodeBitmap", inodeBitmap),
      ...split32("inodeTable", inodeTable),
      ...split16("freeBlocksCount", freeBlocks),
      ...split16("freeInodesCount", freeInodes),
      ...split16("usedDirectoriesCount", directories[group]!),
      ...split16("unusedInodesCount", mayBeUninitialised ? freeInodes : 0),
      ...split16("blockBitmapChecksum", blockChecksum),
      ...split16("inodeBitmapChecksum", inodeChecksum),
      flags:
        (mayBeUninitialised ? GROUP_FLAG.inodeTableZeroed : 0) |
        (isInodeBitmapWritten ? 0 : GROUP_FLAG.inodesUninitialised) |
        (isBlockBitmapWritten ? 0 : GROUP_FLAG.blocksUninitialised),
      excludeBitmapLow: 0,
      excludeBitmapHigh: 0,
      checksum: 0,
    };
    groupDescriptor.encode(values, whole, 0, `group ${group}`);
    const stored = bytes.subarray(group * descriptorSize, (group + 1) * descriptorSize);
    stored.set(whole.subarray(0, descriptorSize));
    new DataView(stored.buffer, stored.byteOffset).setUint16(
      groupDescriptor.offsetOf("checksum"),
      descriptorChecksum(design, group, stored),
      true,
    );
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
function usedInGroup(plan: Ext4Plan, group: number): number {
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

type Split<Name extends string> = { [Half in `${Name}${"Low" | "High"}`]: number };

/** A block number in the two 32-bit fields that hold it. */
function split32<Name extends string>(name: Name, value: number): Split<Name> {
  const halves = { [`${name}Low`]: value % 2 ** 32, [`${name}High`]: Math.floor(value / 2 ** 32) };
  return halves as Split<Name>;
}

/** A count or checksum in the two 16-bit fields that hold it. */
function split16<Name extends string>(name: Name, value: number): Split<Name> {
  const halves = { [`${name}Low`]: value & 0xffff, [`${name}High`]: value >>> 16 };
  return halves as Split<Name>;
}
