import { fileMode } from "../../tree/index.ts";
import { inodeSeed, ownedChecksum } from "../checksum.ts";
import { INCOMPATIBLE, READ_ONLY_COMPATIBLE } from "../features.ts";
import { BASE_INODE_SIZE, INODE_FLAG } from "../structures.ts";
import { timeFrom } from "../time.ts";
import type { Frame } from "./frame.ts";
import type { InodeTables } from "./groups.ts";
import { corrupt } from "./problems.ts";

/** Flags of an inode that only the reader meets (inodes.rst, "i_flags"). */
export const READ_FLAG = {
  encrypted: 0x800,
  casefolded: 0x40000000,
} as const;

/** An inode as it is stored. */
export interface StoredInode {
  readonly number: number;
  /** Type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  readonly links: number;
  /** Seconds since 1970 when it was removed; 0 for an inode in use. */
  readonly deletionTime: number;
  readonly flags: number;
  readonly generation: number;
  /** Bytes of all blocks. */
  readonly allocated: number;
  /** The 60 bytes of `i_block`: what maps the content, the target of a symlink, a device, or content. */
  readonly block: Uint8Array;
  /** A field that nothing has ever used: 0. */
  readonly fragmentAddress: number;
  /** The block of extended attributes, or 0. */
  readonly xattrBlock: number;
  /** What lies behind the declared fields. */
  readonly tail: Uint8Array;
  /** Nanoseconds since 1970. */
  readonly atime: bigint;
  readonly ctime: bigint;
  readonly mtime: bigint;
  /** Absent in an inode that is too short for it. */
  readonly crtime: bigint | undefined;
  /** The low word of the access time; of an inode that holds a value of an attribute, the value's hash. */
  readonly accessWord: number;
  /** The low word of the version and that of the change time: in such an inode, how many entries lead to it. */
  readonly valueReferences: number;
  /** What the checksums of its blocks start from. */
  readonly seed: number;
}

const CHECKSUM_LOW = 0x7c;
const EXTRA_SIZE = 0x80;
const CHECKSUM_HIGH = 0x82;
const CREATION_END = 0x98;
const BLOCK = 0x28;
const SECTOR = 512;

/**
 * Reads an inode.
 *
 * @throws DiskwrightError `CORRUPT`.
 */
export async function readInode(frame: Frame, tables: InodeTables, number: number): Promise<StoredInode> {
  // Who asks what an inode is goes on to ask what it holds.
  if (tables.last?.number === number) return tables.last;
  const { superblock, inodeSize, blockSize } = frame;
  if (!(number >= 1 && number <= superblock.inodesCount)) {
    throw corrupt(`there is no inode ${number}: the filesystem has ${superblock.inodesCount}`);
  }
  const group = Math.floor((number - 1) / superblock.inodesPerGroup);
  const within = (number - 1) % superblock.inodesPerGroup;
  const table = tables.start(group);
  const start = typeof table === "number" ? table : await table;
  const reading = frame.metadata(start * blockSize + within * inodeSize, inodeSize, `inode ${number}`);
  const bytes = reading instanceof Uint8Array ? reading : await reading;
  return (tables.last = decodeInode(frame, number, bytes));
}

/**
 * Takes the bytes of an inode apart.
 *
 * @throws DiskwrightError `CORRUPT`.
 */
export function decodeInode(frame: Frame, number: number, bytes: Uint8Array): StoredInode {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const extra = bytes.length > BASE_INODE_SIZE ? view.getUint16(EXTRA_SIZE, true) : 0;
  const declared = BASE_INODE_SIZE + extra;
  const generation = view.getUint32(0x64, true);
  const seed = frame.hasChecksums ? inodeSeed(frame.checksumSeed, number, generation) : 0;
  if (frame.hasChecksums) verify(frame, number, bytes, view, declared, seed);
  if (declared > bytes.length || extra % 4 !== 0) {
    throw corrupt(`inode ${number} claims ${extra} bytes of fields behind the first ${BASE_INODE_SIZE}`);
  }
  const mode = view.getUint16(0, true);
  const size = sizeOf(frame, mode, view);
  if (size > Number.MAX_SAFE_INTEGER) throw corrupt(`inode ${number} has the impossible size ${size}`);
  /** A time and, where the inode declares it, the word that extends it. */
  const time = (low: number, high: number): bigint => {
    const word = high + 4 <= declared ? view.getUint32(high, true) : 0;
    const { seconds, nanoseconds } = timeFrom(view.getUint32(low, true), word);
    return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
  };
  return {
    number,
    mode,
    uid: view.getUint16(0x02, true) + view.getUint16(0x78, true) * 2 ** 16,
    gid: view.getUint16(0x18, true) + view.getUint16(0x7a, true) * 2 ** 16,
    size,
    links: view.getUint16(0x1a, true),
    deletionTime: view.getUint32(0x14, true),
    flags: view.getUint32(0x20, true),
    generation,
    allocated: allocatedOf(frame, view),
    block: bytes.subarray(BLOCK, BLOCK + 60),
    fragmentAddress: view.getUint32(0x70, true),
    xattrBlock: frame.wide(view.getUint32(0x68, true), view.getUint16(0x76, true)),
    // An inode that declares no fields has nothing behind them either.
    tail: extra === 0 ? bytes.subarray(bytes.length) : bytes.subarray(declared),
    atime: time(0x08, 0x8c),
    ctime: time(0x0c, 0x84),
    mtime: time(0x10, 0x88),
    crtime: declared >= CREATION_END ? time(0x90, 0x94) : undefined,
    accessWord: view.getUint32(0x08, true),
    valueReferences: view.getUint32(0x0c, true) * 2 ** 32 + view.getUint32(0x24, true),
    seed,
  };
}

let scratch = new Uint8Array(0);

/** An inode is signed with its checksum's own fields taken for zero (checksums.rst). */
function verify(
  frame: Frame,
  number: number,
  bytes: Uint8Array,
  view: DataView,
  declared: number,
  seed: number,
): void {
  if (scratch.length !== bytes.length) scratch = new Uint8Array(bytes.length);
  scratch.set(bytes);
  scratch.fill(0, CHECKSUM_LOW, CHECKSUM_LOW + 2);
  const hasHigh = declared >= CHECKSUM_HIGH + 2;
  if (hasHigh) scratch.fill(0, CHECKSUM_HIGH, CHECKSUM_HIGH + 2);
  const checksum = ownedChecksum(seed, scratch);
  const isSound =
    view.getUint16(CHECKSUM_LOW, true) === (checksum & 0xffff) &&
    (!hasHigh || view.getUint16(CHECKSUM_HIGH, true) === checksum >>> 16);
  if (!isSound) frame.problems.add(`inode ${number}: its checksum does not match`);
}

/** Of a directory the upper half counts only with large_dir: once, a block of ACLs was there. */
function sizeOf(frame: Frame, mode: number, view: DataView): number {
  const isWide =
    (mode & fileMode.TYPE_MASK) === fileMode.FILE || frame.has({ incompatible: INCOMPATIBLE.large_dir });
  return (isWide ? view.getUint32(0x6c, true) * 2 ** 32 : 0) + view.getUint32(0x04, true);
}

function allocatedOf(frame: Frame, view: DataView): number {
  const low = view.getUint32(0x1c, true);
  if (!frame.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.huge_file })) return low * SECTOR;
  const isInBlocks = (view.getUint32(0x20, true) & INODE_FLAG.hugeFile) !== 0;
  return (view.getUint16(0x74, true) * 2 ** 32 + low) * (isInBlocks ? frame.blockSize : SECTOR);
}
