import { layExtents, treeBlocks } from "./extent-tree.ts";
import { groupStart, hasSuperblock } from "./geometry.ts";
import { contentSegments } from "./placement.ts";
import type { Ext4Plan } from "./plan.ts";

/** A part of a filesystem and what it holds. Positions and lengths are in bytes. */
export interface PlanRegion {
  readonly position: number;
  readonly length: number;
  readonly what:
    | "boot block"
    | "superblock"
    | "group descriptors"
    | "block bitmap"
    | "inode bitmap"
    | "inode table"
    | "directory"
    | "symlink"
    | "file"
    | "extent tree";
  /** The block group of metadata. */
  readonly group?: number;
  /** The row of an entry's content; none for a lost+found that the tree does not have. */
  readonly row?: number;
}

/** Every used part of the filesystem, each once, in ascending order. */
export function* planRegions(plan: Ext4Plan): Generator<PlanRegion> {
  const metadata = metadataRegions(plan);
  let next = 0;
  for (const region of contentRegions(plan)) {
    while (next < metadata.length && metadata[next]!.position < region.position) yield metadata[next++]!;
    yield region;
  }
  while (next < metadata.length) yield metadata[next++]!;
}

function metadataRegions(plan: Ext4Plan): PlanRegion[] {
  const cut = plan.geometry;
  const { blockSize } = cut;
  const regions: PlanRegion[] = [];
  const add = (block: number, blocks: number, what: PlanRegion["what"], group: number): void => {
    regions.push({ position: block * blockSize, length: blocks * blockSize, what, group });
  };
  if (cut.firstDataBlock === 1) add(0, 1, "boot block", 0);
  for (let group = 0; group < cut.groups; group++) {
    if (hasSuperblock(group)) {
      add(groupStart(cut, group), 1, "superblock", group);
      add(groupStart(cut, group) + 1, cut.descriptorBlocks, "group descriptors", group);
    }
    const { blockBitmap, inodeBitmap, inodeTable } = cut.metadata[group]!;
    add(blockBitmap, 1, "block bitmap", group);
    add(inodeBitmap, 1, "inode bitmap", group);
    add(inodeTable, cut.inodeTableBlocks, "inode table", group);
  }
  return regions.sort((a, b) => a.position - b.position);
}

function* contentRegions(plan: Ext4Plan): Generator<PlanRegion> {
  const { inventory, placement, tree } = plan;
  const { lostAndFoundRow, lostAndFoundBlocks } = inventory;
  const lostAndFoundSegments = [{ logical: 0, count: lostAndFoundBlocks }];
  const ofRow = lostAndFoundRow === undefined ? {} : { row: lostAndFoundRow };
  yield* runs(plan, placement.lostAndFound, lostAndFoundSegments, "directory", ofRow);
  for (const row of inventory.order) {
    if (row === lostAndFoundRow) continue;
    const what = tree.isDirectory(row) ? "directory" : tree.isSymlink(row) ? "symlink" : "file";
    yield* runs(plan, placement.firstBlock[row]!, contentSegments(inventory, row), what, { row });
  }
}

function runs(
  plan: Ext4Plan,
  first: number,
  segments: readonly { logical: number; count: number }[],
  what: PlanRegion["what"],
  owner: { row?: number },
): PlanRegion[] {
  const { space, blockSize } = plan.geometry;
  const regions: PlanRegion[] = [];
  const add = (kind: PlanRegion["what"], physical: number, count: number): void => {
    regions.push({ position: physical * blockSize, length: count * blockSize, what: kind, ...owner });
  };
  let extents = 0;
  const end = layExtents(space, first, segments, (_logical, physical, count) => {
    extents++;
    add(what, physical, count);
  });
  const nodes = [{ logical: 0, count: treeBlocks(extents, blockSize) }];
  layExtents(space, end, nodes, (_logical, physical, count) => add("extent tree", physical, count));
  return regions;
}
