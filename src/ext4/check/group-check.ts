import { bitmapChecksum } from "../checksum.ts";
import { INCOMPATIBLE, READ_ONLY_COMPATIBLE } from "../features.ts";
import type { Frame } from "../read/frame.ts";
import { blocksOf, firstBlockOf, metadataRuns } from "../read/group-runs.ts";
import type { StoredGroup } from "../read/groups.ts";
import { GROUP_FLAG } from "../structures.ts";
import { type BlockClaims, countBits, hasBit } from "./block-claims.ts";

// What a group has for itself, and what its descriptor and its bitmaps say of it, held against what was found to be in
// use (group_descr.rst, bitmaps.rst).

/**
 * Claims what a group has for itself. Returns whether all of it lies where it may, and is no other's: otherwise its
 * inodes cannot be believed.
 */
export function claimMetadata(
  frame: Frame,
  claims: BlockClaims,
  group: number,
  stored: StoredGroup,
): boolean {
  const names = ["header", "block bitmap", "inode bitmap", "inode table"];
  const start = firstBlockOf(frame, group);
  const end = start + blocksOf(frame, group);
  const isFlexible = frame.has({ incompatible: INCOMPATIBLE.flex_bg });
  let isSound = true;
  for (const [index, run] of metadataRuns(frame, group, stored).entries()) {
    const isHeader = index === 0;
    if (isHeader && run.count === 0) continue;
    const last = run.start + run.count;
    const isInside = isHeader || isFlexible ? last <= frame.blocks : run.start >= start && last <= end;
    if (!isInside || (!isHeader && !frame.isInside(run.start, run.count))) {
      frame.problems.add(
        `group ${group}: its ${names[index]} should lie in block ${run.start}, where it cannot be`,
      );
      isSound = false;
      continue;
    }
    const shared = claims.claim(run.start, run.count);
    if (shared === undefined) continue;
    frame.problems.add(
      `group ${group}: its ${names[index]} has block ${shared}, which something else has, too`,
    );
    isSound = false;
  }
  return isSound;
}

/** Whether the bitmap of blocks or of inodes is not kept, as nothing of it is in use. */
export function isUninitialised({ flags }: StoredGroup, kind: "blocks" | "inodes"): boolean {
  return (flags & GROUP_FLAG[`${kind}Uninitialised`]) !== 0;
}

/** Checks the bitmap of a group's blocks, and returns how many clusters are free. */
export async function checkBlockBitmap(
  frame: Frame,
  claims: BlockClaims,
  group: number,
  stored: StoredGroup,
): Promise<number> {
  const { superblock, clusterSize, blockSize } = frame;
  const ratio = clusterSize / blockSize;
  const clusters = Math.ceil(blocksOf(frame, group) / ratio);
  const claimed = claims.bitmap(group) ?? new Uint8Array(superblock.blocksPerGroup / 8);
  const expected = ratio === 1 ? claimed : byClusters(claimed, ratio);
  const used = countBits(expected, clusters);
  const free = clusters - used;
  if (isUninitialised(stored, "blocks")) {
    const own = ownClusters(frame, group, stored, ratio);
    if (own !== used) {
      frame.problems.add(`group ${group}: its flags say that no block is in use, but ${used - own} are`);
    }
  } else {
    const what = `the block bitmap of group ${group}`;
    const bitmap = await frame.block(stored.blockBitmap, what);
    compareBitmaps(
      frame,
      what,
      bitmap,
      expected,
      clusters,
      (bit) => firstBlockOf(frame, group) + bit * ratio,
    );
    const signed = bitmap.subarray(0, Math.ceil(superblock.blocksPerGroup / ratio / 8));
    checkSignature(frame, what, signed, stored.blockBitmapChecksum);
  }
  if (stored.freeBlocks !== free) {
    frame.problems.add(`group ${group}: it says that ${stored.freeBlocks} blocks are free, ${free} are`);
  }
  return free;
}

/** How many clusters of a group its own metadata takes. */
function ownClusters(frame: Frame, group: number, stored: StoredGroup, ratio: number): number {
  const start = firstBlockOf(frame, group);
  const end = start + blocksOf(frame, group);
  const clusters = new Set<number>();
  for (const run of metadataRuns(frame, group, stored)) {
    const from = Math.max(run.start, start);
    const to = Math.min(run.start + run.count, end);
    for (let block = from; block < to; block++) clusters.add(Math.floor((block - start) / ratio));
  }
  return clusters.size;
}

/** A bitmap of clusters: those in use of which a block is. */
function byClusters(blocks: Uint8Array, ratio: number): Uint8Array {
  const clusters = new Uint8Array(Math.ceil(blocks.length / ratio));
  for (let block = 0; block < 8 * blocks.length; block++) {
    if (!hasBit(blocks, block)) continue;
    const cluster = Math.floor(block / ratio);
    clusters[cluster >>> 3]! |= 1 << (cluster % 8);
  }
  return clusters;
}

/** Checks the bitmap of a group's inodes against those in use. */
export async function checkInodeBitmap(
  frame: Frame,
  group: number,
  stored: StoredGroup,
  used: Uint8Array,
  usedCount: number,
  directories: number,
): Promise<void> {
  const { inodesPerGroup } = frame.superblock;
  if (isUninitialised(stored, "inodes")) {
    if (usedCount > 0) {
      frame.problems.add(`group ${group}: its flags say that no inode is in use, but ${usedCount} are`);
    }
  } else {
    const what = `the inode bitmap of group ${group}`;
    const bitmap = await frame.block(stored.inodeBitmap, what);
    compareBitmaps(frame, what, bitmap, used, inodesPerGroup, (bit) => group * inodesPerGroup + bit + 1);
    checkSignature(
      frame,
      what,
      bitmap.subarray(0, Math.ceil(inodesPerGroup / 8)),
      stored.inodeBitmapChecksum,
    );
  }
  const free = inodesPerGroup - usedCount;
  if (stored.freeInodes !== free) {
    frame.problems.add(`group ${group}: it says that ${stored.freeInodes} inodes are free, ${free} are`);
  }
  if (stored.directories !== directories) {
    frame.problems.add(
      `group ${group}: it says that it has ${stored.directories} directories, not ${directories}`,
    );
  }
}

/** Compares the first `bits` of a bitmap, and those behind them, which must be set. */
function compareBitmaps(
  frame: Frame,
  what: string,
  bitmap: Uint8Array,
  expected: Uint8Array,
  bits: number,
  numberOf: (bit: number) => number,
): void {
  let [missing, needless, first] = [0, 0, -1];
  for (let at = 0; at < Math.ceil(bits / 8); at++) {
    if (bitmap[at] === expected[at]) continue;
    for (let bit = 8 * at; bit < Math.min(8 * at + 8, bits); bit++) {
      const isSet = hasBit(bitmap, bit);
      if (isSet === hasBit(expected, bit)) continue;
      if (first < 0) first = numberOf(bit);
      if (isSet) needless++;
      else missing++;
    }
  }
  if (missing > 0)
    frame.problems.add(`${what} calls ${missing} free that are in use; the first difference is ${first}`);
  if (needless > 0) {
    frame.problems.add(`${what} calls ${needless} in use that are free; the first difference is ${first}`);
  }
  for (let bit = bits; bit < 8 * bitmap.length; bit++) {
    if (hasBit(bitmap, bit)) continue;
    frame.problems.add(`${what}: the bits behind its last one are not set`);
    return;
  }
}

/** Descriptors of 32 bytes have room for half of a checksum. */
function checkSignature(frame: Frame, what: string, signed: Uint8Array, stored: number): void {
  if (!frame.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.metadata_csum })) return;
  const checksum = bitmapChecksum(frame.checksumSeed, signed);
  const expected = frame.descriptorSize >= 64 ? checksum : checksum & 0xffff;
  if (stored !== expected) frame.problems.add(`${what}: its checksum does not match`);
}
