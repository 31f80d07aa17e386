import { bytesExtent, type Extent } from "../extents/index.ts";
import { fileMode } from "../tree/index.ts";
import { encodeHeader, encodeLeaf, ROOT_ENTRIES } from "./extent-tree.ts";
import { layFile } from "./file-map.ts";
import {
  BLOCK_OFFSET,
  encodeDevice,
  encodeInode,
  encodeValueFields,
  type InodeValues,
  signInode,
} from "./inode.ts";
import { subdirectories } from "./inventory.ts";
import { contentSegments } from "./placement.ts";
import { type Ext4Plan, rowOfInode } from "./plan.ts";
import { mapOf, systemInode } from "./special/inodes.ts";
import type { QuotaKind, QuotaUsage } from "./special/quota.ts";
import { BASE_INODE_SIZE, EXTRA_INODE_SIZE, FIRST_INODE, INODE_FLAG, LONGEST_EXTENT } from "./structures.ts";
import { timeRange } from "./time.ts";

/** An inode table is handed out in pieces of about this many bytes. */
const PIECE = 64 * 1024;

/** The inode table of a group, as far as its inodes are in use; the rest is a hole. */
export function* inodeTableExtents(plan: Ext4Plan, group: number, used: number): Generator<Extent> {
  const cut = plan.geometry;
  const { inodeSize, blockSize } = cut.design;
  const first = group * cut.inodesPerGroup + 1;
  const start = cut.metadata[group]!.inodeTable * blockSize;
  const perPiece = PIECE / inodeSize;
  for (let done = 0; done < used; done += perPiece) {
    const count = Math.min(perPiece, used - done);
    const bytes = new Uint8Array(count * inodeSize);
    const view = new DataView(bytes.buffer);
    for (let index = 0; index < count; index++) {
      writeInode(plan, first + done + index, bytes, view, index * inodeSize);
    }
    yield bytesExtent(start + done * inodeSize, bytes);
  }
}

function writeInode(plan: Ext4Plan, inode: number, bytes: Uint8Array, view: DataView, at: number): void {
  const { design } = plan;
  const row = rowOfInode(plan.inventory, inode);
  if (row !== undefined) writeRow(plan, inode, row, bytes, view, at);
  else {
    const own = systemInode(plan, inode);
    // Reserved inodes without a use stay zero.
    if (own === undefined) return;
    encodeInode(view, at, design.inodeSize, own.values);
    bytes.set(own.root, at + BLOCK_OFFSET);
    if (own.valueFields !== undefined) encodeValueFields(view, at, design.inodeSize, own.valueFields);
  }
  signInode(design, bytes, view, at, inode);
}

/** Writes the inode of a row, but for its checksum, and returns what it says. */
function writeRow(
  plan: Ext4Plan,
  inode: number,
  row: number,
  bytes: Uint8Array,
  view: DataView,
  at: number,
): InodeValues {
  const { tree, inventory, design } = plan;
  const type = tree.typeBits(row);
  const target = type === fileMode.SYMLINK ? tree.target(row) : undefined;
  const device = tree.device(row);
  const isFast = target !== undefined && inventory.blocks[row] === 0;
  const hasBlocks =
    type === fileMode.FILE || type === fileMode.DIRECTORY || (target !== undefined && !isFast);
  let mapBlocks = 0;
  if (hasBlocks) mapBlocks = writeRoot(plan, inode, row, bytes, view, at + BLOCK_OFFSET);
  else if (target !== undefined) bytes.set(target, at + BLOCK_OFFSET);
  else if (device !== undefined) encodeDevice(view, at, device);
  let values = inodeValues(plan, row, type, hasBlocks, mapBlocks);
  if (inventory.xattrs !== undefined) {
    values = withAttributes(plan, row, values);
    const inBody = inventory.xattrs.inInode(row);
    if (inBody !== undefined) bytes.set(inBody, at + BASE_INODE_SIZE + EXTRA_INODE_SIZE);
  }
  encodeInode(view, at, design.inodeSize, values);
  return values;
}

/** Writes what an inode says of where its blocks lie; returns how many blocks the rest of that takes. */
function writeRoot(
  plan: Ext4Plan,
  inode: number,
  row: number,
  bytes: Uint8Array,
  view: DataView,
  at: number,
): number {
  const { inventory, geometry: cut, tree, design } = plan;
  const count = inventory.blocks[row]!;
  const first = plan.placement.firstBlock[row]!;
  if (count === 0) {
    if (design.hasExtents) encodeHeader(view, at, 0, ROOT_ENTRIES, 0);
    return 0;
  }
  // Nearly every entry is in one piece; it needs no map to be built.
  const isPlain = count <= LONGEST_EXTENT && tree.data(row) === undefined;
  if (design.hasExtents && isPlain && cut.space.freeLength(first) >= count) {
    encodeHeader(view, at, 1, ROOT_ENTRIES, 0);
    encodeLeaf(view, at + 12, 0, first, count);
    return 0;
  }
  const layout = layFile(design, cut.space, first, contentSegments(inventory, row));
  bytes.set(mapOf(plan, inode, layout).root, at);
  return layout.mapBlocks;
}

function inodeValues(
  plan: Ext4Plan,
  row: number,
  type: number,
  hasBlocks: boolean,
  mapBlocks: number,
): InodeValues {
  const { tree, inventory, time, design } = plan;
  const { columns } = tree;
  const { blockSize } = design;
  const { earliest, latest } = timeRange(design.inodeSize);
  const blocks = inventory.blocks[row]!;
  const isClamped = time !== undefined && columns.mtimeSeconds[row]! >= time;
  const wanted = isClamped ? time : columns.mtimeSeconds[row]!;
  const seconds = Math.min(Math.max(wanted, earliest), latest);
  const isFile = type === fileMode.FILE || type === fileMode.SYMLINK;
  const owner = row === 0 ? plan.rootOwner : undefined;
  return {
    mode: columns.mode[row]!,
    uid: owner?.uid ?? columns.uid[row]!,
    gid: owner?.gid ?? columns.gid[row]!,
    size: isFile ? columns.size[row]! : blocks * blockSize,
    links: type === fileMode.DIRECTORY ? directoryLinks(plan, row) : tree.linkCount(row),
    seconds,
    nanoseconds: isClamped || seconds !== wanted ? 0 : columns.mtimeNanoseconds[row]!,
    sectors: (blocks + mapBlocks) * (blockSize / 512),
    flags:
      (hasBlocks && design.hasExtents ? INODE_FLAG.extents : 0) |
      (inventory.indexes.has(row) ? INODE_FLAG.index : 0),
    xattrBlock: 0,
  };
}

/** The block of a row's attributes, and the blocks that count as its own because of them. */
function withAttributes(plan: Ext4Plan, row: number, values: InodeValues): InodeValues {
  const xattrs = plan.inventory.xattrs!;
  const index = xattrs.blockOf(row);
  const blocks = (index === undefined ? 0 : 1) + xattrs.valueBlocks(row);
  if (blocks === 0) return values;
  return {
    ...values,
    sectors: values.sectors + blocks * (plan.design.blockSize / 512),
    xattrBlock: index === undefined ? 0 : plan.placement.attributes[index]!,
  };
}

/** Its own name, its ".", and the ".." of each subdirectory. */
function directoryLinks({ tree, inventory }: Ext4Plan, row: number): number {
  const made = row === 0 && inventory.lostAndFoundRow === undefined ? 1 : 0;
  return 2 + made + subdirectories(tree, row);
}

/** What each user, group and project uses: all that is in the tree, and lost+found. */
export function quotaUsage(plan: Ext4Plan): Readonly<Record<QuotaKind, ReadonlyMap<number, QuotaUsage>>> {
  const { tree, inventory, design } = plan;
  const usage = { user: new Map(), group: new Map(), project: new Map() } satisfies Record<
    QuotaKind,
    Map<number, QuotaUsage>
  >;
  const add = (of: Map<number, QuotaUsage>, id: number, sectors: number): void => {
    const { bytes, inodes } = of.get(id) ?? { bytes: 0, inodes: 0 };
    of.set(id, { bytes: bytes + sectors * 512, inodes: inodes + 1 });
  };
  const addInode = ({ uid, gid, sectors }: InodeValues): void => {
    add(usage.user, uid, sectors);
    add(usage.group, gid, sectors);
    add(usage.project, 0, sectors);
  };
  const scratch = new Uint8Array(design.inodeSize);
  const view = new DataView(scratch.buffer);
  for (let row = 0; row < tree.length; row++) {
    if (tree.isFurtherLink(row)) continue;
    scratch.fill(0);
    addInode(writeRow(plan, inventory.inodeOf[row]!, row, scratch, view, 0));
  }
  if (inventory.lostAndFoundRow === undefined) addInode(systemInode(plan, FIRST_INODE)!.values);
  return usage;
}
