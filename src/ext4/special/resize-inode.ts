import type { Geometry } from "../geometry.ts";
import { groupStart, headerOf } from "../group-shape.ts";

// The resize inode (special_inodes.rst): inode 7 owns the blocks that are reserved behind the descriptor
// tables, so that a filesystem can grow without moving anything. It has one block of pointers to the
// reserved blocks behind the first table; each of those points to its copies in the other groups.

/** Which pointer of an inode without extents leads to blocks of pointers to blocks of pointers. */
export const DOUBLE_INDIRECT = 13;

/** The inode's size, in bytes: all that could be reached through that pointer. */
export function resizeInodeSize(blockSize: number): number {
  const pointers = blockSize / 4;
  return (12 + pointers + pointers ** 2) * blockSize;
}

/** The groups that have copies of the reserved blocks. */
function copyGroups(cut: Geometry): number[] {
  const groups: number[] = [];
  for (let group = 1; group < cut.groups; group++)
    if (headerOf(cut, group).reservedBlocks > 0) groups.push(group);
  return groups;
}

/** Blocks that the inode owns: its block of pointers, the reserved ones, and their copies. */
export function resizeInodeBlocks(cut: Geometry): number {
  return 1 + cut.reservedDescriptorBlocks * (1 + copyGroups(cut).length);
}

/** The block of pointers to the reserved blocks of the first group. */
export function encodeResizePointers(cut: Geometry): Uint8Array {
  const { blockSize } = cut.design;
  const bytes = new Uint8Array(blockSize);
  const view = new DataView(bytes.buffer);
  const pointers = blockSize / 4;
  for (let index = 0; index < cut.reservedDescriptorBlocks; index++) {
    // A pointer sits where the descriptor block, once it is in use, has its number in the table.
    const at = (cut.descriptorBlocks + index) % pointers;
    view.setUint32(at * 4, reservedBlock(cut, 0, index), true);
  }
  return bytes;
}

/** The reserved blocks of the first group, one after the other: pointers to their copies. */
export function encodeReservedBlocks(cut: Geometry): Uint8Array {
  const { blockSize } = cut.design;
  const groups = copyGroups(cut);
  const bytes = new Uint8Array(cut.reservedDescriptorBlocks * blockSize);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < cut.reservedDescriptorBlocks; index++) {
    groups.forEach((group, copy) => {
      view.setUint32(index * blockSize + copy * 4, reservedBlock(cut, group, index), true);
    });
  }
  return bytes;
}

function reservedBlock(cut: Geometry, group: number, index: number): number {
  return groupStart(cut, group) + 1 + cut.descriptorBlocks + index;
}
