import { DiskwrightError } from "../../errors.ts";
import { fileMode } from "../../tree/index.ts";
import { mostMappedBlocks } from "../block-map.ts";
import { COMPATIBLE, INCOMPATIBLE, READ_ONLY_COMPATIBLE } from "../features.ts";
import { type FileRun, fileRuns, hasExtents, runsInInode } from "../read/blocks.ts";
import { isFast, targetOf } from "../read/entry.ts";
import type { Frame } from "../read/frame.ts";
import { isInline } from "../read/inline.ts";
import { READ_FLAG, type StoredInode } from "../read/inode.ts";
import { storedInBlock, storedInInode } from "../read/stored-xattrs.ts";
import { INODE_FLAG } from "../structures.ts";
import type { RawXattr } from "../xattr/encode.ts";
import { BlockClaims } from "./block-claims.ts";

// What an inode says of itself, held against the blocks that it has: its size, its count of blocks, its flags, and
// whether its blocks are its own (inodes.rst, ifork.rst).

const APPEND_ONLY = 0x20;
const VERITY = 0x100000;
const SECTOR = 512;

/** What an inode has on the disk. */
interface Possessions {
  /** Blocks of content and of the map that leads to it. */
  blocks: number;
  /** The last block of the file that is there, and the last that was written; -1 for none. */
  lastBlock: number;
  lastWritten: number;
}

/**
 * Checks inodes one by one, and remembers which blocks they have: two that share one are a problem. What is wrong
 * becomes a line of the problems of the filesystem.
 */
export class InodeCheck {
  readonly claims: BlockClaims;
  /** How many inodes name each block of attributes, and how many it says that there are. */
  readonly xattrBlocks = new Map<number, { found: number; readonly stated: number }>();
  /** How many attributes name each inode that holds a value (ea_inode). */
  readonly valueReferences = new Map<number, number>();
  readonly #frame: Frame;
  readonly #isClustered: boolean;
  readonly #canShare: boolean;

  constructor(frame: Frame, claims: BlockClaims = new BlockClaims(frame)) {
    this.#frame = frame;
    this.claims = claims;
    this.#isClustered = frame.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.bigalloc });
    this.#canShare = frame.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.shared_blocks });
  }

  /** Checks an inode in use, each once. What keeps its blocks from being found is a problem, too. */
  async check(inode: StoredInode): Promise<void> {
    try {
      this.#checkFlags(inode);
      const xattrBytes = await this.#checkXattrs(inode);
      if (await this.#hasBlocks(inode)) await this.#checkBlocks(inode, xattrBytes);
      else this.#checkWithoutBlocks(inode, xattrBytes);
    } catch (error) {
      if (!(error instanceof DiskwrightError)) throw error;
      this.#frame.problems.add(error.message);
    }
  }

  #note(inode: StoredInode, what: string): void {
    this.#frame.problems.add(`inode ${inode.number} ${what}`);
  }

  #checkFlags(inode: StoredInode): void {
    const frame = this.#frame;
    const { flags, deletionTime } = inode;
    const type = fileMode.typeOfMode(inode.mode);
    if (inode.fragmentAddress !== 0) this.#note(inode, "has the address of a fragment, which must be 0");
    if (deletionTime !== 0) this.#note(inode, "is in use, but has a time of deletion");
    if ((flags & INODE_FLAG.extents) !== 0 && !frame.has({ incompatible: INCOMPATIBLE.extent })) {
      this.#note(inode, "has extents, but the filesystem lacks the feature extent");
    }
    if ((flags & INODE_FLAG.xattrValue) !== 0 && !frame.has({ incompatible: INCOMPATIBLE.ea_inode })) {
      this.#note(inode, "holds an extended attribute, but the filesystem lacks the feature ea_inode");
    }
    if ((flags & INODE_FLAG.index) !== 0) {
      if (type !== "directory") this.#note(inode, "has an index of names, but is no directory");
      else if (!frame.has({ compatible: COMPATIBLE.dir_index })) {
        this.#note(inode, "has an index of names, but the filesystem lacks the feature dir_index");
      }
    }
    if (type === undefined || type === "file" || type === "directory") return;
    if ((flags & (INODE_FLAG.immutable | APPEND_ONLY)) !== 0) {
      this.#note(inode, `is a ${type}, and immutable or append-only`);
    }
    if (type === "symlink") return;
    if ((flags & (INODE_FLAG.extents | INODE_FLAG.inlineData)) !== 0) {
      this.#note(inode, `is a ${type}, and has extents or inline data`);
    }
    if (inode.size !== 0) this.#note(inode, `is a ${type}, and has ${inode.size} bytes`);
  }

  /** Whether the fields of an inode lead to blocks: those of devices and short symlinks hold something else. */
  async #hasBlocks(inode: StoredInode): Promise<boolean> {
    const frame = this.#frame;
    const type = fileMode.typeOfMode(inode.mode);
    if (type === "symlink") {
      if (isInline(frame, inode)) return false;
      const hasBlocks = !isFast(frame, inode);
      if ((inode.flags & READ_FLAG.encrypted) === 0) await this.#checkTarget(inode, hasBlocks);
      return hasBlocks;
    }
    return (type === "file" || type === "directory") && !isInline(frame, inode);
  }

  /** The target of a symlink ends with a zero, where its size says that it ends. */
  async #checkTarget(inode: StoredInode, hasBlocks: boolean): Promise<void> {
    const frame = this.#frame;
    await targetOf(frame, inode);
    const run = hasBlocks ? runsInInode(frame, inode)?.[0] : undefined;
    if (hasBlocks && run === undefined) return;
    const what = `the target of inode ${inode.number}`;
    const bytes = run === undefined ? inode.block : await frame.block(run.physical, what);
    if (bytes.indexOf(0) !== inode.size) {
      this.#note(inode, `is a symlink of size ${inode.size}, which is not where its target ends`);
    }
  }

  /** Takes note of attributes, and returns the bytes that count as the inode's because of them. */
  async #checkXattrs(inode: StoredInode): Promise<number> {
    const frame = this.#frame;
    const { xattrBlock } = inode;
    let bytes = this.#takeXattrs(storedInInode(inode));
    if (xattrBlock === 0) return bytes;
    bytes += frame.clusterSize;
    const known = this.xattrBlocks.get(xattrBlock);
    if (known !== undefined) known.found++;
    const xattrs = await storedInBlock(frame, inode);
    if (known === undefined) {
      const block = await frame.block(xattrBlock, "");
      const stated = new DataView(block.buffer, block.byteOffset).getUint32(0x04, true);
      this.xattrBlocks.set(xattrBlock, { found: 1, stated });
      this.#claim(inode, xattrBlock, 1);
    }
    return bytes + this.#takeXattrs(xattrs);
  }

  #takeXattrs(xattrs: readonly RawXattr[]): number {
    const { clusterSize } = this.#frame;
    let bytes = 0;
    for (const xattr of xattrs) {
      if (!("valueInode" in xattr)) continue;
      const { valueInode, size } = xattr;
      this.valueReferences.set(valueInode, (this.valueReferences.get(valueInode) ?? 0) + 1);
      bytes += Math.ceil(size / clusterSize) * clusterSize;
    }
    return bytes;
  }

  async #checkBlocks(inode: StoredInode, xattrBytes: number): Promise<void> {
    const frame = this.#frame;
    const possessions: Possessions = { blocks: 0, lastBlock: -1, lastWritten: -1 };
    const runs = runsInInode(frame, inode);
    if (runs !== undefined) for (const run of runs) this.#take(inode, possessions, run);
    else {
      const onNode = (block: number): void => {
        if (!frame.isInside(block, 1)) return;
        possessions.blocks++;
        this.#claim(inode, block, 1);
      };
      for await (const run of fileRuns(frame, inode, 0, 2 ** 32, onNode)) this.#take(inode, possessions, run);
    }
    this.#checkSize(inode, possessions);
    this.#checkAllocated(inode, possessions.blocks * frame.blockSize + xattrBytes);
  }

  #take(
    inode: StoredInode,
    possessions: Possessions,
    { logical, physical, count, isWritten }: FileRun,
  ): void {
    possessions.blocks += count;
    possessions.lastBlock = logical + count - 1;
    if (isWritten) possessions.lastWritten = logical + count - 1;
    this.#claim(inode, physical, count);
  }

  #claim(inode: StoredInode, start: number, count: number): void {
    const shared = this.claims.claim(start, count);
    if (shared === undefined || this.#canShare) return;
    this.#note(inode, `has block ${shared}, which something else has, too`);
  }

  #checkSize(inode: StoredInode, { lastBlock, lastWritten }: Possessions): void {
    const { blockSize } = this.#frame;
    const { size, flags } = inode;
    if ((inode.mode & fileMode.TYPE_MASK) === fileMode.DIRECTORY) {
      const blocks = lastBlock + 1;
      if (size !== blocks * blockSize) {
        this.#note(inode, `is a directory of ${blocks} blocks, but has the size ${size}`);
      }
      return;
    }
    const most = (hasExtents(inode) ? 2 ** 32 : mostMappedBlocks(blockSize)) * blockSize;
    if (size > most) this.#note(inode, `has ${size} bytes, more than ${most / blockSize} blocks can hold`);
    // What a file with a signature is signed by lies behind its end (verity.rst).
    if (size < lastWritten * blockSize && (flags & VERITY) === 0) {
      this.#note(inode, `has the size ${size}, but content up to block ${lastWritten} of it`);
    }
  }

  #checkAllocated(inode: StoredInode, bytes: number): void {
    // With clusters, what is given to a file is more than the blocks that it uses.
    if (this.#isClustered || inode.allocated === bytes) return;
    this.#note(inode, `counts ${inode.allocated / SECTOR} sectors, but has ${bytes / SECTOR}`);
  }

  #checkWithoutBlocks(inode: StoredInode, xattrBytes: number): void {
    this.#checkAllocated(inode, xattrBytes);
    if ((inode.mode & fileMode.TYPE_MASK) !== fileMode.DIRECTORY || !isInline(this.#frame, inode)) return;
    if (inode.size < inode.block.length) {
      this.#note(inode, `is an inline directory, but has the size ${inode.size}`);
    }
  }
}
