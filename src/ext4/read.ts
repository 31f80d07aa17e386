import { printable } from "../bytes/index.ts";
import type { ByteRange, ByteSource, Extent } from "../extents/index.ts";
import type { DataRange } from "../tree/index.ts";
import { checkFilesystem, type Ext4CheckOptions } from "./check/check.ts";
import { InodeCheck } from "./check/inode-check.ts";
import { superblockChecksum } from "./checksum.ts";
import { featureNames } from "./features.ts";
import { contentOf, dataRangesOf, extentsOf } from "./read/content.ts";
import { type DirectoryChild, type DirectoryListing, readDirectory } from "./read/directory.ts";
import { type Ext4Entry, entryOf, targetOf, typeOf } from "./read/entry.ts";
import { Frame } from "./read/frame.ts";
import { freeRanges } from "./read/free.ts";
import { InodeTables } from "./read/groups.ts";
import { READ_FLAG, readInode, type StoredInode } from "./read/inode.ts";
import { type JournalState, noteState, readJournal } from "./read/journal.ts";
import { joinPath, type Names, nameOfKey, type Resolved, resolvePath } from "./read/path.ts";
import { corrupt, Problems, unreadable } from "./read/problems.ts";
import { readXattrs } from "./read/xattrs.ts";
import { textFrom } from "./settings.ts";
import {
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_OFFSET,
  type Superblock,
  superblock as superblockRecord,
} from "./structures.ts";

export type { Ext4CheckOptions } from "./check/check.ts";
export type { Ext4Entry } from "./read/entry.ts";
export type { JournalState } from "./read/journal.ts";

/** A path from the root, as text or as bytes, or the number of an inode. */
export type Ext4Place = string | Uint8Array | number;

/** Blocks of 64 KiB, the largest. */
const LARGEST_LOG_BLOCK_SIZE = 6;
const LARGEST_IN_MEMORY = 2 ** 31;

/**
 * Opens the ext2, ext3 or ext4 filesystem that starts at byte 0 of `source`. Returns `undefined` when there
 * is none. What is wrong with it is in its `problems`; what keeps it from being read is thrown only when its
 * content is asked for.
 */
export async function openExt4(source: ByteSource): Promise<Ext4Volume | undefined> {
  if (source.size < SUPERBLOCK_OFFSET + superblockRecord.span) return undefined;
  const bytes = await source.read(SUPERBLOCK_OFFSET, superblockRecord.span);
  const superblock = superblockRecord.fromBytes(bytes);
  if (superblock.magic !== SUPERBLOCK_MAGIC || superblock.logBlockSize > LARGEST_LOG_BLOCK_SIZE) {
    return undefined;
  }
  const problems = new Problems();
  const frame = new Frame(source, superblock, problems);
  if (frame.hasChecksums && superblockChecksum(bytes) !== superblock.checksum) {
    problems.add("the superblock: its checksum does not match");
  }
  if (!frame.hasChecksums && superblock.checksumType !== 0) {
    problems.add("the superblock names a kind of checksum, but lacks the feature metadata_csum");
  }
  const size = frame.blocks * frame.blockSize;
  if (size > source.size) {
    problems.add(`the filesystem has ${size} bytes, but only ${source.size} are there`);
  }
  noteState(frame);
  const tables = new InodeTables(frame);
  if (frame.obstacle !== undefined) {
    problems.add(frame.obstacle.message);
    return new Ext4Volume(frame, tables, { state: "none", size: 0 });
  }
  const journal = await readJournal(frame, (number) => readInode(frame, tables, number));
  return new Ext4Volume(frame, tables, journal);
}

/**
 * An ext4 filesystem that can be read: what its superblock says, its entries, and what they hold. Every method
 * that reads throws DiskwrightError `CORRUPT` for damage that keeps it from reading, and `SOURCE_UNREADABLE`
 * for what is not there or needs a feature that is not read; lesser damage becomes a line of `problems`.
 */
export class Ext4Volume {
  /** The journal is never replayed: what it still holds is missing from what is read. */
  readonly journal: JournalState;
  readonly #frame: Frame;
  readonly #tables: InodeTables;
  readonly #directories = new DirectoryCache();
  /** The check of all of it, once it was asked for. */
  #checking: Promise<void> | undefined;
  readonly #names: Names = {
    inode: (number) => this.#inode(number),
    directory: (inode) => this.#directory(inode),
    target: (inode) => targetOf(this.#frame, inode),
  };

  /** Use {@link openExt4}, which checks that there is a filesystem. */
  constructor(frame: Frame, tables: InodeTables, journal: JournalState) {
    this.#frame = frame;
    this.#tables = tables;
    this.journal = journal;
  }

  get superblock(): Superblock {
    return this.#frame.superblock;
  }

  /** What is wrong with the filesystem as far as it was read: at most 100 lines, and how many more there are. */
  get problems(): readonly string[] {
    return this.#frame.problems.lines;
  }

  get blockSize(): number {
    return this.#frame.blockSize;
  }

  /** Bytes of an inode. */
  get inodeSize(): number {
    return this.#frame.inodeSize;
  }

  get blocks(): number {
    return this.#frame.blocks;
  }

  get freeBlocks(): number {
    return this.#frame.wide(this.superblock.freeBlocksCountLow, this.superblock.freeBlocksCountHigh);
  }

  get reservedBlocks(): number {
    return this.#frame.wide(this.superblock.reservedBlocksCountLow, this.superblock.reservedBlocksCountHigh);
  }

  /** Bytes of the filesystem. */
  get size(): number {
    return this.blocks * this.blockSize;
  }

  get label(): string {
    return textFrom(this.superblock.label);
  }

  get uuid(): string {
    return this.superblock.uuid;
  }

  get features(): string[] {
    const { compatible, incompatible, readOnlyCompatible } = this.superblock;
    return featureNames(compatible, incompatible, readOnlyCompatible);
  }

  /**
   * Checks the whole filesystem as e2fsck does, without reading what is in files: superblock, groups, inodes, names,
   * links, bitmaps, counts. Returns its problems, which are those of {@link problems}. A filesystem whose journal has
   * to be replayed is not checked any further.
   */
  async check(options: Ext4CheckOptions = {}): Promise<readonly string[]> {
    const isWhole = this.size <= this.#frame.source.size;
    if (this.#frame.obstacle === undefined && isWhole && this.journal.state !== "needs replay") {
      this.#checking ??= checkFilesystem(this.#frame, this.#tables, options);
      await this.#checking;
    }
    return this.problems;
  }

  /**
   * Every entry of the filesystem, or of a directory in it, which comes first: parents before children, in the
   * order of the directories. Directories with encrypted names are not entered, and noted as a problem, as is an inode
   * that says of itself what its blocks do not.
   */
  async *entries(from: string | Uint8Array = ""): AsyncGenerator<Ext4Entry> {
    const top = await this.#resolve(from, true);
    const checkInode = this.#inodeCheck();
    await checkInode(top.inode);
    yield await entryOf(this.#frame, top.path, top.inode);
    if (typeOf(top.inode) !== "directory") return;
    const walked = new Set<number>();
    let blocks = 0;
    /** Opens a directory, so that its children are next. */
    const enter = async (path: Uint8Array, inode: StoredInode): Promise<OpenDirectory | undefined> => {
      if (walked.has(inode.number)) throw corrupt(`directory inode ${inode.number} is reached twice`);
      walked.add(inode.number);
      if ((inode.flags & READ_FLAG.encrypted) !== 0) {
        this.#frame.problems.add(`/${printable(path)} is encrypted: its names cannot be read`);
        return undefined;
      }
      const { children, parent, blocks: own } = await readDirectory(this.#frame, inode);
      // Otherwise a small image could claim the same large directory for each of its inodes.
      blocks += own;
      if (blocks > this.blocks) throw corrupt("the directories share blocks");
      return { path, inode: inode.number, parent, children: children.entries() };
    };
    const open = [await enter(top.path, top.inode)];
    for (let here = open.at(-1); here !== undefined; here = open.at(-1)) {
      const next = here.children.next();
      if (next.done) {
        open.pop();
        continue;
      }
      const [key, child] = next.value;
      const inode = await this.#inode(child.inode);
      const entry = await entryOf(this.#frame, joinPath(here.path, nameOfKey(key)), inode);
      await checkInode(inode);
      if (child.type !== undefined && child.type !== entry.type) {
        const name = printable(entry.path);
        this.#frame.problems.add(`/${name} is a ${entry.type}, but its directory says ${child.type}`);
      }
      yield entry;
      if (entry.type !== "directory") continue;
      const entered = await enter(entry.path, inode);
      if (entered === undefined) continue;
      if (entered.parent !== undefined && entered.parent !== here.inode) {
        this.#frame.problems.add(`/${printable(entry.path)}: ".." leads to inode ${entered.parent}`);
      }
      open.push(entered);
    }
  }

  /** The entries of one directory, in its order; a symlink to it is followed. */
  async *list(path: string | Uint8Array): AsyncGenerator<Ext4Entry> {
    const { path: parent, inode } = await this.#resolve(path, true);
    if (typeOf(inode) !== "directory") {
      const shown = typeof path === "string" ? path : printable(path);
      throw unreadable(`${shown}: not a directory`, shown);
    }
    const { children } = await this.#directory(inode);
    for (const [key, child] of children) {
      yield await entryOf(this.#frame, joinPath(parent, nameOfKey(key)), await this.#inode(child.inode));
    }
  }

  /**
   * The entry that a path leads to, with the path behind all symlinks; of an inode given by its number the path
   * is empty. Symlinks are followed inside of the filesystem, a last one unless `follow` is false.
   */
  async stat(place: Ext4Place, options: { readonly follow?: boolean } = {}): Promise<Ext4Entry> {
    const { path, inode } = await this.#resolve(place, options.follow ?? true);
    return await entryOf(this.#frame, path, inode);
  }

  /** The bytes of a file of up to 2 GiB, holes as zeros. {@link open} needs no memory for the whole of it. */
  async readFile(place: Ext4Place): Promise<Uint8Array> {
    const content = await this.open(place);
    if (content.size > LARGEST_IN_MEMORY) {
      const shown = typeof place === "number" ? `inode ${place}` : `"${this.#shown(place)}"`;
      throw unreadable(`${shown} has ${content.size} bytes, too many to hold in memory: use open()`);
    }
    return await content.read(0, content.size);
  }

  /** The content of a file, to be read at any position; holes are zeros. */
  async open(place: Ext4Place): Promise<ByteSource> {
    const inode = await this.#withContent(place);
    return contentOf(this.#frame, inode);
  }

  /**
   * The parts of a file that hold data, in ascending order, next ones apart. What lies between them, holes and
   * blocks that were only set aside, reads as zeros.
   */
  async *dataRanges(place: Ext4Place): AsyncGenerator<DataRange> {
    yield* dataRangesOf(this.#frame, await this.#withContent(place));
  }

  /**
   * The parts of a file that hold data, as {@link dataRanges}, each with where it is: an extent's position is that in
   * the file, its offset that in the source of the filesystem. What is inline comes as bytes.
   */
  async *extents(place: Ext4Place): AsyncGenerator<Extent> {
    yield* extentsOf(this.#frame, await this.#withContent(place));
  }

  /**
   * What the block bitmaps call free, as byte ranges in ascending order. A group whose bitmap cannot be trusted has
   * none, and neither has a filesystem with bigalloc.
   */
  async *freeRanges(): AsyncGenerator<ByteRange> {
    this.#frame.checkReadable();
    yield* freeRanges(this.#frame);
  }

  /** Extended attributes by name, in the form of getxattr(2). A last symlink is not followed. */
  async xattrs(place: Ext4Place): Promise<Map<string, Uint8Array>> {
    const { inode } = await this.#resolve(place, false);
    return await readXattrs(this.#frame, inode, (number) => this.#inode(number));
  }

  async #resolve(place: Ext4Place, follow: boolean): Promise<Resolved> {
    this.#frame.checkReadable();
    if (typeof place !== "number") return await resolvePath(this.#names, place, follow);
    return { path: new Uint8Array(0), inode: await this.#inode(place) };
  }

  /** An inode that has content of its own: a device, a fifo or a socket has none. */
  async #withContent(place: Ext4Place): Promise<StoredInode> {
    const { inode } = await this.#resolve(place, true);
    const type = typeOf(inode);
    if (type === "file" || type === "directory") return inode;
    const shown = typeof place === "number" ? `inode ${place}` : this.#shown(place);
    throw unreadable(`${shown}: a ${type} has no content`, shown);
  }

  #shown(path: string | Uint8Array): string {
    return typeof path === "string" ? path : printable(path);
  }

  /** Checks the inodes of a walk, each once. What a journal has still to say about them is not held against them. */
  #inodeCheck(): (inode: StoredInode) => Promise<void> | undefined {
    if (this.#checking !== undefined || this.journal.state === "needs replay") return () => undefined;
    const check = new InodeCheck(this.#frame);
    const linked = new Set<number>();
    return (inode) => {
      if (inode.links > 1) {
        if (linked.has(inode.number)) return undefined;
        linked.add(inode.number);
      }
      return check.check(inode);
    };
  }

  #inode(number: number): Promise<StoredInode> {
    return readInode(this.#frame, this.#tables, number);
  }

  async #directory(inode: StoredInode): Promise<DirectoryListing> {
    const known = this.#directories.get(inode.number);
    if (known !== undefined) return known;
    const listing = await readDirectory(this.#frame, inode);
    this.#directories.set(inode.number, listing);
    return listing;
  }
}

interface OpenDirectory {
  readonly path: Uint8Array;
  readonly inode: number;
  readonly parent: number | undefined;
  readonly children: Iterator<[string, DirectoryChild]>;
}

const MOST_NAMES = 200_000;

/**
 * The directories that paths led through last, with as many names as memory is spent on. One that is huge
 * counts for half of them only, so that it and those on the way to it stay together.
 */
class DirectoryCache {
  readonly #listings = new Map<number, DirectoryListing>();
  #names = 0;

  get(inode: number): DirectoryListing | undefined {
    const listing = this.#listings.get(inode);
    if (listing === undefined) return undefined;
    this.#listings.delete(inode);
    this.#listings.set(inode, listing);
    return listing;
  }

  set(inode: number, listing: DirectoryListing): void {
    if (this.#listings.has(inode)) return;
    this.#listings.set(inode, listing);
    this.#names += weightOf(listing);
    for (const [oldest, old] of this.#listings) {
      if (this.#names <= MOST_NAMES) break;
      this.#listings.delete(oldest);
      this.#names -= weightOf(old);
    }
  }
}

function weightOf({ children }: DirectoryListing): number {
  return Math.min(children.size + 1, MOST_NAMES / 2 - 1000);
}
