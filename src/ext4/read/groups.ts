import type { Awaitable } from "../../extents/index.ts";
import { groupDescriptorChecksum, groupDescriptorChecksum16 } from "../checksum.ts";
import { holdsSuperblock } from "../group-shape.ts";
import { SUPERBLOCK_OFFSET } from "../structures.ts";
import { type Frame, GROUP_FEATURES } from "./frame.ts";
import type { StoredInode } from "./inode.ts";
import { corrupt } from "./problems.ts";

// Group descriptors (group_descr.rst) are read one by one, when an inode of their group is asked for: a large
// filesystem has a hundred thousand of them.

const INODE_TABLE_LOW = 0x08;
const CHECKSUM = 0x1e;
const INODE_TABLE_HIGH = 0x28;
const MOST_KNOWN = 65536;

/** Where the inode table of each group starts. */
export class InodeTables {
  /** The inode that was read last. */
  last: StoredInode | undefined;
  readonly #frame: Frame;
  readonly #known = new Map<number, number>();

  constructor(frame: Frame) {
    this.#frame = frame;
  }

  /** The first block of a group's inode table. */
  start(group: number): Awaitable<number> {
    return this.#known.get(group) ?? this.#find(group);
  }

  async #find(group: number): Promise<number> {
    const table = await this.#read(group);
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(group, table);
    return table;
  }

  /** The descriptor of a group, whose checksum was compared. The bytes belong to the caller. */
  async descriptor(group: number): Promise<Uint8Array> {
    const frame = this.#frame;
    const { blockSize, descriptorSize } = frame;
    const perBlock = blockSize / descriptorSize;
    const at =
      descriptorBlock(frame, Math.floor(group / perBlock)) * blockSize + (group % perBlock) * descriptorSize;
    const what = `the descriptor of group ${group}`;
    const bytes = (await frame.metadata(at, descriptorSize, what)).slice();
    this.#verify(group, bytes, what);
    return bytes;
  }

  async #read(group: number): Promise<number> {
    const frame = this.#frame;
    const { blockSize, superblock } = frame;
    const bytes = await this.descriptor(group);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const high = bytes.length > INODE_TABLE_HIGH ? view.getUint32(INODE_TABLE_HIGH, true) : 0;
    const table = frame.wide(view.getUint32(INODE_TABLE_LOW, true), high);
    const length = Math.ceil((superblock.inodesPerGroup * frame.inodeSize) / blockSize);
    if (!frame.isInside(table, length)) {
      throw corrupt(
        `the descriptor of group ${group} puts its inode table into block ${table}, but the filesystem has ${frame.blocks}`,
      );
    }
    return table;
  }

  #verify(group: number, descriptor: Uint8Array, what: string): void {
    const frame = this.#frame;
    const view = new DataView(descriptor.buffer, descriptor.byteOffset);
    const stored = view.getUint16(CHECKSUM, true);
    let expected = stored;
    if (frame.hasChecksums) {
      view.setUint16(CHECKSUM, 0, true);
      expected = groupDescriptorChecksum(frame.checksumSeed, group, descriptor);
    } else if (frame.has(GROUP_FEATURES.crc16)) {
      expected = groupDescriptorChecksum16(frame.superblock.uuid, group, descriptor);
    }
    if (stored !== expected) frame.problems.add(`${what}: its checksum does not match`);
  }
}

/** How many blocks a group starts with: a copy of the superblock, descriptors, and room for more of them. */
export function groupHeaderBlocks(frame: Frame, group: number): number {
  const { superblock, groups, descriptorSize, blockSize } = frame;
  const copy = hasSuperblock(frame, group) ? 1 : 0;
  const perBlock = blockSize / descriptorSize;
  const hasMeta = frame.has(GROUP_FEATURES.metaGroups);
  if (hasMeta && Math.floor(group / perBlock) >= superblock.firstMetaBlockGroup) {
    const within = group % perBlock;
    return copy + (within <= 1 || within === perBlock - 1 ? 1 : 0);
  }
  if (copy === 0) return 0;
  const descriptors = hasMeta ? superblock.firstMetaBlockGroup : Math.ceil(groups / perBlock);
  return copy + descriptors + superblock.reservedDescriptorBlocks;
}

/** Which block holds the block of descriptors with this number (blockgroup.rst, "Meta Block Groups"). */
function descriptorBlock(frame: Frame, number: number): number {
  const { blockSize, descriptorSize, superblock } = frame;
  const isMeta = frame.has(GROUP_FEATURES.metaGroups) && number >= superblock.firstMetaBlockGroup;
  const superblockBlock = Math.floor(SUPERBLOCK_OFFSET / blockSize);
  if (!isMeta) return superblockBlock + 1 + number;
  const group = number * (blockSize / descriptorSize);
  const start = superblock.firstDataBlock + group * superblock.blocksPerGroup;
  // With clusters of blocks of 1 KiB, groups count from block 0, which lies before the superblock.
  const gap = group === 0 ? superblockBlock - superblock.firstDataBlock : 0;
  return start + gap + (hasSuperblock(frame, group) ? 1 : 0);
}

/** Whether a group starts with a copy of the superblock. */
function hasSuperblock(frame: Frame, group: number): boolean {
  const copies = {
    isSparse: frame.has(GROUP_FEATURES.sparse),
    backupGroups: frame.has(GROUP_FEATURES.sparse2) ? frame.superblock.backupGroups : undefined,
  };
  return holdsSuperblock(copies, group);
}
