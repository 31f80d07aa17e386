import { type Awaitable, type ByteSource, type FunctionContent, sourceContent } from "../../extents/index.ts";
import { filesystemSeed } from "../checksum.ts";
import { COMPATIBLE, featureNames, INCOMPATIBLE, READ_ONLY_COMPATIBLE } from "../features.ts";
import { BASE_INODE_SIZE, type Superblock } from "../structures.ts";
import { PieceCache } from "./cache.ts";
import { corrupt, type Problems, unreadable } from "./problems.ts";

// What every part of the reader stands on: the sizes that the superblock gives, which are checked before they
// are used, and access to blocks.

/** Features without which names, inodes or blocks would be misread. Encryption is a matter of single files. */
const READABLE =
  INCOMPATIBLE.filetype |
  INCOMPATIBLE.needs_recovery |
  INCOMPATIBLE.meta_bg |
  INCOMPATIBLE.extent |
  INCOMPATIBLE["64bit"] |
  INCOMPATIBLE.mmp |
  INCOMPATIBLE.flex_bg |
  INCOMPATIBLE.ea_inode |
  INCOMPATIBLE.metadata_csum_seed |
  INCOMPATIBLE.large_dir |
  INCOMPATIBLE.inline_data |
  INCOMPATIBLE.encrypt |
  INCOMPATIBLE.casefold;

/** Bits of the superblock's three words of features. */
interface FeatureBits {
  readonly compatible?: number;
  readonly incompatible?: number;
  readonly readOnlyCompatible?: number;
}

const SHORT_DESCRIPTOR = 32;
const LONG_DESCRIPTOR = 64;
/** Extents number blocks with 48 bits. */
const MOST_BLOCKS = 2 ** 48;
const MOST_VERIFIED = 65536;

/** A filesystem as far as its superblock describes it. */
export class Frame {
  readonly superblock: Superblock;
  readonly source: ByteSource;
  /** The same, for extents. */
  readonly content: FunctionContent;
  readonly problems: Problems;
  /** Bytes. */
  readonly blockSize: number;
  readonly blocks: number;
  readonly inodeSize: number;
  /** metadata_csum. */
  readonly hasChecksums: boolean;
  readonly checksumSeed: number;
  readonly descriptorSize: number;
  /** What keeps the filesystem from being read. */
  readonly obstacle: Error | undefined;
  readonly #cache: PieceCache;
  readonly #verified = new Map<number, number>();

  constructor(source: ByteSource, superblock: Superblock, problems: Problems) {
    this.source = source;
    this.content = sourceContent(source);
    this.superblock = superblock;
    this.problems = problems;
    this.#cache = new PieceCache(source);
    this.blockSize = 1024 << superblock.logBlockSize;
    this.blocks = this.wide(superblock.blocksCountLow, superblock.blocksCountHigh);
    // Revision 0 has no field for it.
    this.inodeSize = superblock.revision === 0 ? BASE_INODE_SIZE : superblock.inodeSize;
    this.hasChecksums = this.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.metadata_csum });
    this.checksumSeed = this.has({ incompatible: INCOMPATIBLE.metadata_csum_seed })
      ? superblock.checksumSeed
      : filesystemSeed(superblock.uuid);
    this.descriptorSize = this.#is64bit ? superblock.descriptorSize : SHORT_DESCRIPTOR;
    this.obstacle = this.#featureObstacle() ?? this.#sizeObstacle();
  }

  has({ compatible = 0, incompatible = 0, readOnlyCompatible = 0 }: FeatureBits): boolean {
    const { superblock } = this;
    return (
      ((superblock.compatible & compatible) |
        (superblock.incompatible & incompatible) |
        (superblock.readOnlyCompatible & readOnlyCompatible)) !==
      0
    );
  }

  /** A number of blocks; its upper half counts only where the feature 64bit says so. */
  wide(low: number, high: number): number {
    return this.#is64bit ? high * 2 ** 32 + low : low;
  }

  /** Block groups. */
  get groups(): number {
    const { firstDataBlock, blocksPerGroup } = this.superblock;
    return Math.ceil((this.blocks - firstDataBlock) / blocksPerGroup);
  }

  /** Bytes that are given away at once (bigalloc); otherwise those of a block. */
  get clusterSize(): number {
    const isClustered = this.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.bigalloc });
    return isClustered ? 2 ** (10 + this.superblock.logClusterSize) : this.blockSize;
  }

  /** Throws what keeps the filesystem from being read. */
  checkReadable(): void {
    if (this.obstacle !== undefined) throw this.obstacle;
  }

  /** Whether these blocks lie where files can have blocks. */
  isInside(block: number, count: number): boolean {
    return block > this.superblock.firstDataBlock && block + count <= this.blocks;
  }

  /** Metadata at a position, through the cache. It must not be changed. */
  metadata(position: number, length: number, what: string): Awaitable<Uint8Array> {
    return this.#cache.read(position, length, what);
  }

  /** A block of metadata that something points to. It must not be changed. */
  block(block: number, what: string): Awaitable<Uint8Array> {
    if (!this.isInside(block, 1)) {
      throw corrupt(`${what} should lie in block ${block}, but the filesystem has ${this.blocks}`);
    }
    return this.#cache.read(block * this.blockSize, this.blockSize, what);
  }

  /** Whether a block was found sound before as a part of this inode; a node may be asked for many times. */
  isVerified(block: number, inode: number): boolean {
    return this.#verified.get(block) === inode;
  }

  markVerified(block: number, inode: number): void {
    if (this.#verified.size >= MOST_VERIFIED) this.#verified.clear();
    this.#verified.set(block, inode);
  }

  get #is64bit(): boolean {
    return (this.superblock.incompatible & INCOMPATIBLE["64bit"]) !== 0;
  }

  #featureObstacle(): Error | undefined {
    const unknown = (this.superblock.incompatible & ~READABLE) >>> 0;
    if (unknown === 0) return undefined;
    const names = featureNames(0, unknown, 0).join(", ");
    return unreadable(`the filesystem has features that cannot be read: ${names}`);
  }

  #sizeObstacle(): Error | undefined {
    const { superblock, blockSize, blocks, inodeSize, descriptorSize } = this;
    const { inodesPerGroup, blocksPerGroup, firstDataBlock, inodesCount } = superblock;
    const impossible = (what: string): Error =>
      corrupt(`the superblock has impossible sizes: ${what}; a backup of it may be sound, try e2fsck -b`);
    if (blocks <= firstDataBlock || blocks > MOST_BLOCKS || firstDataBlock > 1) {
      return impossible(`${blocks} blocks, the first of them ${firstDataBlock}`);
    }
    // With clusters a group has more blocks than a block of its bitmap has bits.
    const isClustered = this.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.bigalloc });
    if (blocksPerGroup === 0 || (!isClustered && blocksPerGroup > 8 * blockSize)) {
      return impossible(`${blocksPerGroup} blocks in a group`);
    }
    if (inodesPerGroup === 0 || inodesPerGroup > 8 * blockSize) {
      return impossible(`${inodesPerGroup} inodes in a group`);
    }
    if (inodesCount > this.groups * inodesPerGroup) return impossible(`${inodesCount} inodes`);
    if (inodeSize < BASE_INODE_SIZE || inodeSize > blockSize || !isPowerOf2(inodeSize)) {
      return impossible(`inodes of ${inodeSize} bytes`);
    }
    const isLong = descriptorSize >= LONG_DESCRIPTOR && descriptorSize <= blockSize;
    if (this.#is64bit && !(isLong && isPowerOf2(descriptorSize))) {
      return impossible(`group descriptors of ${descriptorSize} bytes`);
    }
    return undefined;
  }
}

/** The features that change how descriptors of groups lie and are checked, by name. */
export const GROUP_FEATURES = {
  metaGroups: { incompatible: INCOMPATIBLE.meta_bg },
  sparse: { readOnlyCompatible: READ_ONLY_COMPATIBLE.sparse_super },
  sparse2: { compatible: COMPATIBLE.sparse_super2 },
  crc16: { readOnlyCompatible: READ_ONLY_COMPATIBLE.uninit_bg },
} as const;

function isPowerOf2(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}
