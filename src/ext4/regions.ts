import { appendAll } from "../bytes/index.ts";
import { type FileLayout, layFile } from "./file-map.ts";
import { fileRuns } from "./geometry.ts";
import { groupStart, headerOf } from "./group-shape.ts";
import type { Segment } from "./mapping.ts";
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
    | "reserved group descriptors"
    | "block bitmap"
    | "inode bitmap"
    | "inode table"
    | "journal"
    | "resize inode"
    | "multiple mount protection"
    | "orphan file"
    | "quota file"
    | "directory"
    | "symlink"
    | "file"
    | "extended attributes"
    | "extent tree"
    | "block map";
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
  const { blockSize } = cut.design;
  const regions: PlanRegion[] = [];
  const add = (block: number, blocks: number, what: PlanRegion["what"], group: number): void => {
    if (blocks > 0) regions.push({ position: block * blockSize, length: blocks * blockSize, what, group });
  };
  if (cut.firstDataBlock === 1) add(0, 1, "boot block", 0);
  for (let group = 0; group < cut.groups; group++) {
    const { hasSuperblock, descriptorBlocks, reservedBlocks } = headerOf(cut, group);
    const start = groupStart(cut, group);
    const descriptors = start + (hasSuperblock ? 1 : 0);
    if (hasSuperblock) add(start, 1, "superblock", group);
    add(descriptors, descriptorBlocks, "group descriptors", group);
    add(descriptors + descriptorBlocks, reservedBlocks, "reserved group descriptors", group);
    const { blockBitmap, inodeBitmap, inodeTable } = cut.metadata[group]!;
    add(blockBitmap, 1, "block bitmap", group);
    add(inodeBitmap, 1, "inode bitmap", group);
    add(inodeTable, cut.inodeTableBlocks, "inode table", group);
  }
  if (cut.journal !== undefined)
    appendAll(regions, layoutRegions(plan, cut.journal, "journal", undefined, cut.journalSpace));
  return regions.sort((a, b) => a.position - b.position);
}

function* contentRegions(plan: Ext4Plan): Generator<PlanRegion> {
  const { inventory, placement, tree, geometry } = plan;
  const { design, space } = geometry;
  const { blockSize } = design;
  const block = (at: number, what: PlanRegion["what"]): PlanRegion => ({
    position: at * blockSize,
    length: blockSize,
    what,
  });
  const lay = (first: number, segments: readonly Segment[]): FileLayout =>
    layFile(design, space, first, segments);
  if (placement.resizePointers !== undefined) yield block(placement.resizePointers, "resize inode");
  if (placement.multiMount !== undefined) yield block(placement.multiMount, "multiple mount protection");
  if (placement.orphanFile !== undefined) yield* layoutRegions(plan, placement.orphanFile, "orphan file");
  for (const layout of placement.quotaFiles) yield* layoutRegions(plan, layout, "quota file");
  const { lostAndFoundRow, lostAndFoundBlocks } = inventory;
  yield* layoutRegions(
    plan,
    lay(placement.lostAndFound, [{ logical: 0, count: lostAndFoundBlocks }]),
    "directory",
    lostAndFoundRow,
  );
  for (const at of placement.attributes) yield block(at, "extended attributes");
  for (const row of inventory.order) {
    if (row === lostAndFoundRow) continue;
    const what = tree.isDirectory(row) ? "directory" : tree.isSymlink(row) ? "symlink" : "file";
    yield* layoutRegions(plan, lay(placement.firstBlock[row]!, contentSegments(inventory, row)), what, row);
  }
  for (const [index, { value }] of (inventory.xattrs?.values ?? []).entries()) {
    const count = Math.ceil(value.length / blockSize);
    yield* layoutRegions(plan, lay(placement.values[index]!, [{ logical: 0, count }]), "extended attributes");
  }
}

/** The regions of a file, and of what maps its blocks. */
function layoutRegions(
  plan: Ext4Plan,
  layout: FileLayout,
  what: PlanRegion["what"],
  row?: number,
  space = plan.geometry.space,
): PlanRegion[] {
  const { design } = plan;
  const map = design.hasExtents ? "extent tree" : "block map";
  return fileRuns(space, layout).map(({ start, count }, index) => ({
    position: start * design.blockSize,
    length: count * design.blockSize,
    what: index < layout.runs.length ? what : map,
    ...(row === undefined ? {} : { row }),
  }));
}
