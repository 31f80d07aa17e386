import { identity } from "../../bytes/index.ts";
import type { Design } from "../design.ts";
import { blocksOfMap, type FileLayout, layFile } from "../file-map.ts";
import type { SpaceMap } from "../space.ts";
import { JOURNAL_MAGIC, journalSuperblock } from "../structures.ts";

// The journal (journal.rst): a log of blocks in inode 8. A new one holds its superblock and, behind it, zeros: a kernel
// that recovers reads on as long as it finds blocks that continue the log.

/** A journal has at least so many blocks; a filesystem with fewer blocks than twice that has none. */
export const SMALLEST_JOURNAL = 1024;
/** And at most so many, as mke2fs allows. */
export const LARGEST_JOURNAL = 10_240_000;
const SUPERBLOCK_V2 = 4;

/** How large mke2fs makes the journal of a filesystem, by its number of blocks: from so many on, so many. */
const USUAL_SIZES: readonly { readonly from: number; readonly blocks: number }[] = [
  { from: 0, blocks: 0 },
  { from: 2048, blocks: 1024 },
  { from: 32768, blocks: 4096 },
  { from: 256 * 1024, blocks: 8192 },
  { from: 512 * 1024, blocks: 16384 },
  { from: 4 * 1024 * 1024, blocks: 32768 },
  { from: 8 * 1024 * 1024, blocks: 65536 },
  { from: 16 * 1024 * 1024, blocks: 131072 },
  { from: 32 * 1024 * 1024, blocks: 262144 },
];

/** Sizes of a filesystem, in blocks, that have a journal of the same size: up to, not including, `to`. */
export interface JournalRange {
  readonly from: number;
  readonly to: number;
  /** Blocks of the journal; 0 for none. */
  readonly blocks: number;
}

/**
 * Which journal a filesystem has, by its size: the one of `wanted` blocks, or the usual one. When it is
 * required, a filesystem that is too small to have one usually has the smallest.
 */
export function journalRanges(
  design: Design,
  wanted: number | undefined,
  isRequired: boolean,
): readonly JournalRange[] {
  const fastCommit = (blocks: number): number =>
    design.features.has("fast_commit") ? blocks + Math.floor(blocks / 64) : blocks;
  const always = (blocks: number): readonly JournalRange[] => [
    { from: 0, to: Number.POSITIVE_INFINITY, blocks },
  ];
  if (!design.features.has("has_journal")) return always(0);
  if (wanted !== undefined) return always(fastCommit(wanted));
  return USUAL_SIZES.map(({ from, blocks }, index) => ({
    from,
    to: USUAL_SIZES[index + 1]?.from ?? Number.POSITIVE_INFINITY,
    blocks: fastCommit(isRequired ? Math.max(blocks, SMALLEST_JOURNAL) : blocks),
  }));
}

/** Blocks at the end of the journal that are set aside for fast commits. */
export function fastCommitBlocks(design: Design, blocks: number): number {
  return design.features.has("fast_commit") ? Math.floor(blocks / 65) : 0;
}

/**
 * Where the journal lies: in the first stretch that holds it whole, so that its extents fit into its inode;
 * if there is none, in the first free blocks. It may end behind the filesystem, which is then too small.
 */
export function layJournal(design: Design, space: SpaceMap, firstBlock: number, blocks: number): FileLayout {
  const segments = [{ logical: 0, count: blocks }];
  const whole = blocks + blocksOfMap(design, segments, 1);
  for (const { start, count } of space.freeWithin(firstBlock, space.end)) {
    if (whole <= count) return layFile(design, space, start, segments);
  }
  return layFile(design, space, space.firstFree(firstBlock), segments);
}

/** Sequence numbers are 32 bits wide and compared by their difference: a new log starts below half of them. */
const SEQUENCES = 2 ** 30;

/**
 * The number of the first transaction. It comes from the filesystem's identity, so that a log that an older filesystem
 * left in these blocks does not continue the new one.
 */
function firstSequence(design: Design): number {
  return 1 + (identity(design.uuid).serial("ext4/journal") % SEQUENCES);
}

/** The superblock of an empty journal: 1024 bytes. */
export function encodeJournalSuperblock(design: Design, blocks: number): Uint8Array {
  return journalSuperblock.toBytes({
    magic: JOURNAL_MAGIC,
    blockType: SUPERBLOCK_V2,
    headerSequence: 0,
    blockSize: design.blockSize,
    blocks,
    firstBlock: 1,
    firstSequence: firstSequence(design),
    start: 0,
    error: 0,
    compatible: 0,
    incompatible: 0,
    readOnlyCompatible: 0,
    uuid: design.uuid,
    users: 1,
    dynamicSuperblock: 0,
    maximumTransaction: 0,
    maximumTransactionData: 0,
    checksumType: 0,
    fastCommitBlocks: fastCommitBlocks(design, blocks),
    head: 0,
    checksum: 0,
  });
}
