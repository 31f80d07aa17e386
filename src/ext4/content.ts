import { bytesContent, bytesExtent, type Content, type Extent } from "../extents/index.ts";
import { inodeSeed } from "./checksum.ts";
import { directoryBlocks } from "./directory/directory.ts";
import { type FileLayout, layFile } from "./file-map.ts";
import { quotaUsage } from "./inode-table.ts";
import { LOST_AND_FOUND } from "./inventory.ts";
import { contentSegments } from "./placement.ts";
import type { Ext4Plan } from "./plan.ts";
import { lostAndFoundLayout, mapOf, valueLayout } from "./special/inodes.ts";
import { encodeMultiMountBlock } from "./special/multi-mount.ts";
import { encodeOrphanBlock } from "./special/orphan-file.ts";
import { encodeQuotaFile } from "./special/quota.ts";
import { encodeResizePointers } from "./special/resize-inode.ts";
import { FIRST_INODE, LONGEST_EXTENT, ROOT_INODE } from "./structures.ts";

/** The extents of all content, in ascending order: the order in which it was placed. */
export function* contentExtents(plan: Ext4Plan): Generator<Extent> {
  const { tree, inventory, placement } = plan;
  yield* ownExtents(plan);
  yield* directoryExtents(plan, inventory.lostAndFoundRow);
  for (const [index, block] of placement.attributes.entries()) {
    yield blockExtent(plan, block, inventory.xattrs!.encodeBlock(index, block));
  }
  for (const row of inventory.order) {
    if (row === inventory.lostAndFoundRow) continue;
    if (tree.isFile(row)) yield* fileExtents(plan, row);
    else if (tree.isDirectory(row)) yield* directoryExtents(plan, row);
    else yield blockExtent(plan, placement.firstBlock[row]!, tree.target(row));
  }
  for (let index = 0; index < placement.values.length; index++) yield* valueExtents(plan, index);
}

/** Bytes from the start of a block on. */
export function blockExtent(plan: Ext4Plan, block: number, bytes: Uint8Array): Extent {
  return bytesExtent(block * plan.design.blockSize, bytes);
}

/** What the filesystem has for itself. */
function* ownExtents(plan: Ext4Plan): Generator<Extent> {
  const { placement, design, inventory } = plan;
  const { resizePointers, multiMount, orphanFile } = placement;
  if (resizePointers !== undefined) {
    yield blockExtent(plan, resizePointers, encodeResizePointers(plan.geometry));
  }
  if (multiMount !== undefined) {
    yield blockExtent(plan, multiMount, encodeMultiMountBlock(design, plan.time ?? 0));
  }
  if (orphanFile !== undefined) {
    const inode = inventory.orphanInode!;
    for (const { physical, count } of orphanFile.runs) {
      for (let block = physical; block < physical + count; block++) {
        yield blockExtent(plan, block, encodeOrphanBlock(design, inode, block));
      }
    }
    yield* mapExtents(plan, inode, orphanFile);
  }
  if (inventory.quotaFiles.length === 0) return;
  const usage = quotaUsage(plan);
  for (const [index, file] of inventory.quotaFiles.entries()) {
    const layout = placement.quotaFiles[index]!;
    const bytes = encodeQuotaFile(file, (id) => usage[file.kind].get(id)!);
    yield* runExtents(plan, layout, bytesContent(bytes), file.size);
    yield* mapExtents(plan, file.inode, layout);
  }
}

/** The blocks of a directory; without a row, those of a lost+found that the tree does not have. */
function* directoryExtents(plan: Ext4Plan, row: number | undefined): Generator<Extent> {
  const { tree, inventory, design } = plan;
  const inode = row === undefined ? FIRST_INODE : inventory.inodeOf[row]!;
  const isRootWithout = row === 0 && inventory.lostAndFoundRow === undefined;
  const index = row === undefined ? undefined : inventory.indexes.get(row);
  const contents = {
    inode,
    parentInode: row === undefined ? ROOT_INODE : inventory.inodeOf[tree.columns.parent[row]!]!,
    row,
    blocks: row === undefined ? inventory.lostAndFoundBlocks : inventory.blocks[row]!,
    checksumSeed: inodeSeed(design.checksumSeed, inode, 0),
    ...(index === undefined ? {} : { index }),
    ...(isRootWithout ? { extra: { name: LOST_AND_FOUND, inode: FIRST_INODE } } : {}),
  };
  const blocks = directoryBlocks(tree, inventory.inodeOf, contents, design.directories);
  const layout = row === undefined ? lostAndFoundLayout(plan) : layoutOf(plan, row);
  for (const { physical, count } of layout.runs) {
    for (let block = physical; block < physical + count; block++) {
      yield blockExtent(plan, block, blocks.next().value as Uint8Array);
    }
  }
  yield* mapExtents(plan, inode, layout);
}

function layoutOf({ design, geometry, placement, inventory }: Ext4Plan, row: number): FileLayout {
  return layFile(design, geometry.space, placement.firstBlock[row]!, contentSegments(inventory, row));
}

function* fileExtents(plan: Ext4Plan, row: number): Generator<Extent> {
  const { tree, geometry: cut, design, placement } = plan;
  const { blockSize, plainBlocks } = design;
  const content: Content = tree.content(row);
  const size = tree.columns.size[row]!;
  const first = placement.firstBlock[row]!;
  const isPlain = tree.data(row) === undefined && size <= Math.min(plainBlocks, LONGEST_EXTENT) * blockSize;
  if (isPlain && cut.space.freeLength(first) * blockSize >= size) {
    yield { position: first * blockSize, length: size, source: content, offset: 0 };
    return;
  }
  const layout = layoutOf(plan, row);
  yield* runExtents(plan, layout, content, size);
  yield* mapExtents(plan, plan.inventory.inodeOf[row]!, layout);
}

/** The value of an attribute that has an inode of its own. */
function* valueExtents(plan: Ext4Plan, index: number): Generator<Extent> {
  const { value } = plan.inventory.xattrs!.values[index]!;
  const layout = valueLayout(plan, index);
  yield* runExtents(plan, layout, bytesContent(value), value.length);
  yield* mapExtents(plan, plan.inventory.firstValueInode + index, layout);
}

function* runExtents(plan: Ext4Plan, layout: FileLayout, source: Content, size: number): Generator<Extent> {
  const { blockSize } = plan.design;
  for (const { logical, physical, count } of layout.runs) {
    const offset = logical * blockSize;
    const length = Math.min(count * blockSize, size - offset);
    yield { position: physical * blockSize, length, source, offset };
  }
}

/** What maps the blocks of a file, as far as it does not lie in the inode. Ascending. */
function* mapExtents(plan: Ext4Plan, inode: number, layout: FileLayout): Generator<Extent> {
  if (layout.mapBlocks === 0) return;
  for (const { block, bytes } of mapOf(plan, inode, layout).nodes) yield blockExtent(plan, block, bytes);
}
