import { COMPATIBLE } from "../features.ts";
import type { Frame } from "../read/frame.ts";
import { hasSuperblock } from "../read/groups.ts";
import type { StoredInode } from "../read/inode.ts";
import { DOUBLE_INDIRECT } from "../special/resize-inode.ts";
import { SUPERBLOCK_OFFSET } from "../structures.ts";
import type { BlockClaims } from "./block-claims.ts";
import { firstBlockOf } from "./group-check.ts";

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
  for (let index = 0; index < reserved; index++) {
    const block = Math.floor(SUPERBLOCK_OFFSET / blockSize) + 1 + descriptors + index;
    if (pointers.getUint32(4 * ((descriptors + index) % perBlock), true) !== block) {
      note(`does not lead to block ${block}, which is reserved for descriptors`);
      return;
    }
    const backups = viewOf(await frame.block(block, "the resize inode"));
    for (const [at, group] of copies.entries()) {
      if (
        at >= perBlock ||
        backups.getUint32(4 * at, true) === firstBlockOf(frame, group) + 1 + descriptors + index
      )
        continue;
      note(`does not lead to the blocks that group ${group} reserves for descriptors`);
      return;
    }
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
