import { roundUp, utf8Text } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { type ByteSource, readExactly } from "../extents/index.ts";
import { type EntryType, fileMode } from "../tree/index.ts";
import { superblockChecksum } from "./checksum.ts";
import { featureNames, INCOMPATIBLE, READ_ONLY_COMPATIBLE } from "./features.ts";
import {
  EXTENT_MAGIC,
  extentHeader,
  extentIndex,
  extentLeaf,
  INODE_FLAG,
  type Inode,
  inode as inodeRecord,
  LONGEST_EXTENT,
  ROOT_INODE,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_OFFSET,
  type Superblock,
  superblock as superblockRecord,
} from "./structures.ts";
import { timeFrom } from "./time.ts";

/** An entry of a filesystem, as a walk finds it. A further hard link repeats the inode of the first. */
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
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Blocks of content and metadata, in bytes. */
  readonly allocated: number;
  readonly target?: Uint8Array;
  readonly device?: { readonly major: number; readonly minor: number };
}

/** A run of blocks of a file. */
interface Run {
  readonly logical: number;
  readonly physical: number;
  readonly count: number;
}

const KNOWN_INCOMPATIBLE =
  INCOMPATIBLE.filetype |
  INCOMPATIBLE.extent |
  INCOMPATIBLE["64bit"] |
  INCOMPATIBLE.flex_bg |
  INCOMPATIBLE.metadata_csum_seed;

const DEEPEST_TREE = 5;
const DEEPEST_PATH = 4096;

/**
 * Opens the ext2, ext3 or ext4 filesystem that starts at byte 0 of `source`. Returns `undefined` when there
 * is none.
 */
export async function openExt4(source: ByteSource): Promise<Ext4Volume | undefined> {
  if (source.size < SUPERBLOCK_OFFSET + superblockRecord.span) return undefined;
  const bytes = await source.read(SUPERBLOCK_OFFSET, superblockRecord.span);
  const superblock = superblockRecord.fromBytes(bytes);
  if (superblock.magic !== SUPERBLOCK_MAGIC || superblock.logBlockSize > 6) return undefined;
  const problems: string[] = [];
  const hasChecksums = (superblock.readOnlyCompatible & READ_ONLY_COMPATIBLE.metadata_csum) !== 0;
  if (hasChecksums && superblockChecksum(bytes) !== superblock.checksum) {
    problems.push("the superblock's checksum does not match");
  }
  const volume = new Ext4Volume(source, superblock, problems);
  if (volume.size > source.size) {
    problems.push(`the filesystem has ${volume.size} bytes, but only ${source.size} are there`);
  }
  return volume;
}

/** An ext4 filesystem that can be read: what its superblock says, its entries, and what they hold. */
export class Ext4Volume {
  readonly superblock: Superblock;
  /** What is wrong with the filesystem as far as it was read. */
  readonly problems: readonly string[];
  readonly #source: ByteSource;

  /** Use {@link openExt4}, which checks that there is a filesystem. */
  constructor(source: ByteSource, superblock: Superblock, problems: readonly string[]) {
    this.#source = source;
    this.superblock = superblock;
    this.problems = problems;
  }

  get blockSize(): number {
    return 1024 << this.superblock.logBlockSize;
  }

  get blocks(): number {
    return this.#wide(this.superblock.blocksCountLow, this.superblock.blocksCountHigh);
  }

  get freeBlocks(): number {
    return this.#wide(this.superblock.freeBlocksCountLow, this.superblock.freeBlocksCountHigh);
  }

  get reservedBlocks(): number {
    return this.#wide(this.superblock.reservedBlocksCountLow, this.superblock.reservedBlocksCountHigh);
  }

  /** Bytes of the filesystem. */
  get size(): number {
    return this.blocks * this.blockSize;
  }

  get label(): string {
    const { label } = this.superblock;
    const end = label.indexOf(0);
    const bytes = end < 0 ? label : label.subarray(0, end);
    return utf8Text(bytes) ?? String.fromCharCode(...bytes);
  }

  get uuid(): string {
    return this.superblock.uuid;
  }

  get features(): string[] {
    const { compatible, incompatible, readOnlyCompatible } = this.superblock;
    return featureNames(compatible, incompatible, readOnlyCompatible);
  }

  /** Every entry, parents before children, in the order of the directories. */
  async *entries(): AsyncGenerator<Ext4Entry> {
    this.#checkReadable();
    const pending: { path: Uint8Array; inode: number }[] = [{ path: new Uint8Array(0), inode: ROOT_INODE }];
    const walked = new Set<number>();
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const inode = await this.#inode(next.inode);
      const entry = await this.#entry(next.path, next.inode, inode);
      yield entry;
      if (entry.type !== "directory") continue;
      if (walked.has(next.inode)) throw corrupt(`directory inode ${next.inode} is reached twice`);
      walked.add(next.inode);
      const children: typeof pending = [];
      for (const child of await this.#directory(next.inode, inode)) {
        children.push({ path: join(next.path, child.name), inode: child.inode });
      }
      pending.push(...children.reverse());
    }
  }

  /** The bytes of a file; holes read as zeros. The file has to fit into memory. */
  async readFile(inodeNumber: number): Promise<Uint8Array> {
    return await this.#content(inodeNumber, await this.#inode(inodeNumber));
  }

  /** Reserved entries are 64-bit only where the feature says so. */
  #wide(low: number, high: number): number {
    return (this.superblock.incompatible & INCOMPATIBLE["64bit"]) !== 0 ? high * 2 ** 32 + low : low;
  }

  #checkReadable(): void {
    const unknown = (this.superblock.incompatible & ~KNOWN_INCOMPATIBLE) >>> 0;
    if (unknown !== 0) {
      const names = featureNames(0, unknown, 0).join(", ");
      throw new DiskwrightError("CORRUPT", `the filesystem has features that cannot be read yet: ${names}`);
    }
    const { inodesPerGroup, blocksPerGroup, inodeSize } = this.superblock;
    if (inodesPerGroup === 0 || blocksPerGroup === 0 || inodeSize < 128 || inodeSize > this.blockSize) {
      throw corrupt("the superblock has impossible sizes");
    }
  }

  async #inode(number: number): Promise<Inode> {
    const { superblock, blockSize } = this;
    if (number < 1 || number > superblock.inodesCount) throw corrupt(`there is no inode ${number}`);
    const group = Math.floor((number - 1) / superblock.inodesPerGroup);
    const is64bit = (superblock.incompatible & INCOMPATIBLE["64bit"]) !== 0;
    const descriptorSize = is64bit ? superblock.descriptorSize : 32;
    const tableStart = (superblock.firstDataBlock + 1) * blockSize;
    const descriptor = await this.#read(
      tableStart + group * descriptorSize,
      descriptorSize,
      `group ${group}`,
    );
    const view = new DataView(descriptor.buffer, descriptor.byteOffset);
    const table = view.getUint32(8, true) + (descriptorSize >= 64 ? view.getUint32(0x28, true) * 2 ** 32 : 0);
    const at = table * blockSize + ((number - 1) % superblock.inodesPerGroup) * superblock.inodeSize;
    const stored = await this.#read(at, superblock.inodeSize, `inode ${number}`);
    // An inode of 128 bytes lacks the later fields, and one of 256 may declare fewer of them.
    const extra =
      superblock.inodeSize > 128 ? new DataView(stored.buffer, stored.byteOffset).getUint16(0x80, true) : 0;
    const declared = new Uint8Array(inodeRecord.span);
    declared.set(stored.subarray(0, Math.min(128 + extra, inodeRecord.span, stored.length)));
    return inodeRecord.fromBytes(declared);
  }

  async #entry(path: Uint8Array, number: number, inode: Inode): Promise<Ext4Entry> {
    const type = fileMode.typeOfMode(inode.mode);
    if (type === undefined)
      throw corrupt(`inode ${number} has the impossible mode 0${inode.mode.toString(8)}`);
    const { seconds, nanoseconds } = timeFrom(inode.modificationTime, inode.modificationTimeExtra);
    const size = sizeOf(inode);
    const isDevice = type === "character" || type === "block";
    return {
      path,
      inode: number,
      type,
      mode: inode.mode & fileMode.PERMISSION_MASK,
      uid: inode.uidHigh * 2 ** 16 + inode.uidLow,
      gid: inode.gidHigh * 2 ** 16 + inode.gidLow,
      size,
      links: inode.linksCount,
      mtime: BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds),
      allocated: (inode.sectorsCountHigh * 2 ** 32 + inode.sectorsCountLow) * 512,
      ...(type === "symlink" ? { target: await this.#target(number, inode, size) } : {}),
      ...(isDevice ? { device: deviceOf(inode.block) } : {}),
    };
  }

  async #target(number: number, inode: Inode, size: number): Promise<Uint8Array> {
    if (size < inode.block.length && (inode.flags & INODE_FLAG.extents) === 0)
      return inode.block.slice(0, size);
    if (size > this.blockSize) throw corrupt(`the symlink of inode ${number} has ${size} bytes`);
    return await this.#content(number, inode);
  }

  /** The names in a directory, without "." and "..". The inner nodes of an index look like unused entries. */
  async #directory(number: number, inode: Inode): Promise<{ name: Uint8Array; inode: number }[]> {
    const bytes = await this.#content(number, inode);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const children: { name: Uint8Array; inode: number }[] = [];
    for (let at = 0; at + 8 <= bytes.length; ) {
      const child = view.getUint32(at, true);
      const length = view.getUint16(at + 4, true);
      const nameLength = bytes[at + 6]!;
      const blockEnd = roundUp(at + 1, this.blockSize);
      if (
        length < 8 ||
        length % 4 !== 0 ||
        at + length > blockEnd ||
        (child !== 0 && 8 + nameLength > length)
      ) {
        throw corrupt(`directory inode ${number} is damaged at byte ${at}`);
      }
      const name = bytes.slice(at + 8, at + 8 + nameLength);
      const isDots = name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));
      if (child !== 0 && !isDots) children.push({ name, inode: child });
      at += length;
    }
    return children;
  }

  async #content(number: number, inode: Inode): Promise<Uint8Array> {
    const { blockSize } = this;
    const size = sizeOf(inode);
    if (size > LARGEST_IN_MEMORY)
      throw corrupt(`inode ${number} has ${size} bytes, too many to hold in memory`);
    if ((inode.flags & INODE_FLAG.extents) === 0 && size > 0) {
      throw new DiskwrightError(
        "CORRUPT",
        `inode ${number} has no extents; block maps and inline data cannot be read yet`,
      );
    }
    const bytes = new Uint8Array(size);
    for (const { logical, physical, count } of await this.#runs(number, inode)) {
      const start = logical * blockSize;
      const length = Math.min(count * blockSize, size - start);
      if (length > 0)
        bytes.set(await this.#read(physical * blockSize, length, `content of inode ${number}`), start);
    }
    return bytes;
  }

  /** The runs of a file's blocks that hold data, from its extent tree. */
  async #runs(number: number, inode: Inode): Promise<Run[]> {
    const runs: Run[] = [];
    const visit = async (node: Uint8Array, expectedDepth: number | undefined): Promise<void> => {
      const { magic, entries, maximumEntries, depth } = extentHeader.fromBytes(node);
      const room = Math.floor((node.length - extentHeader.span) / extentLeaf.span);
      const isSound = magic === EXTENT_MAGIC && entries <= maximumEntries && maximumEntries <= room;
      if (!isSound || depth > DEEPEST_TREE || (expectedDepth !== undefined && depth !== expectedDepth)) {
        throw corrupt(`the extent tree of inode ${number} is damaged`);
      }
      for (let index = 0; index < entries; index++) {
        const at = extentHeader.span + index * extentLeaf.span;
        if (depth === 0) {
          const { logicalBlock, length, startHigh, startLow } = extentLeaf.fromBytes(node, at);
          // Longer than the longest: blocks that are set aside, but read as zeros.
          if (length > LONGEST_EXTENT) continue;
          runs.push({ logical: logicalBlock, physical: startHigh * 2 ** 32 + startLow, count: length });
        } else {
          const { nodeBlockLow, nodeBlockHigh } = extentIndex.fromBytes(node, at);
          const block = nodeBlockHigh * 2 ** 32 + nodeBlockLow;
          const child = await this.#read(
            block * this.blockSize,
            this.blockSize,
            `extent tree of inode ${number}`,
          );
          await visit(child, depth - 1);
        }
      }
    };
    await visit(inode.block, undefined);
    return runs;
  }

  async #read(position: number, length: number, what: string): Promise<Uint8Array> {
    return await readExactly(this.#source, position, length, what);
  }
}

const LARGEST_IN_MEMORY = 2 ** 31;

function sizeOf(inode: Inode): number {
  return inode.sizeHigh * 2 ** 32 + inode.sizeLow;
}

/** The number of a device, from either of the two words that can hold it. */
function deviceOf(block: Uint8Array): { major: number; minor: number } {
  const view = new DataView(block.buffer, block.byteOffset);
  const short = view.getUint32(0, true);
  if (short !== 0) return { major: (short >>> 8) & 0xff, minor: short & 0xff };
  const long = view.getUint32(4, true);
  return { major: (long & 0xfff00) >>> 8, minor: (long & 0xff) | ((long >>> 12) & 0xfff00) };
}

function join(parent: Uint8Array, name: Uint8Array): Uint8Array {
  if (parent.length === 0) return name;
  if (parent.length + name.length > DEEPEST_PATH * 256)
    throw corrupt("the directories are nested too deeply");
  const path = new Uint8Array(parent.length + 1 + name.length);
  path.set(parent);
  path[parent.length] = 0x2f;
  path.set(name, parent.length + 1);
  return path;
}

function corrupt(message: string): DiskwrightError {
  return new DiskwrightError("CORRUPT", message);
}
