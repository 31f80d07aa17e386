import { checkArgument } from "../arguments/index.ts";
import { type ByteRange, bytesExtent, type Extent, merged } from "../extents/index.ts";
import { ext4Plans } from "./arguments.ts";
import { fillBlockBitmap, fillInodeBitmap } from "./bitmap.ts";
import { blockExtent, contentExtents } from "./content.ts";
import { blocksOfFile } from "./file-map.ts";
import { groupStart, headerOf } from "./group-shape.ts";
import { encodeGroups, type GroupTable, usedInodesOf } from "./groups.ts";
import { inodeTableExtents } from "./inode-table.ts";
import type { Ext4Plan } from "./plan.ts";
import { journalMap } from "./special/inodes.ts";
import { encodeJournalSuperblock } from "./special/journal.ts";
import { encodeReservedBlocks } from "./special/resize-inode.ts";
import { SUPERBLOCK_OFFSET } from "./structures.ts";
import { encodeSuperblock } from "./superblock.ts";

/** The extents of the filesystem, in ascending order: metadata and content in one sweep. */
export function writeExt4(plan: Ext4Plan): Iterable<Extent> {
  checkArgument("plan", plan, ext4Plans.kind);
  return merged(metadataExtents(plan), contentExtents(plan));
}

/** Where content lies with no gap between it: all that is free between the metadata, up to its end. */
export function* ext4Runs({ geometry, placement }: Ext4Plan): Generator<ByteRange> {
  const { blockSize } = geometry.design;
  for (const { start, count } of geometry.space.freeWithin(geometry.firstDataBlock, placement.end)) {
    yield { position: start * blockSize, length: count * blockSize };
  }
}

/** Where inodes and content lie, ascending: nearly all that is written. */
export function ext4Written(plan: Ext4Plan): Iterable<ByteRange> {
  const { design, metadata } = plan.geometry;
  const inodes = metadata
    .map(({ inodeTable }, group) => ({
      position: inodeTable * design.blockSize,
      length: usedInodesOf(plan, group) * design.inodeSize,
    }))
    .filter(({ length }) => length > 0);
  return merged(
    inodes.sort((a, b) => a.position - b.position),
    ext4Runs(plan),
  );
}

/**
 * What no reader looks at before it is written: the blocks that the block bitmaps call free. Every other byte that no
 * extent covers must read as zero: the log of the journal, the inode tables (their groups say that they are zeroed),
 * descriptors that are reserved, bitmaps that are not initialised, and the rest of blocks that hold less.
 */
export function* ext4Free({ geometry, placement }: Ext4Plan): Generator<ByteRange> {
  const { blockSize } = geometry.design;
  const from = Math.max(placement.end, geometry.firstDataBlock);
  for (const { start, count } of geometry.space.freeWithin(from, geometry.blocks)) {
    yield { position: start * blockSize, length: count * blockSize };
  }
}

/** A part of the metadata that is made when its turn comes. */
interface Piece {
  readonly block: number;
  readonly extents: () => Iterable<Extent>;
}

function* metadataExtents(plan: Ext4Plan): Generator<Extent> {
  const cut = plan.geometry;
  const groups = encodeGroups(plan);
  const pieces: Piece[] = journalPieces(plan);
  const addBitmap = (block: number, fill: (bitmap: Uint8Array) => unknown): void => {
    pieces.push({
      block,
      extents: () => {
        const bitmap = new Uint8Array(cut.design.blockSize);
        fill(bitmap);
        return [blockExtent(plan, block, bitmap)];
      },
    });
  };
  for (let group = 0; group < cut.groups; group++) {
    const { hasSuperblock, descriptorBlocks } = headerOf(cut, group);
    if (hasSuperblock || descriptorBlocks > 0) {
      pieces.push({
        block: groupStart(cut, group),
        extents: () => headerExtents(plan, groups, group),
      });
    }
    const { blockBitmap, inodeBitmap, inodeTable } = cut.metadata[group]!;
    const used = groups.usedInodes[group]!;
    if (groups.hasBlockBitmap[group]) {
      addBitmap(blockBitmap, (bitmap) => fillBlockBitmap(bitmap, cut, group, plan.placement.end));
    }
    if (groups.hasInodeBitmap[group]) addBitmap(inodeBitmap, (bitmap) => fillInodeBitmap(bitmap, cut, used));
    if (used > 0) pieces.push({ block: inodeTable, extents: () => inodeTableExtents(plan, group, used) });
  }
  pieces.sort((a, b) => a.block - b.block);
  for (const piece of pieces) yield* piece.extents();
}

/** What a group starts with. Only the first group's copy of the reserved blocks holds anything: pointers. */
function* headerExtents(plan: Ext4Plan, groups: GroupTable, group: number): Generator<Extent> {
  const cut = plan.geometry;
  const { blockSize } = cut.design;
  const { hasSuperblock, firstDescriptorBlock, descriptorBlocks, reservedBlocks } = headerOf(cut, group);
  let block = groupStart(cut, group);
  if (hasSuperblock) {
    // The first kilobyte of the filesystem belongs to boot code; only copies start at their block.
    const position = group === 0 ? SUPERBLOCK_OFFSET : block * blockSize;
    yield bytesExtent(position, encodeSuperblock(plan, group));
    block++;
  }
  const from = firstDescriptorBlock * blockSize;
  yield blockExtent(plan, block, groups.bytes.subarray(from, from + descriptorBlocks * blockSize));
  if (group === 0 && reservedBlocks > 0) {
    yield blockExtent(plan, block + descriptorBlocks, encodeReservedBlocks(cut));
  }
}

/** The journal: its superblock, and what maps its blocks. The log itself is a hole. */
function journalPieces(plan: Ext4Plan): Piece[] {
  const { journal } = plan.geometry;
  if (journal === undefined) return [];
  const piece = (block: number, bytes: Uint8Array): Piece => ({
    block,
    extents: () => [blockExtent(plan, block, bytes)],
  });
  return [
    piece(journal.runs[0]!.physical, encodeJournalSuperblock(plan.design, blocksOfFile(journal))),
    ...journalMap(plan).nodes.map(({ block, bytes }) => piece(block, bytes)),
  ];
}
