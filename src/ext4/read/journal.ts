import { crc32cRegister } from "../../bytes/index.ts";
import { DiskwrightError } from "../../errors.ts";
import { fileMode } from "../../tree/index.ts";
import { COMPATIBLE, INCOMPATIBLE, READ_ONLY_COMPATIBLE } from "../features.ts";
import { JOURNAL_MAGIC, journalSuperblock } from "../structures.ts";
import { fileRuns } from "./blocks.ts";
import { contentOf } from "./content.ts";
import type { Frame } from "./frame.ts";
import type { StoredInode } from "./inode.ts";
import { corrupt } from "./problems.ts";

// In which state a filesystem was left: what its superblock and that of its journal say of it. The journal
// is not replayed: what it holds is missing from what is read.

/** The journal of a filesystem. */
export interface JournalState {
  /** "needs replay": it holds changes that are not yet where they belong. */
  readonly state: "none" | "clean" | "needs replay";
  /** Bytes; 0 when there is none, or when it lies on a device of its own. */
  readonly size: number;
}

/** A kernel takes no shorter journal. */
const FEWEST_BLOCKS = 1024;

const NEEDS_REPLAY = "the journal has to be replayed: mount it once or run e2fsck";

/** s_state (super.rst). */
const STATE = { clean: 1, errors: 2, removingOrphans: 4 } as const;

/** Types of the block that a journal starts with (journal.rst). */
const SUPERBLOCK_V1 = 3;
const SUPERBLOCK_V2 = 4;
/** Incompatible features of the journal: checksums of version 2 or 3, which sign its superblock, too. */
const SIGNED = 0x08 | 0x10;
const CHECKSUM_OFFSET = 0xfc;

/** Notes what the superblock says of how the filesystem was left. */
export function noteState(frame: Frame): void {
  const { superblock, problems } = frame;
  const { state, lastOrphan } = superblock;
  if ((state & STATE.errors) !== 0) problems.add("the filesystem is marked as damaged: run e2fsck");
  else if ((state & STATE.clean) === 0) problems.add("the filesystem was not unmounted: run e2fsck");
  if (
    lastOrphan !== 0 ||
    (state & STATE.removingOrphans) !== 0 ||
    frame.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.orphan_present })
  ) {
    problems.add("files that were deleted while in use wait for their removal: mount it once or run e2fsck");
  }
}

/** Finds out in which state the journal is, and notes when it has to be replayed. */
export async function readJournal(
  frame: Frame,
  inodeOf: (number: number) => Promise<StoredInode>,
): Promise<JournalState> {
  if (!frame.has({ compatible: COMPATIBLE.has_journal })) return { state: "none", size: 0 };
  const isFlagged = frame.has({ incompatible: INCOMPATIBLE.needs_recovery });
  const { size, isStarted } = await readSuperblock(frame, inodeOf);
  if (!isFlagged && !isStarted) return { state: "clean", size };
  frame.problems.add(NEEDS_REPLAY);
  return { state: "needs replay", size };
}

async function readSuperblock(
  frame: Frame,
  inodeOf: (number: number) => Promise<StoredInode>,
): Promise<{ readonly size: number; readonly isStarted: boolean }> {
  const { journalInode } = frame.superblock;
  // It lies on a device of its own.
  if (journalInode === 0) return { size: 0, isStarted: false };
  try {
    const inode = await inodeOf(journalInode);
    if ((inode.mode & fileMode.TYPE_MASK) !== fileMode.FILE || inode.links === 0) {
      throw corrupt(`inode ${journalInode} is no file in use`);
    }
    await checkBlocks(frame, inode);
    const content = contentOf(frame, inode);
    const bytes = await content.read(0, Math.min(journalSuperblock.span, content.size));
    return { size: inode.size, isStarted: isStarted(frame, bytes, inode.size) };
  } catch (error) {
    if (!(error instanceof DiskwrightError)) throw error;
    frame.problems.add(`the journal cannot be read: ${error.message}`);
    return { size: 0, isStarted: false };
  }
}

/** A journal has no holes, as its blocks are written in place. */
async function checkBlocks(frame: Frame, inode: StoredInode): Promise<void> {
  const blocks = Math.floor(inode.size / frame.blockSize);
  if (blocks < FEWEST_BLOCKS) throw corrupt(`it has ${blocks} blocks, fewer than ${FEWEST_BLOCKS}`);
  let next = 0;
  for await (const { logical, count } of fileRuns(frame, inode, 0, blocks)) {
    if (logical !== next) break;
    next += count;
  }
  if (next < blocks) throw corrupt(`block ${next} of its ${blocks} is not there`);
}

function isStarted(frame: Frame, bytes: Uint8Array, size: number): boolean {
  const isLong = bytes.length === journalSuperblock.span;
  const superblock = isLong ? journalSuperblock.fromBytes(bytes) : undefined;
  const isJournal =
    superblock?.magic === JOURNAL_MAGIC &&
    (superblock.blockType === SUPERBLOCK_V1 || superblock.blockType === SUPERBLOCK_V2);
  if (superblock === undefined || !isJournal) {
    frame.problems.add("the journal has no superblock: run e2fsck");
    return false;
  }
  if (superblock.blockType === SUPERBLOCK_V2 && (superblock.incompatible & SIGNED) !== 0) {
    const unsigned = bytes.slice();
    unsigned.fill(0, CHECKSUM_OFFSET, CHECKSUM_OFFSET + 4);
    if (crc32cRegister(0xffffffff, unsigned) !== superblock.checksum) {
      frame.problems.add("the journal's superblock: its checksum does not match");
    }
  }
  const { blockSize, blocks, firstBlock } = superblock;
  if (
    blockSize !== frame.blockSize ||
    blocks * blockSize > size ||
    firstBlock === 0 ||
    firstBlock >= blocks
  ) {
    frame.problems.add(
      `the journal's superblock says ${blocks} blocks of ${blockSize} bytes, the first of them ${firstBlock}; there are ${size} bytes`,
    );
  }
  return superblock.start !== 0;
}
