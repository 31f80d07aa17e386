import { layExtents } from "./extent-tree.ts";
import { blocksOfMap, type FileLayout, layFile, skipFree } from "./file-map.ts";
import type { Geometry } from "./geometry.ts";
import { type Inventory, segmentsOf } from "./inventory.ts";
import type { Segment } from "./mapping.ts";
import { orphanFileBlocks } from "./special/orphan-file.ts";

/** Where the content lies: every free block from the first on is used, up to `end`. */
export interface Placement {
  /** The block of pointers of the resize inode. */
  readonly resizePointers: number | undefined;
  /** The block of multiple mount protection. */
  readonly multiMount: number | undefined;
  readonly orphanFile: FileLayout | undefined;
  readonly quotaFiles: readonly FileLayout[];
  readonly lostAndFound: number;
  /** The blocks of extended attributes. */
  readonly attributes: Float64Array;
  /** The first block of each row's content. The rest follows from the space map. */
  readonly firstBlock: Float64Array;
  /** The first block of each value that has an inode of its own. */
  readonly values: Float64Array;
  /** The block behind the last one in use. */
  readonly end: number;
  /** Blocks in use, and those of them that map others. */
  readonly usedBlocks: number;
  readonly mapBlocks: number;
}

/**
 * Lays the content of an inventory into a geometry, with no gap: what the filesystem itself needs,
 * lost+found, attributes, the other directories, symlinks, then files, each in the order of the tree. What
 * maps the blocks of a file follows them. The end may lie behind the filesystem, and then says how much is
 * missing.
 */
export function place(inventory: Inventory, geometry: Geometry): Placement {
  const { space, design } = geometry;
  const { tree, blocks, order, lostAndFoundRow, xattrs } = inventory;
  const firstBlock = new Float64Array(tree.length);
  let mapBlocks = 0;
  let ownBlocks = 0;
  let cursor = space.firstFree(geometry.firstDataBlock);

  /** Lays one entry from the cursor on, and what maps its blocks behind it. Returns its first block. */
  function lay(segments: readonly Segment[]): number {
    const start = space.firstFree(cursor);
    let extents = 0;
    const end = layExtents(space, start, segments, () => extents++);
    const maps = blocksOfMap(design, segments, extents);
    mapBlocks += maps;
    cursor = skipFree(space, end, maps);
    return start;
  }
  const layBlocks = (count: number): number => lay([{ logical: 0, count }]);
  const layBlock = (): number => {
    const block = space.firstFree(cursor);
    cursor = block + 1;
    ownBlocks++;
    return block;
  };

  const resizePointers =
    design.features.has("resize_inode") && !geometry.hasMetaGroups ? layBlock() : undefined;
  const multiMount = design.features.has("mmp") ? layBlock() : undefined;
  const orphanBlocks = orphanFileBlocks(design, geometry.blocks);
  let orphanFile: FileLayout | undefined;
  if (orphanBlocks > 0) {
    const start = layBlocks(orphanBlocks);
    ownBlocks += orphanBlocks;
    orphanFile = layFile(design, space, start, [{ logical: 0, count: orphanBlocks }]);
  }
  const quota = inventory.quotaFiles.map(({ size }) => {
    const segments = [{ logical: 0, count: Math.ceil(size / design.blockSize) }];
    return layFile(design, space, lay(segments), segments);
  });
  const lostAndFound = layBlocks(inventory.lostAndFoundBlocks);
  const attributes = new Float64Array(xattrs?.blocks ?? 0);
  for (let index = 0; index < attributes.length; index++) {
    cursor = space.firstFree(cursor);
    attributes[index] = cursor++;
  }
  // The common case, a small file in one piece, needs no list of segments.
  const small = Math.min(SMALL, design.plainBlocks);
  for (let index = 0; index < order.length; index++) {
    const row = order[index]!;
    if (row === lostAndFoundRow) {
      firstBlock[row] = lostAndFound;
      continue;
    }
    cursor = space.firstFree(cursor);
    const count = blocks[row]!;
    if (count <= small && space.freeLength(cursor) >= count && tree.data(row) === undefined) {
      firstBlock[row] = cursor;
      cursor += count;
    } else firstBlock[row] = lay(contentSegments(inventory, row));
  }
  const values = Float64Array.from(xattrs?.values ?? [], ({ value }) =>
    layBlocks(Math.ceil(value.length / design.blockSize)),
  );
  return {
    resizePointers,
    multiMount,
    orphanFile,
    quotaFiles: quota,
    lostAndFound,
    attributes,
    firstBlock,
    values,
    end: cursor,
    usedBlocks: inventory.contentBlocks + ownBlocks + mapBlocks,
    mapBlocks,
  };
}

/** Blocks up to which a file is small. */
const SMALL = 4096;

/** The parts of any row's content that have blocks. */
export function contentSegments(inventory: Inventory, row: number): readonly Segment[] {
  if (inventory.tree.isFile(row)) return segmentsOf(inventory.tree, row, inventory.design.blockSize);
  return [{ logical: 0, count: inventory.blocks[row]! }];
}
