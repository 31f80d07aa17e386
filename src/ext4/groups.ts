import { fillBlockBitmap, fillInodeBitmap } from "./bitmap.ts";
import { bitmapChecksum, groupDescriptorChecksum } from "./checksum.ts";
import { groupLength } from "./geometry.ts";
import { type Ext4Plan, groupOfInode } from "./plan.ts";
import { DESCRIPTOR_SIZE, FIRST_INODE, GROUP_FLAG, groupDescriptor } from "./structures.ts";

/** What the descriptors say of the groups, and which bitmaps have to be written. */
export interface GroupTable {
  /** All descriptors, one after the other. */
  readonly bytes: Uint8Array;
  /** Whether a group's block bitmap is on disk; otherwise the kernel makes it when it needs it. */
  readonly hasBlockBitmap: readonly boolean[];
  /** Inodes in use of each group, always the first ones. */
  readonly usedInodes: readonly number[];
}

/** Encodes the group descriptor table (group_descr.rst). */
export function encodeGroups(plan: Ext4Plan): GroupTable {
  const cut = plan.geometry;
  const seed = plan.checksumSeed;
  const directories = directoriesByGroup(plan);
  const bytes = new Uint8Array(cut.descriptorBlocks * cut.blockSize);
  const bitmap = new Uint8Array(cut.blockSize);
  const hasBlockBitmap: boolean[] = [];
  const usedInodes: number[] = [];
  for (let group = 0; group < cut.groups; group++) {
    const { blockBitmap, inodeBitmap, inodeTable } = cut.metadata[group]!;
    const inodes = usedInGroup(plan, group);
    const usedBlocks = fillBlockBitmap(bitmap, cut, group, plan.placement.end);
    // e2fsck wants the last group initialised whatever it holds.
    const isBitmapWritten = usedBlocks > 0 || group === cut.groups - 1;
    const blockChecksum = isBitmapWritten
      ? bitmapChecksum(seed, bitmap.subarray(0, cut.blocksPerGroup / 8))
      : 0;
    let inodeChecksum = 0;
    if (inodes > 0) {
      fillInodeBitmap(bitmap, cut, inodes);
      inodeChecksum = bitmapChecksum(seed, bitmap.subarray(0, cut.inodesPerGroup / 8));
    }
    const freeBlocks = groupLength(cut, group) - usedBlocks;
    const freeInodes = cut.inodesPerGroup - inodes;
    const at = group * DESCRIPTOR_SIZE;
    const values = {
      ...split32("blockBitmap", blockBitmap),
      ...split32("inodeBitmap", inodeBitmap),
      ...split32("inodeTable", inodeTable),
      ...split16("freeBlocksCount", freeBlocks),
      ...split16("freeInodesCount", freeInodes),
      ...split16("usedDirectoriesCount", directories[group]!),
      ...split16("unusedInodesCount", freeInodes),
      ...split16("blockBitmapChecksum", blockChecksum),
      ...split16("inodeBitmapChecksum", inodeChecksum),
      flags:
        GROUP_FLAG.inodeTableZeroed |
        (inodes > 0 ? 0 : GROUP_FLAG.inodesUninitialised) |
        (isBitmapWritten ? 0 : GROUP_FLAG.blocksUninitialised),
      excludeBitmapLow: 0,
      excludeBitmapHigh: 0,
      checksum: 0,
    };
    groupDescriptor.encode(values, bytes, at, `group ${group}`);
    const checksum = groupDescriptorChecksum(seed, group, bytes.subarray(at, at + DESCRIPTOR_SIZE));
    new DataView(bytes.buffer).setUint16(at + groupDescriptor.offsetOf("checksum"), checksum, true);
    hasBlockBitmap.push(isBitmapWritten);
    usedInodes.push(inodes);
  }
  return { bytes, hasBlockBitmap, usedInodes };
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
