import { formatBytes, formatSize, GIB, MIB, TIB } from "../bytes/index.ts";
import { DoesNotFitError } from "../errors.ts";
import { type Geometry, geometry } from "./geometry.ts";
import type { Inventory } from "./inventory.ts";
import { type Placement, place } from "./placement.ts";
import type { JournalRange } from "./special/journal.ts";
import { usageOf } from "./usage.ts";

/** A geometry that holds an inventory, and where everything lies in it. */
export interface Fit {
  readonly geometry: Geometry;
  readonly placement: Placement;
}

/** What is to be fitted. */
export interface FitWishes {
  readonly inventory: Inventory;
  /** Blocks that must be left free. */
  readonly freeBlocks: number;
  /** How many inodes there must be at least. */
  readonly inodes: number | undefined;
  readonly bytesPerInode: number | undefined;
  /** Which journal a filesystem has, by its size. Ascending, without gaps. */
  readonly journal: readonly JournalRange[];
  readonly growTo: number | undefined;
  readonly blocksPerGroup?: number | undefined;
}

/** Inodes are numbered with 32 bits; each of up to half a million groups may round their number up. */
export const MOST_INODES: number = 2 ** 32 - 2 ** 23;

/** The room for which mke2fs makes one inode in a filesystem of this size (its usage types, mke2fs.conf). */
function usualBytesPerInode(size: number): number {
  if (size < 3 * MIB) return 8192;
  if (size < 512 * MIB) return 4096;
  if (size < 4 * TIB) return 16384;
  return size < 16 * 1024 * GIB ? 32768 : 65536;
}

/** Tries one size, in blocks. Gives the blocks that are missing when it is too small. */
function attempt(
  wishes: FitWishes,
  blocks: number,
  inodes: number,
  journalBlocks: number,
  leastInodes = inodes,
): Fit | number {
  const { inventory, freeBlocks, growTo, blocksPerGroup } = wishes;
  const cut = geometry(inventory.design, blocks, {
    inodes,
    leastInodes,
    journalBlocks,
    growTo,
    blocksPerGroup,
  });
  if ("missingBlocks" in cut) return Math.max(1, cut.missingBlocks);
  const room = cut.blocks - cut.firstDataBlock - cut.space.takenBlocks;
  if (inventory.contentBlocks + freeBlocks > room) return inventory.contentBlocks + freeBlocks - room;
  const placement = place(inventory, cut);
  const missing = Math.max(placement.end - cut.blocks, freeBlocks + placement.usedBlocks - room);
  return missing > 0 ? missing : { geometry: cut, placement };
}

/**
 * The smallest filesystem of at least `from` blocks that holds the content, so many free blocks and so many
 * inodes. A smaller one may hold them as well: one that is too small to have a journal.
 */
function smallestFit(wishes: FitWishes, inodes: number, from = 0): Fit {
  const least = Math.max(from, wishes.inventory.contentBlocks + wishes.freeBlocks + 2);
  for (const range of wishes.journal) {
    if (range.to <= least) continue;
    const fit = smallestWithin(wishes, inodes, range, Math.max(least, range.from));
    if (fit !== undefined) return fit;
  }
  throw new RangeError("the last range of sizes has no end");
}

/** How far below a fit another one can be: growing by a block can cost more than one block of metadata. */
const STEPS_BACK = 32;
/** In filesystems of more groups it is not worth the time. */
const MOST_GROUPS_TO_STEP_BACK = 1024;

function smallestWithin(
  wishes: FitWishes,
  inodes: number,
  range: JournalRange,
  from: number,
): Fit | undefined {
  const tryBlocks = (blocks: number): Fit | number => attempt(wishes, blocks, inodes, range.blocks);
  let tooSmall = from - 1;
  let blocks = from;
  let tried = tryBlocks(blocks);
  while (typeof tried === "number") {
    tooSmall = blocks;
    blocks += tried;
    if (blocks >= range.to) {
      // What was missing may have been less than it seemed: metadata does not grow with every block.
      if (tooSmall === range.to - 1) return undefined;
      blocks = range.to - 1;
    }
    tried = tryBlocks(blocks);
  }
  let fit = tried;
  while (blocks - tooSmall > 1) {
    const middle = Math.floor((tooSmall + blocks) / 2);
    const half = tryBlocks(middle);
    if (typeof half === "number") tooSmall = middle;
    else {
      blocks = middle;
      fit = half;
    }
  }
  if (fit.geometry.groups > MOST_GROUPS_TO_STEP_BACK) return fit;
  for (let below = blocks - 1; below >= Math.max(from, blocks - STEPS_BACK); below--) {
    const smaller = tryBlocks(below);
    if (typeof smaller !== "number") fit = smaller;
  }
  return fit;
}

/** The smallest filesystem, with the inodes of the tree and as many as the free room usually has. */
export function fitSmallest(wishes: FitWishes): Fit {
  const { inventory, freeBlocks, bytesPerInode } = wishes;
  const room = freeBlocks * inventory.design.blockSize;
  const perInode = bytesPerInode ?? usualBytesPerInode(room);
  const wanted = wishes.inodes ?? inventory.lastInode + Math.floor(room / perInode);
  return smallestFit(wishes, Math.min(Math.max(wanted, inventory.lastInode), MOST_INODES));
}

/**
 * A filesystem of `size` bytes. The tree comes first: where it and the usual number of inodes do not fit
 * together, there are as many inodes as the tree needs, or as were asked for.
 *
 * @throws DoesNotFitError with the exact number of missing bytes.
 */
export function fitInto(wishes: FitWishes, size: number): Fit {
  const { inventory, freeBlocks } = wishes;
  const { blockSize, inodeSize } = inventory.design;
  const blocks = Math.floor(size / blockSize);
  const perInode = wishes.bytesPerInode ?? usualBytesPerInode(size);
  // Beside a tree of large files there are as many inodes as in an empty filesystem; beside one of small
  // files, some more for the room that is left, each of which takes room itself.
  const room = Math.max(0, blocks - inventory.contentBlocks) * blockSize;
  const forRoom = inventory.lastInode + Math.floor(room / (perInode + inodeSize));
  const usual = Math.max(Math.floor(size / perInode), forRoom);
  const needed = Math.max(wishes.inodes ?? 0, inventory.lastInode);
  const wanted = wishes.inodes === undefined ? Math.min(usual, MOST_INODES) : needed;
  const journal = wishes.journal.find(({ from, to }) => from <= blocks && blocks < to)!;
  for (const inodes of wanted > needed ? [wanted, needed] : [needed]) {
    const fit = attempt(wishes, blocks, inodes, journal.blocks, needed);
    if (typeof fit !== "number") return fit;
  }
  const least = smallestFit(wishes, needed, blocks + 1);
  const missing = least.geometry.blocks * blockSize - size;
  const use = usageOf(inventory, least.geometry, least.placement, freeBlocks);
  const metadata =
    use.superblocks +
    use.bitmaps +
    use.fileMaps +
    use.symlinks +
    use.orphanFile +
    use.quotaFiles +
    use.multiMountProtection;
  const parts = [
    `files ${formatSize(use.files)}`,
    `directories ${formatSize(use.directories)}`,
    `inodes ${formatSize(use.inodeTables)} (${inventory.lastInode})`,
    ...(use.extendedAttributes > 0 ? [`extended attributes ${formatSize(use.extendedAttributes)}`] : []),
    ...(use.journal > 0 ? [`journal ${formatSize(use.journal)}`] : []),
    ...(use.reservedForGrowth > 0 ? [`room to grow ${formatSize(use.reservedForGrowth)}`] : []),
    `other metadata ${formatSize(metadata)}`,
    ...(freeBlocks > 0 ? [`free space ${formatSize(freeBlocks * blockSize)}`] : []),
  ];
  throw new DoesNotFitError(
    `the ext4 filesystem has ${formatBytes(size)} and needs ${formatBytes(size + missing)}, ` +
      `${formatBytes(missing)} more: ${parts.join(", ")}` +
      (use.journal >= missing ? "; without a journal it fits (--features ^has_journal)" : ""),
    missing,
  );
}
