import type { Awaitable } from "../../extents/index.ts";
import { groupDescriptorChecksum, groupDescriptorChecksum16 } from "../checksum.ts";
import { holdsSuperblock } from "../group-shape.ts";
import { groupDescriptor, SUPERBLOCK_OFFSET } from "../structures.ts";
import { type Frame, GROUP_FEATURES } from "./frame.ts";
import type { StoredInode } from "./inode.ts";
import { corrupt } from "./problems.ts";

// Group descriptors (group_descr.rst) are read one by one, when an inode of their group is asked for: a large
// filesystem has a hundred thousand of them.

const CHECKSUM = 0x1e;
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

  async #read(group: number): Promise<number> {
    const frame = this.#frame;
    const { blockSize, superblock } = frame;
    const { inodeTable } = await readDescriptor(frame, group);
    const length = Math.ceil((superblock.inodesPerGroup * frame.inodeSize) / blockSize);
    if (!frame.isInside(inodeTable, length)) {
      throw corrupt(
        `the descriptor of group ${group} puts its inode table into block ${inodeTable}, but the filesystem has ${frame.blocks}`,
      );
    }
    return inodeTable;
  }
}

/** What the descriptor of a group says. Counts and flags that no feature makes valid are 0. */
export interface StoredGroup {
  /** Blocks. */
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  /** Blocks; with the feature bigalloc, clusters. */
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly directories: number;
  /** Bits of {@link GROUP_FLAG}. */
  readonly flags: number;
  /** Inodes at the end of the table that were never used. */
  readonly unusedInodes: number;
  readonly blockBitmapChecksum: number;
  readonly inodeBitmapChecksum: number;
}

/**
 * Reads the descriptor of a group; a checksum that does not match is a problem.
 *
 * @throws DiskwrightError `CORRUPT` when it lies outside of the image.
 */
export async function readDescriptor(frame: Frame, group: number): Promise<StoredGroup> {
  const bytes = await descriptorBytes(frame, group);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const isLong = bytes.length >= groupDescriptor.span;
  const wide = (low: number, high: number): number =>
    frame.wide(view.getUint32(low, true), isLong ? view.getUint32(high, true) : 0);
  const count = (low: number, high: number): number =>
    view.getUint16(low, true) + (isLong ? view.getUint16(high, true) * 2 ** 16 : 0);
  const isChecked = frame.hasChecksums || frame.has(GROUP_FEATURES.crc16);
  return {
    blockBitmap: wide(0x00, 0x20),
    inodeBitmap: wide(0x04, 0x24),
    inodeTable: wide(0x08, 0x28),
    freeBlocks: count(0x0c, 0x2c),
    freeInodes: count(0x0e, 0x2e),
    directories: count(0x10, 0x30),
    flags: isChecked ? view.getUint16(0x12, true) : 0,
    unusedInodes: isChecked ? count(0x1c, 0x32) : 0,
    blockBitmapChecksum: count(0x18, 0x38),
    inodeBitmapChecksum: count(0x1a, 0x3a),
  };
}

/** The bytes of a descriptor, which the caller may keep; its checksum is compared. */
async function descriptorBytes(frame: Frame, group: number): Promise<Uint8Array> {
  const { blockSize, descriptorSize } = frame;
  const perBlock = blockSize / descriptorSize;
  const at =
    descriptorBlock(frame, Math.floor(group / perBlock)) * blockSize + (group % perBlock) * descriptorSize;
  const what = `the descriptor of group ${group}`;
  const bytes = (await frame.metadata(at, descriptorSize, what)).slice();
  verify(frame, group, bytes, what);
  return bytes;
}

function verify(frame: Frame, group: number, descriptor: Uint8Array, what: string): void {
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
export function hasSuperblock(frame: Frame, group: number): boolean {
  const copies = {
    isSparse: frame.has(GROUP_FEATURES.sparse),
    backupGroups: frame.has(GROUP_FEATURES.sparse2) ? frame.superblock.backupGroups : undefined,
  };
  return holdsSuperblock(copies, group);
}
