import { inodeSeed, orphanBlockChecksum } from "../checksum.ts";
import type { Design } from "../design.ts";
import { ORPHAN_MAGIC, orphanTail } from "../structures.ts";

// The orphan file (orphan.rst): where a kernel notes the inodes that it has to remove after a crash. A new
// one is all zeros but for the tail of each block.

const FEWEST = 32;
const MOST = 512;
/** One block of it for so many blocks of the filesystem. */
const SHARE = 4096;

/** Blocks of the orphan file of a filesystem with so many blocks, as mke2fs sizes it. */
export function orphanFileBlocks(design: Design, blocks: number): number {
  if (!design.features.has("orphan_file")) return 0;
  return Math.min(Math.max(Math.floor(blocks / SHARE), FEWEST), MOST);
}

/** A block of an empty orphan file that lies at `block`. */
export function encodeOrphanBlock(design: Design, inode: number, block: number): Uint8Array {
  const bytes = new Uint8Array(design.blockSize);
  const end = design.blockSize - orphanTail.span;
  const seed = inodeSeed(design.checksumSeed, inode, 0);
  const checksum =
    design.checksums === "crc32c" ? orphanBlockChecksum(seed, block, bytes.subarray(0, end)) : 0;
  orphanTail.encode({ magic: ORPHAN_MAGIC, checksum }, bytes, end, "orphan tail");
  return bytes;
}
