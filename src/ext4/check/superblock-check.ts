import { COMPATIBLE, INCOMPATIBLE, READ_ONLY_COMPATIBLE } from "../features.ts";
import type { Frame } from "../read/frame.ts";
import { FIRST_INODE } from "../structures.ts";

/** The highest number of a hash of names: siphash (directory.rst, "hash_version"). */
const LAST_HASH = 6;

/** Holds the fields of the superblock against each other (super.rst). What does not fit is a problem. */
export function checkSuperblock(frame: Frame): void {
  const { superblock, problems, blockSize, blocks } = frame;
  const note = (what: string): void => problems.add(`the superblock: ${what}`);
  const inodes = frame.groups * superblock.inodesPerGroup;
  if (superblock.inodesCount !== inodes)
    note(`it says ${superblock.inodesCount} inodes, the groups have ${inodes}`);
  const firstDataBlock = blockSize === 1024 && frame.clusterSize === blockSize ? 1 : 0;
  if (superblock.firstDataBlock !== firstDataBlock) {
    note(`its first block is ${superblock.firstDataBlock} instead of ${firstDataBlock}`);
  }
  const reserved = frame.wide(superblock.reservedBlocksCountLow, superblock.reservedBlocksCountHigh);
  if (reserved > blocks / 2) note(`it reserves ${reserved} of ${blocks} blocks`);
  const isClustered = frame.has({ readOnlyCompatible: READ_ONLY_COMPATIBLE.bigalloc });
  if (!isClustered && superblock.clustersPerGroup !== superblock.blocksPerGroup) {
    note(`its groups have ${superblock.clustersPerGroup} clusters and ${superblock.blocksPerGroup} blocks`);
  }
  if (superblock.blocksPerGroup % 8 !== 0) note(`it has ${superblock.blocksPerGroup} blocks in a group`);
  if (superblock.revision > 0 && superblock.firstInode < FIRST_INODE) {
    note(`its first inode for files is ${superblock.firstInode}`);
  }
  if (superblock.hashVersion > LAST_HASH) note(`it names the unknown hash ${superblock.hashVersion}`);
  const { reservedDescriptorBlocks } = superblock;
  const canResize = frame.has({ compatible: COMPATIBLE.resize_inode });
  if (canResize && frame.has({ incompatible: INCOMPATIBLE.meta_bg })) {
    note("it has both of the features resize_inode and meta_bg");
  }
  if (!canResize && reservedDescriptorBlocks !== 0) {
    note(
      `it reserves ${reservedDescriptorBlocks} blocks for descriptors, but lacks the feature resize_inode`,
    );
  }
  if (reservedDescriptorBlocks > blockSize / 4) {
    note(`it reserves ${reservedDescriptorBlocks} blocks for descriptors, more than there can be`);
  }
}
