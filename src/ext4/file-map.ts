import { encodeBlockMap, mapBlocks } from "./block-map.ts";
import { inodeSeed } from "./checksum.ts";
import type { Design } from "./design.ts";
import { encodeTree, layExtents, treeBlocks } from "./extent-tree.ts";
import type { FileMap, Run, Segment } from "./mapping.ts";
import type { SpaceMap } from "./space.ts";

// How the blocks of an inode are found: by an extent tree or, without the feature `extent`, by a block map.
// Both have a root of 60 bytes in the inode, and further blocks that lie behind those of the file.

/** Where the blocks of an inode lie. */
export interface FileLayout {
  readonly runs: readonly Run[];
  /** Blocks of the map beside the inode, and the block behind the last run, from which on they lie. */
  readonly mapBlocks: number;
  readonly mapStart: number;
}

/** Blocks of a file, without those that map them. */
export function blocksOfFile(layout: FileLayout | undefined): number {
  return layout?.runs.reduce((sum, { count }) => sum + count, 0) ?? 0;
}

/** Lays the parts of a file from block `first` on, around what is taken. */
export function layFile(
  design: Design,
  space: SpaceMap,
  first: number,
  segments: readonly Segment[],
): FileLayout {
  const runs: Run[] = [];
  const mapStart = layExtents(space, first, segments, (logical, physical, count) => {
    runs.push({ logical, physical, count });
  });
  return { runs, mapStart, mapBlocks: blocksOfMap(design, segments, runs.length) };
}

/** How many blocks the map of a file needs beside its inode. */
export function blocksOfMap(design: Design, segments: readonly Segment[], extents: number): number {
  return design.hasExtents ? treeBlocks(extents, design.blockSize) : mapBlocks(segments, design.blockSize);
}

/** The block behind the next `count` free ones from `from` on. */
export function skipFree(space: SpaceMap, from: number, count: number): number {
  return count === 0 ? from : layExtents(space, from, [{ logical: 0, count }], () => {});
}

/** Encodes the map of an inode. */
export function encodeMap(design: Design, space: SpaceMap, inode: number, layout: FileLayout): FileMap {
  let cursor = layout.mapStart;
  const nextBlock = (): number => {
    const block = space.firstFree(cursor);
    cursor = block + 1;
    return block;
  };
  const { runs } = layout;
  const seed = design.checksums === "crc32c" ? inodeSeed(design.checksumSeed, inode, 0) : undefined;
  return design.hasExtents
    ? encodeTree(runs, design.blockSize, seed, nextBlock)
    : encodeBlockMap(runs, design.blockSize, nextBlock);
}
