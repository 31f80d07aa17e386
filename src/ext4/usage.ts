import { fileMode } from "../tree/index.ts";
import { blocksOfFile } from "./file-map.ts";
import type { Geometry } from "./geometry.ts";
import { headerOf } from "./group-shape.ts";
import type { Inventory } from "./inventory.ts";
import type { Placement } from "./placement.ts";

/** What takes the room in a filesystem, in bytes. Together they are the size of the filesystem. */
export interface Ext4Usage {
  /** Superblock and group descriptors, with their copies. */
  readonly superblocks: number;
  /** What is reserved for more group descriptors, so that the filesystem can grow. */
  readonly reservedForGrowth: number;
  readonly bitmaps: number;
  readonly inodeTables: number;
  readonly journal: number;
  readonly orphanFile: number;
  readonly quotaFiles: number;
  readonly multiMountProtection: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly files: number;
  /** Extended attributes that do not lie in an inode. */
  readonly extendedAttributes: number;
  /** What maps the blocks of files, and does not lie in an inode: nodes of extent trees, block maps. */
  readonly fileMaps: number;
  readonly free: number;
}

/** Adds up what takes the room. */
export function usageOf(
  inventory: Inventory,
  cut: Geometry,
  placement: Placement,
  freeBlocks: number,
): Ext4Usage {
  const { tree, xattrs } = inventory;
  const { blockSize } = cut.design;
  let directories = inventory.lostAndFoundRow === undefined ? inventory.lostAndFoundBlocks : 0;
  let symlinks = 0;
  let files = 0;
  for (const row of inventory.order) {
    const blocks = inventory.blocks[row]!;
    const type = tree.typeBits(row);
    if (type === fileMode.DIRECTORY) directories += blocks;
    else if (type === fileMode.SYMLINK) symlinks += blocks;
    else files += blocks;
  }
  let superblocks = cut.firstDataBlock;
  let growth = placement.resizePointers === undefined ? 0 : 1;
  for (let group = 0; group < cut.groups; group++) {
    const header = headerOf(cut, group);
    superblocks += (header.hasSuperblock ? 1 : 0) + header.descriptorBlocks;
    growth += header.reservedBlocks;
  }
  let attributes = xattrs?.blocks ?? 0;
  for (const { value } of xattrs?.values ?? []) attributes += Math.ceil(value.length / blockSize);
  const orphanBlocks = blocksOfFile(placement.orphanFile);
  let quotaBlocks = 0;
  for (const { size } of inventory.quotaFiles) quotaBlocks += Math.ceil(size / blockSize);
  return {
    superblocks: superblocks * blockSize,
    reservedForGrowth: growth * blockSize,
    bitmaps: 2 * cut.groups * blockSize,
    inodeTables: cut.groups * cut.inodeTableBlocks * blockSize,
    journal: (blocksOfFile(cut.journal) + (cut.journal?.mapBlocks ?? 0)) * blockSize,
    orphanFile: orphanBlocks * blockSize,
    quotaFiles: quotaBlocks * blockSize,
    multiMountProtection: placement.multiMount === undefined ? 0 : blockSize,
    directories: directories * blockSize,
    symlinks: symlinks * blockSize,
    files: files * blockSize,
    extendedAttributes: attributes * blockSize,
    fileMaps: placement.mapBlocks * blockSize,
    free: freeBlocks * blockSize,
  };
}
