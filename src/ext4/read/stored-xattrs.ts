import { DiskwrightError } from "../../errors.ts";
import { xattrBlockChecksum } from "../checksum.ts";
import { decodeBlockXattrs, decodeInodeXattrs, type RawXattr } from "../xattr/encode.ts";
import type { Frame } from "./frame.ts";
import type { StoredInode } from "./inode.ts";
import { corrupt } from "./problems.ts";

// Extended attributes as they are stored: behind the fields of an inode, and in a block.

const BLOCK_CHECKSUM = 0x10;

/** The attributes behind the fields of an inode. */
export function storedInInode(inode: StoredInode): RawXattr[] {
  return withOwner(inode, () => decodeInodeXattrs(inode.tail));
}

/** The attributes in the block of an inode. */
export async function storedInBlock(frame: Frame, inode: StoredInode): Promise<RawXattr[]> {
  const { xattrBlock } = inode;
  if (xattrBlock === 0) return [];
  const bytes = await frame.block(xattrBlock, `the extended attributes of inode ${inode.number}`);
  const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(BLOCK_CHECKSUM, true);
  if (frame.hasChecksums && stored !== xattrBlockChecksum(frame.checksumSeed, xattrBlock, bytes)) {
    frame.problems.add(`block ${xattrBlock} of extended attributes: its checksum does not match`);
  }
  return withOwner(inode, () => decodeBlockXattrs(bytes));
}

/** Says whose attributes are damaged. */
export function withOwner<Result>(inode: StoredInode, decode: () => Result): Result {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DiskwrightError) throw corrupt(`inode ${inode.number}: ${error.message}`);
    throw error;
  }
}
