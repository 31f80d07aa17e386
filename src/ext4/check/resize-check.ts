import { COMPATIBLE } from "../features.ts";
import type { Frame } from "../read/frame.ts";
import { firstBlockOf } from "../read/group-runs.ts";
import { hasSuperblock } from "../read/groups.ts";
import type { StoredInode } from "../read/inode.ts";
import { DOUBLE_INDIRECT } from "../special/resize-inode.ts";
import { SUPERBLOCK_OFFSET } from "../structures.ts";
import type { BlockClaims } from "./block-claims.ts";

/**
 * Checks that the resize inode (special_inodes.rst) leads to the blocks that are reserved behind the descriptors, and
 * claims the block of pointers that it has besides. `inode` is absent when it is not in use.
 */
export async function checkResizeInode(
  frame: Frame,
  inode: StoredInode | undefined,
  claims: BlockClaims,
): Promise<void> {
  const { superblock, blockSize, descriptorSize, groups, problems } = frame;
  const reserved = superblock.reservedDescriptorBlocks;
  const note = (what: string): void => problems.add(`the resize inode ${what}`);
  if (!frame.has({ compatible: COMPATIBLE.resize_inode })) {
    if (inode?.block.some((byte) => byte !== 0) === true) {
      note("has blocks, but the filesystem lacks the feature resize_inode");
    }
    return;
  }
  if (inode === undefined) {
    if (reserved > 0) note("is not in use");
    return;
  }
  const own = new DataView(inode.block.buffer, inode.block.byteOffset, inode.block.byteLength);
  const pointersBlock = own.getUint32(4 * DOUBLE_INDIRECT, true);
  const isAlone = inode.block.every((byte, at) => byte === 0 || at >> 2 === DOUBLE_INDIRECT);
  if (!isAlone) {
    note("does not have the form that it must have");
    return;
  }
  if (reserved === 0 && pointersBlock === 0) return;
  const bytes = await frame.block(pointersBlock, "the block of pointers of the resize inode");
  if (claims.claim(pointersBlock, 1) !== undefined)
    note(`has block ${pointersBlock}, which something else has, too`);
  const pointers = viewOf(bytes);
  const perBlock = blockSize / 4;
  const descriptors = Math.ceil((groups * descriptorSize) / blockSize);
  const copies = Array.from({ length: groups }, (_, group) => group).filter(
    (group) => group > 0 && hasSuperblock(frame, group),
  );
  const expected = new Uint32Array(perBlock);
  for (let index = 0; index < reserved; index++) {
    const number = descriptors + index;
    const block = Math.floor(SUPERBLOCK_OFFSET / blockSize) + 1 + number;
    expected[number % perBlock] = block;
    const backups = viewOf(await frame.block(block, "the resize inode"));
    for (let at = 0; at < perBlock; at++) {
      const group = copies[at];
      const backup = group === undefined ? 0 : firstBlockOf(frame, group) + 1 + number;
      if (backups.getUint32(4 * at, true) === backup) continue;
      note(`does not lead from block ${block} to the blocks that other groups reserve for descriptors`);
      return;
    }
  }
  if (expected.some((block, at) => pointers.getUint32(4 * at, true) !== block)) {
    note("does not lead to the blocks that are reserved for descriptors");
  }
  const blocks = 1 + reserved * (1 + copies.length);
  // With clusters, what is given to an inode is more than the blocks that it uses.
  if (frame.clusterSize === blockSize && inode.allocated !== blocks * blockSize) {
    note(`counts ${inode.allocated} bytes, but has ${blocks * blockSize}`);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
