import { fileMode } from "../../tree/index.ts";
import { blocksOfFile, encodeMap, type FileLayout, layFile } from "../file-map.ts";
import type { InodeValues } from "../inode.ts";
import type { FileMap } from "../mapping.ts";
import type { Ext4Plan } from "../plan.ts";
import { FIRST_INODE, INODE_FLAG, JOURNAL_INODE, RESIZE_INODE } from "../structures.ts";
import { DOUBLE_INDIRECT, resizeInodeBlocks, resizeInodeSize } from "./resize-inode.ts";

// Inodes that no tree has (special_inodes.rst): the journal, the resize inode, the orphan file, lost+found
// when the tree has none, and the values that are too large for a block of attributes.

/** An inode of the filesystem's own: what it says, and the 60 bytes of its `i_block`. */
export interface SystemInode {
  readonly values: InodeValues;
  readonly root: Uint8Array;
  /** Seconds that replace those of the access and change time, and the version: see {@link valueInode}. */
  readonly valueFields?: { readonly hash: number; readonly references: number };
}

/** The inode with this number, if the filesystem has it for itself. */
export function systemInode(plan: Ext4Plan, inode: number): SystemInode | undefined {
  const { geometry, placement, inventory } = plan;
  if (inode === JOURNAL_INODE && geometry.journal !== undefined) {
    return fileInode(plan, geometry.journal, journalMap(plan), PRIVATE_FILE);
  }
  if (inode === RESIZE_INODE && placement.resizePointers !== undefined) return resizeInode(plan);
  if (inode === FIRST_INODE) {
    const layout = lostAndFoundLayout(plan);
    const made = fileInode(plan, layout, mapOf(plan, FIRST_INODE, layout), fileMode.DIRECTORY | 0o700);
    return { ...made, values: { ...made.values, links: 2 } };
  }
  if (inode === inventory.orphanInode && placement.orphanFile !== undefined) {
    return fileInode(plan, placement.orphanFile, mapOf(plan, inode, placement.orphanFile), PRIVATE_FILE);
  }
  const quota = inventory.quotaFiles.findIndex((file) => file.inode === inode);
  if (quota >= 0) {
    const layout = placement.quotaFiles[quota]!;
    const made = fileInode(plan, layout, mapOf(plan, inode, layout), PRIVATE_FILE);
    const flags = made.values.flags | INODE_FLAG.immutable;
    return { ...made, values: { ...made.values, flags, size: inventory.quotaFiles[quota]!.size } };
  }
  const value = inode - inventory.firstValueInode;
  return value >= 0 && value < placement.values.length ? valueInode(plan, inode, value) : undefined;
}

const PRIVATE_FILE = fileMode.FILE | 0o600;

/** Encodes what maps the blocks of an inode. */
export function mapOf(plan: Ext4Plan, inode: number, layout: FileLayout): FileMap {
  return encodeMap(plan.design, plan.geometry.space, inode, layout);
}

/** What maps the blocks of the journal. It was laid before anything else, so its map lies right behind it. */
export function journalMap(plan: Ext4Plan): FileMap {
  const { journal, journalSpace } = plan.geometry;
  return encodeMap(plan.design, journalSpace, JOURNAL_INODE, journal!);
}

/** Where a lost+found lies that the tree does not have. */
export function lostAndFoundLayout({ design, geometry, placement, inventory }: Ext4Plan): FileLayout {
  const segments = [{ logical: 0, count: inventory.lostAndFoundBlocks }];
  return layFile(design, geometry.space, placement.lostAndFound, segments);
}

/** Where the value lies that has an inode of its own. */
export function valueLayout({ design, geometry, placement, inventory }: Ext4Plan, index: number): FileLayout {
  const { value } = inventory.xattrs!.values[index]!;
  const segments = [{ logical: 0, count: Math.ceil(value.length / design.blockSize) }];
  return layFile(design, geometry.space, placement.values[index]!, segments);
}

function fileInode(plan: Ext4Plan, layout: FileLayout, { root }: FileMap, mode: number): SystemInode {
  const { blockSize, hasExtents } = plan.design;
  const blocks = blocksOfFile(layout);
  const values = {
    mode,
    uid: 0,
    gid: 0,
    size: blocks * blockSize,
    links: 1,
    seconds: plan.time ?? 0,
    nanoseconds: 0,
    sectors: (blocks + layout.mapBlocks) * (blockSize / 512),
    flags: hasExtents ? INODE_FLAG.extents : 0,
    xattrBlock: 0,
  };
  return { values, root };
}

/** The resize inode points to the reserved blocks of descriptors; it never has extents. */
function resizeInode(plan: Ext4Plan): SystemInode {
  const { blockSize } = plan.design;
  const root = new Uint8Array(60);
  new DataView(root.buffer).setUint32(4 * DOUBLE_INDIRECT, plan.placement.resizePointers!, true);
  const values = {
    mode: PRIVATE_FILE,
    uid: 0,
    gid: 0,
    size: resizeInodeSize(blockSize),
    links: 1,
    seconds: plan.time ?? 0,
    nanoseconds: 0,
    sectors: resizeInodeBlocks(plan.geometry) * (blockSize / 512),
    flags: 0,
    xattrBlock: 0,
  };
  return { values, root };
}

/**
 * An inode that holds a value (attributes.rst, "ea_inode"). It keeps the hash of the value as its access
 * time, and how many entries point to it as its change time and version.
 */
function valueInode(plan: Ext4Plan, inode: number, index: number): SystemInode {
  const { value, hash, references } = plan.inventory.xattrs!.values[index]!;
  const layout = valueLayout(plan, index);
  const made = fileInode(plan, layout, mapOf(plan, inode, layout), PRIVATE_FILE);
  const flags = made.values.flags | INODE_FLAG.xattrValue;
  return {
    ...made,
    values: { ...made.values, flags, size: value.length },
    valueFields: { hash, references },
  };
}
