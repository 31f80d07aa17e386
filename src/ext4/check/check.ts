import { printable } from "../../bytes/index.ts";
import { DiskwrightError } from "../../errors.ts";
import { type CancelSignal, eventLoopTurn, readExactly } from "../../extents/index.ts";
import { fileMode } from "../../tree/index.ts";
import { orphanBlockChecksum } from "../checksum.ts";
import { COMPATIBLE, INCOMPATIBLE, READ_ONLY_COMPATIBLE } from "../features.ts";
import { fileRuns } from "../read/blocks.ts";
import { readDirectory } from "../read/directory.ts";
import type { Frame } from "../read/frame.ts";
import { type InodeTables, readDescriptor, type StoredGroup } from "../read/groups.ts";
import { decodeInode, readInode, type StoredInode } from "../read/inode.ts";
import { nameOfKey } from "../read/path.ts";
import {
  FIRST_INODE,
  INODE_FLAG,
  MULTI_MOUNT_MAGIC,
  ORPHAN_MAGIC,
  RESIZE_INODE,
  ROOT_INODE,
} from "../structures.ts";
import { checkBlockBitmap, checkInodeBitmap, claimMetadata, isUninitialised } from "./group-check.ts";
import { checkIndex } from "./index-check.ts";
import { InodeCheck } from "./inode-check.ts";
import { InodeFacts, PRIVATE } from "./inode-facts.ts";
import { checkResizeInode } from "./resize-check.ts";
import { checkSuperblock } from "./superblock-check.ts";

// A check of a whole filesystem: all that can be said without reading what is in files. Its order is that of the parts
// that build on each other: superblock, groups, inodes, names, counts, bitmaps.

/** How the check goes on. */
export interface Ext4CheckOptions {
  readonly signal?: CancelSignal | undefined;
}

/** How much of an inode table is read at once, in bytes. */
const PORTION = 256 * 1024;
const INODES_BETWEEN_TURNS = 4096;
/** More names than this, and the links of a directory are not counted (dir_nlink). */
const UNCOUNTED_LINKS = 1;

/**
 * Checks a filesystem. Every finding becomes a line of its problems. A journal that has to be replayed holds the truth
 * about the rest, so that nothing is checked then.
 */
export async function checkFilesystem(
  frame: Frame,
  tables: InodeTables,
  options: Ext4CheckOptions = {},
): Promise<void> {
  const check = new FilesystemCheck(frame, tables, options);
  try {
    await check.run();
  } catch (error) {
    // Damage that keeps the check from going on is one more finding.
    if (!(error instanceof DiskwrightError) || error.code !== "CORRUPT") throw error;
    frame.problems.add(error.message);
  }
}

class FilesystemCheck {
  readonly #frame: Frame;
  readonly #tables: InodeTables;
  readonly #signal: CancelSignal | undefined;
  readonly #inodes: InodeCheck;
  readonly #facts: InodeFacts;
  readonly #groups: StoredGroup[] = [];
  readonly #usedInodes: { readonly bitmap: Uint8Array; count: number; directories: number }[] = [];
  readonly #directories: number[] = [];
  /** The directory that each directory was found in first. */
  readonly #foundIn = new Map<number, number>();
  /** The one that its ".." leads to. */
  readonly #parents = new Map<number, number>();
  readonly #values: StoredInode[] = [];
  #resizeInode: StoredInode | undefined;
  readonly #firstInode: number;
  readonly #special: ReadonlySet<number>;
  #untilTurn = INODES_BETWEEN_TURNS;

  constructor(frame: Frame, tables: InodeTables, { signal }: Ext4CheckOptions) {
    this.#frame = frame;
    this.#tables = tables;
    this.#signal = signal;
    this.#inodes = new InodeCheck(frame);
    this.#facts = new InodeFacts(frame);
    const { superblock } = frame;
    this.#firstInode = superblock.revision === 0 ? FIRST_INODE : superblock.firstInode;
    const { journalInode, userQuotaInode, groupQuotaInode, projectQuotaInode, orphanFileInode } = superblock;
    const hasQuota = frame.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.quota });
    this.#special = new Set([
      ...(frame.has({ compatible: COMPATIBLE.has_journal }) ? [journalInode] : []),
      ...(frame.has({ compatible: COMPATIBLE.orphan_file }) ? [orphanFileInode] : []),
      ...(hasQuota ? [userQuotaInode, groupQuotaInode, projectQuotaInode] : []),
    ]);
  }

  async run(): Promise<void> {
    const frame = this.#frame;
    checkSuperblock(frame);
    if (!(await this.#checkGroups())) return;
    await this.#checkMultiMount();
    for (let group = 0; group < frame.groups; group++) await this.#checkInodesOf(group);
    await this.#checkOrphanFile();
    await checkResizeInode(frame, this.#resizeInode, this.#inodes.claims);
    for (const inode of this.#directories) await this.#checkDirectory(inode);
    this.#checkTree();
    this.#checkCounts();
    this.#checkXattrCounts();
    await this.#checkBitmaps();
  }

  async #turn(): Promise<void> {
    if (--this.#untilTurn > 0) return;
    this.#untilTurn = INODES_BETWEEN_TURNS;
    await eventLoopTurn(this.#signal);
  }

  /** Returns whether the inode tables are where they can be read, each in a place of its own. */
  async #checkGroups(): Promise<boolean> {
    const frame = this.#frame;
    let isSound = true;
    for (let group = 0; group < frame.groups; group++) {
      const stored = await readDescriptor(frame, group);
      this.#groups.push(stored);
      if (!claimMetadata(frame, this.#inodes.claims, group, stored)) isSound = false;
      await this.#turn();
    }
    return isSound;
  }

  /** The block of multiple mount protection (mmp.rst). */
  async #checkMultiMount(): Promise<void> {
    const frame = this.#frame;
    if (!frame.has({ incompatible: INCOMPATIBLE.mmp })) return;
    const block = Number(frame.superblock.mmpBlock);
    const what = "the block of multiple mount protection";
    const bytes = await frame.block(block, what);
    if (this.#inodes.claims.claim(block, 1) !== undefined) frame.problems.add(`${what} has another use, too`);
    const magic = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (magic !== MULTI_MOUNT_MAGIC) frame.problems.add(`${what} has no magic number`);
  }

  async #checkInodesOf(group: number): Promise<void> {
    const frame = this.#frame;
    const { inodesPerGroup } = frame.superblock;
    const stored = this.#groups[group]!;
    const used = { bitmap: new Uint8Array(Math.ceil(inodesPerGroup / 8)), count: 0, directories: 0 };
    this.#usedInodes.push(used);
    const note = (inode: number, isDirectory: boolean): void => {
      const bit = (inode - 1) % inodesPerGroup;
      if ((used.bitmap[bit >>> 3]! & (1 << (bit % 8))) !== 0) return;
      used.bitmap[bit >>> 3]! |= 1 << (bit % 8);
      used.count++;
      if (isDirectory) used.directories++;
    };
    // Those that are reserved are in use, whether they are used or not.
    for (let inode = group * inodesPerGroup + 1; inode < this.#firstInode; inode++) {
      if (inode > (group + 1) * inodesPerGroup) break;
      note(inode, false);
    }
    if (isUninitialised(stored, "inodes")) return;
    const inodes = inodesPerGroup - Math.min(stored.unusedInodes, inodesPerGroup);
    await this.#forEachInode(group, stored, inodes, async (number, bytes) => {
      const isDirectory = await this.#checkInode(number, bytes);
      if (isDirectory === undefined) return;
      // The root is both reserved and a directory.
      if (number < this.#firstInode && isDirectory) used.directories++;
      note(number, isDirectory);
    });
  }

  /** Calls `visit` for each inode of a group that is not all free. */
  async #forEachInode(
    group: number,
    { inodeTable }: StoredGroup,
    inodes: number,
    visit: (number: number, bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const { source, blockSize, inodeSize, superblock } = this.#frame;
    const atOnce = Math.max(1, Math.floor(PORTION / inodeSize));
    for (let first = 0; first < inodes; first += atOnce) {
      const count = Math.min(atOnce, inodes - first);
      const position = inodeTable * blockSize + first * inodeSize;
      const bytes = await readExactly(
        source,
        position,
        count * inodeSize,
        `the inode table of group ${group}`,
      );
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let index = 0; index < count; index++) {
        const at = index * inodeSize;
        // Neither a mode nor links.
        if (view.getUint16(at, true) === 0 && view.getUint16(at + 0x1a, true) === 0) continue;
        const number = group * superblock.inodesPerGroup + first + index + 1;
        await visit(number, bytes.subarray(at, at + inodeSize));
        await this.#turn();
      }
      await this.#turn();
    }
  }

  /** Checks an inode; returns whether it is a directory, or `undefined` when it is not in use. */
  async #checkInode(number: number, bytes: Uint8Array): Promise<boolean | undefined> {
    const frame = this.#frame;
    let inode: StoredInode;
    try {
      inode = decodeInode(frame, number, bytes);
    } catch (error) {
      if (!(error instanceof DiskwrightError)) throw error;
      frame.problems.add(error.message);
      this.#facts.use(number, PRIVATE, 0);
      return false;
    }
    const { links, mode, flags } = inode;
    if (links === 0) {
      if (mode !== 0 && inode.deletionTime === 0 && number >= this.#firstInode) {
        frame.problems.add(`inode ${number} has no links, and no time of deletion`);
      }
      return undefined;
    }
    const type = fileMode.typeOfMode(mode);
    const isSpecial = this.#special.has(number);
    const isReserved = number < this.#firstInode && number !== ROOT_INODE;
    const isValue = (flags & INODE_FLAG.xattrValue) !== 0;
    if (type === undefined && !isReserved) {
      frame.problems.add(`inode ${number} has the impossible mode 0${mode.toString(8)}`);
    }
    if (isSpecial && type !== "file")
      frame.problems.add(`inode ${number} of the filesystem's own is no file`);
    const isPrivate = isSpecial || isReserved || isValue;
    this.#facts.use(number, isPrivate ? PRIVATE : ((mode & fileMode.TYPE_MASK) >>> 12) + 1, links);
    if (isValue) this.#values.push(inode);
    // The resize inode owns blocks of the groups.
    if (number === RESIZE_INODE) this.#resizeInode = inode;
    else await this.#inodes.check(inode);
    if (type !== "directory" || isPrivate) return false;
    this.#directories.push(number);
    return true;
  }

  /** The orphan file (orphan.rst) has no orphan in it, unless the superblock says so. */
  async #checkOrphanFile(): Promise<void> {
    const frame = this.#frame;
    if (!frame.has({ compatible: COMPATIBLE.orphan_file })) return;
    const { orphanFileInode } = frame.superblock;
    const inode = await readInode(frame, this.#tables, orphanFileInode);
    const blocks = Math.ceil(inode.size / frame.blockSize);
    const note = (what: string): void => frame.problems.add(`the orphan file ${what}`);
    let found = 0;
    for await (const { physical, count } of fileRuns(frame, inode, 0, blocks)) {
      for (let block = physical; block < physical + count; block++) {
        found++;
        const bytes = await frame.block(block, "the orphan file");
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const end = bytes.length - 8;
        if (view.getUint32(end, true) !== ORPHAN_MAGIC) note(`has no magic number in block ${block}`);
        const checksum = orphanBlockChecksum(inode.seed, block, bytes.subarray(0, end));
        if (frame.hasChecksums && view.getUint32(end + 4, true) !== checksum) {
          note(`has a checksum that does not match in block ${block}`);
        }
        const isEmpty = bytes.subarray(0, end).every((byte) => byte === 0);
        const mayHold = frame.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.orphan_present });
        if (!isEmpty && !mayHold) note("names inodes, but the superblock says that there are none");
      }
    }
    if (found < blocks) note(`lacks ${blocks - found} of its blocks`);
  }

  async #checkDirectory(number: number): Promise<void> {
    const frame = this.#frame;
    try {
      const inode = await readInode(frame, this.#tables, number);
      const { children, parent } = await readDirectory(frame, inode, { isEncryptedRead: true });
      for (const [key, child] of children) this.#checkName(number, key, child.inode, child.type);
      this.#facts.refer(number);
      if (parent !== undefined) {
        this.#facts.refer(parent);
        this.#parents.set(number, parent);
      }
      await checkIndex(frame, inode);
    } catch (error) {
      if (!(error instanceof DiskwrightError) || error.code === "ABORTED") throw error;
      frame.problems.add(error.message);
    }
    await this.#turn();
  }

  #checkName(directory: number, key: string, inode: number, type: string | undefined): void {
    const note = (what: string): void => {
      this.#frame.problems.add(`directory inode ${directory}: "${printable(nameOfKey(key))}" ${what}`);
    };
    if (inode < this.#firstInode) {
      note(inode === ROOT_INODE ? "leads to the root directory" : `leads to the reserved inode ${inode}`);
      return;
    }
    const kind = this.#facts.kind(inode);
    if (kind === 0) {
      note(`leads to inode ${inode}, which is not in use`);
      return;
    }
    if (kind === PRIVATE) {
      note(`leads to inode ${inode}, which the filesystem has for itself`);
      return;
    }
    const found = fileMode.typeOfMode((kind - 1) << 12);
    if (type !== undefined && found !== undefined && type !== found) {
      note(`leads to a ${found}, but the directory says ${type}`);
    }
    this.#facts.refer(inode);
    if (found !== "directory") return;
    if (this.#foundIn.has(inode)) note(`leads to directory inode ${inode}, which has another name`);
    else this.#foundIn.set(inode, directory);
  }

  /** Every directory leads to the root, by its names and by "..". */
  #checkTree(): void {
    const { problems } = this.#frame;
    for (const [directory, parent] of this.#parents) {
      const expected = directory === ROOT_INODE ? ROOT_INODE : this.#foundIn.get(directory);
      if (expected !== undefined && parent !== expected) {
        problems.add(
          `directory inode ${directory}: ".." leads to inode ${parent}, it lies in inode ${expected}`,
        );
      }
    }
    if (this.#facts.kind(ROOT_INODE) !== (fileMode.DIRECTORY >>> 12) + 1) {
      problems.add("the root inode is no directory");
    }
    const connected = new Set([ROOT_INODE]);
    for (const directory of this.#directories) {
      const way = new Set<number>();
      let at: number | undefined = directory;
      while (at !== undefined && !connected.has(at) && !way.has(at)) {
        way.add(at);
        at = this.#foundIn.get(at);
      }
      if (at !== undefined && connected.has(at)) for (const inode of way) connected.add(inode);
      else problems.add(`directory inode ${directory} cannot be reached from the root`);
    }
  }

  #checkCounts(): void {
    const { problems } = this.#frame;
    const areManyUncounted = this.#frame.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.dir_nlink });
    for (const { inode, kind, links, references } of this.#facts.inUse()) {
      if ((kind & PRIVATE) !== 0) continue;
      const isDirectory = kind === (fileMode.DIRECTORY >>> 12) + 1;
      if (references === 0 || (isDirectory && inode !== ROOT_INODE && !this.#foundIn.has(inode))) {
        problems.add(`inode ${inode} is in use, but no name leads to it`);
        continue;
      }
      if (links === references || (isDirectory && areManyUncounted && links === UNCOUNTED_LINKS)) continue;
      problems.add(`inode ${inode} counts ${links} links, but ${references} lead to it`);
    }
  }

  #checkXattrCounts(): void {
    const { problems } = this.#frame;
    for (const [block, { found, stated }] of this.#inodes.xattrBlocks) {
      if (found !== stated) {
        problems.add(`block ${block} of extended attributes counts ${stated} inodes, but ${found} have it`);
      }
    }
    for (const { number, valueReferences } of this.#values) {
      const found = this.#inodes.valueReferences.get(number) ?? 0;
      if (found !== valueReferences) {
        problems.add(
          `inode ${number} counts ${valueReferences} attributes whose value it is, there are ${found}`,
        );
      }
    }
  }

  async #checkBitmaps(): Promise<void> {
    const frame = this.#frame;
    const { superblock, problems } = frame;
    let [freeClusters, freeInodes] = [0, 0];
    for (const [group, stored] of this.#groups.entries()) {
      const { bitmap, count, directories } = this.#usedInodes[group]!;
      freeClusters += await checkBlockBitmap(frame, this.#inodes.claims, group, stored);
      await checkInodeBitmap(frame, group, stored, bitmap, count, directories);
      freeInodes += superblock.inodesPerGroup - count;
      await this.#turn();
    }
    const freeBlocks = (freeClusters * frame.clusterSize) / frame.blockSize;
    const stated = frame.wide(superblock.freeBlocksCountLow, superblock.freeBlocksCountHigh);
    if (stated !== freeBlocks && stated !== freeClusters) {
      problems.add(`the superblock says that ${stated} blocks are free, ${freeBlocks} are`);
    }
    if (superblock.freeInodesCount !== freeInodes) {
      problems.add(
        `the superblock says that ${superblock.freeInodesCount} inodes are free, ${freeInodes} are`,
      );
    }
  }
}
