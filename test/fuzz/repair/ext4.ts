import { uuidFromBytes } from "../../../src/bytes/index.ts";
import {
  bitmapChecksum,
  filesystemSeed,
  groupDescriptorChecksum,
  inodeSeed,
  ownedChecksum,
  superblockChecksum,
  xattrBlockChecksum,
} from "../../../src/ext4/checksum.ts";
import { openExt4 } from "../../../src/ext4/index.ts";
import { bytesSource } from "../../../src/extents/index.ts";
import type { Range } from "../mutate.ts";

// The checksums of metadata_csum, of a filesystem whose structures lie where they lay before it was changed.

/** Where the structures of a filesystem lie that have checksums. */
export interface Ext4Places {
  readonly hasChecksums: boolean;
  readonly blockSize: number;
  readonly inodeSize: number;
  readonly descriptorSize: number;
  readonly inodesPerGroup: number;
  readonly blocksPerGroup: number;
  /** Byte positions, by group. */
  readonly groups: readonly { descriptor: number; blockBitmap: number; inodeBitmap: number; table: number }[];
  readonly inodes: readonly { readonly number: number; readonly position: number }[];
  /** Blocks that inodes have, by position. */
  readonly blocks: readonly {
    readonly inode: number;
    readonly position: number;
    readonly kind: "directory" | "extents" | "xattrs";
  }[];
}

const SUPERBLOCK = 1024;

export async function ext4Places(bytes: Uint8Array): Promise<Ext4Places> {
  const volume = (await openExt4(bytesSource(bytes)))!;
  const { superblock, blockSize, inodeSize } = volume;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const is64bit = volume.features.includes("64bit");
  const descriptorSize = is64bit ? superblock.descriptorSize : 32;
  const { inodesPerGroup, blocksPerGroup, firstDataBlock } = superblock;
  const count = Math.ceil((volume.blocks - firstDataBlock) / blocksPerGroup);
  const hasMeta = volume.features.includes("meta_bg");
  const groups = Array.from({ length: hasMeta ? 1 : count }, (_, group) => {
    const descriptor = (firstDataBlock + 1) * blockSize + group * descriptorSize;
    const at = (field: number): number => view.getUint32(descriptor + field, true) * blockSize;
    return { descriptor, blockBitmap: at(0), inodeBitmap: at(4), table: at(8) };
  });
  const positionOf = (number: number): number =>
    groups[Math.floor((number - 1) / inodesPerGroup)]!.table + ((number - 1) % inodesPerGroup) * inodeSize;
  const inodes = new Map<number, number>();
  // Those for the growth of the filesystem, and of the journal, where they are in use.
  for (const number of [7, 8]) {
    const position = positionOf(number);
    if (view.getUint16(position + 0x1a, true) > 0) inodes.set(number, position);
  }
  const blocks: Ext4Places["blocks"][number][] = [];
  for await (const { inode, type } of volume.entries()) {
    if (inodes.has(inode) || Math.floor((inode - 1) / inodesPerGroup) >= groups.length) continue;
    const position = positionOf(inode);
    inodes.set(inode, position);
    const xattrBlock = view.getUint32(position + 0x68, true);
    if (xattrBlock !== 0) blocks.push({ inode, position: xattrBlock * blockSize, kind: "xattrs" });
    if (view.getUint16(position + 0x28, true) === 0xf30a && view.getUint16(position + 0x2e, true) === 1) {
      for (let entry = 0; entry < view.getUint16(position + 0x2a, true); entry++) {
        const node = view.getUint32(position + 0x28 + 12 + 12 * entry + 4, true) * blockSize;
        blocks.push({ inode, position: node, kind: "extents" });
      }
    }
    if (type !== "directory") continue;
    for await (const { offset, length } of volume.extents(inode)) {
      for (let at = 0; at < length; at += blockSize) {
        blocks.push({ inode, position: (offset ?? 0) + at, kind: "directory" });
      }
    }
  }
  return {
    hasChecksums: volume.features.includes("metadata_csum"),
    ...{ blockSize, inodeSize, descriptorSize, inodesPerGroup, blocksPerGroup, groups, blocks },
    inodes: [...inodes].map(([number, position]) => ({ number, position })),
  };
}

export function ext4Ranges({ groups, inodes, blocks, inodeSize, descriptorSize }: Ext4Places): Range[] {
  const superblock = [
    { start: SUPERBLOCK, length: 0x68 },
    { start: SUPERBLOCK, length: 0x180 },
  ];
  return [
    ...Array.from({ length: 3 }, () => superblock).flat(),
    ...groups.flatMap(({ descriptor, blockBitmap, inodeBitmap }) => [
      { start: descriptor, length: descriptorSize },
      { start: blockBitmap, length: 128 },
      { start: inodeBitmap, length: 16 },
    ]),
    ...inodes.map(({ position }) => ({ start: position, length: inodeSize })),
    ...inodes.map(({ position }) => ({ start: position + 0x28, length: 60 })),
    ...blocks.map(({ position }) => ({ start: position, length: 128 })),
  ];
}

/** Puts right checksums over what was changed. */
export function repairExt4(bytes: Uint8Array, places: Ext4Places): void {
  if (!places.hasChecksums || bytes.length < 4096) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { blockSize, inodeSize, descriptorSize, inodesPerGroup, blocksPerGroup } = places;
  const isInside = (start: number, length: number): boolean => start >= 0 && start + length <= bytes.length;
  const seed = filesystemSeed(uuidFromBytes(bytes.subarray(SUPERBLOCK + 0x68, SUPERBLOCK + 0x78)));
  const ownSeed = (number: number, position: number): number =>
    inodeSeed(seed, number, view.getUint32(position + 0x64, true));
  const positions = new Map(places.inodes.map(({ number, position }) => [number, position]));
  for (const { inode, position, kind } of places.blocks) {
    const owner = positions.get(inode)!;
    if (!isInside(position, blockSize) || !isInside(owner, inodeSize)) continue;
    const block = bytes.subarray(position, position + blockSize);
    if (kind === "xattrs")
      view.setUint32(position + 0x10, xattrBlockChecksum(seed, position / blockSize, block), true);
    else if (kind === "extents") {
      const tail = 12 + 12 * view.getUint16(position + 4, true);
      if (tail + 4 > blockSize) continue;
      view.setUint32(position + tail, ownedChecksum(ownSeed(inode, owner), block.subarray(0, tail)), true);
    } else if (view.getUint16(position + blockSize - 6, true) === 0xde00) {
      const tail = blockSize - 12;
      view.setUint32(
        position + tail + 8,
        ownedChecksum(ownSeed(inode, owner), block.subarray(0, tail)),
        true,
      );
    }
  }
  for (const { number, position } of places.inodes) {
    if (!isInside(position, inodeSize)) continue;
    const hasHigh = inodeSize > 128 && view.getUint16(position + 0x80, true) >= 4;
    view.setUint16(position + 0x7c, 0, true);
    if (hasHigh) view.setUint16(position + 0x82, 0, true);
    const sum = ownedChecksum(ownSeed(number, position), bytes.subarray(position, position + inodeSize));
    view.setUint16(position + 0x7c, sum & 0xffff, true);
    if (hasHigh) view.setUint16(position + 0x82, sum >>> 16, true);
  }
  for (const [group, { descriptor, blockBitmap, inodeBitmap }] of places.groups.entries()) {
    if (!isInside(descriptor, descriptorSize)) continue;
    const sign = (start: number, length: number, low: number, high: number): void => {
      if (!isInside(start, length)) return;
      const sum = bitmapChecksum(seed, bytes.subarray(start, start + length));
      view.setUint16(descriptor + low, sum & 0xffff, true);
      if (descriptorSize >= 64) view.setUint16(descriptor + high, sum >>> 16, true);
    };
    sign(blockBitmap, blocksPerGroup / 8, 0x18, 0x38);
    sign(inodeBitmap, Math.ceil(inodesPerGroup / 8), 0x1a, 0x3a);
    view.setUint16(descriptor + 0x1e, 0, true);
    const bytesOfGroup = bytes.subarray(descriptor, descriptor + descriptorSize);
    view.setUint16(descriptor + 0x1e, groupDescriptorChecksum(seed, group, bytesOfGroup), true);
  }
  const superblock = bytes.subarray(SUPERBLOCK, SUPERBLOCK + 1024);
  view.setUint32(SUPERBLOCK + 0x3fc, superblockChecksum(superblock), true);
}
