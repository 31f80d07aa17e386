import { layExtents, type Segment, treeBlocks } from "./extent-tree.ts";
import type { Geometry } from "./geometry.ts";
import { type Inventory, segmentsOf } from "./inventory.ts";
import type { SpaceMap } from "./space.ts";

/** Where the content lies: every free block from the first on is used, up to `end`. */
export interface Placement {
  /** The first block of each row's content. The rest follows from the space map. */
  readonly firstBlock: Float64Array;
  /** The first block of lost+found. */
  readonly lostAndFound: number;
  /** The block behind the last one in use. */
  readonly end: number;
  /** Blocks of the nodes of all extent trees. */
  readonly treeBlocks: number;
}

/**
 * Lays the content of an inventory into a geometry: lost+found, the other directories, symlinks, then files,
 * each in the order of the tree, with no gap. An extent tree follows the blocks that it describes. The end
 * may lie behind the filesystem, and then says how much is missing.
 */
export function place(inventory: Inventory, geometry: Geometry): Placement {
  const { space } = geometry;
  const { tree, blockSize, blocks, order, lostAndFoundRow } = inventory;
  const firstBlock = new Float64Array(tree.length);
  let nodes = 0;

  /** Lays one entry from `start` on; returns the block behind it and its extent tree. */
  function lay(start: number, segments: readonly Segment[]): number {
    let extents = 0;
    const end = layExtents(space, start, segments, () => extents++);
    const treeSize = treeBlocks(extents, blockSize);
    nodes += treeSize;
    return treeSize === 0 ? end : skip(space, end, treeSize);
  }

  const lostAndFound = space.firstFree(geometry.firstDataBlock);
  let cursor = lay(lostAndFound, [{ logical: 0, count: inventory.lostAndFoundBlocks }]);
  for (let index = 0; index < order.length; index++) {
    const row = order[index]!;
    if (row === lostAndFoundRow) {
      firstBlock[row] = lostAndFound;
      continue;
    }
    cursor = space.firstFree(cursor);
    firstBlock[row] = cursor;
    const count = blocks[row]!;
    // The common case, a small file in one piece, needs no list of segments.
    if (count <= SMALL && space.freeLength(cursor) >= count && tree.data(row) === undefined) cursor += count;
    else cursor = lay(cursor, contentSegments(inventory, row));
  }
  return { firstBlock, lostAndFound, end: cursor, treeBlocks: nodes };
}

/** Fewer blocks than one extent can hold. */
const SMALL = 4096;

/** The block behind the next `count` free ones. */
function skip(space: SpaceMap, from: number, count: number): number {
  return layExtents(space, from, [{ logical: 0, count }], () => {});
}

/** The parts of any row's content that have blocks. */
export function contentSegments(inventory: Inventory, row: number): readonly Segment[] {
  if (inventory.tree.isFile(row)) return segmentsOf(inventory.tree, row, inventory.blockSize);
  return [{ logical: 0, count: inventory.blocks[row]! }];
}
