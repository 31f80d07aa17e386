import { NIL_GUID, utf8 } from "../bytes/index.ts";
import { superblockChecksum } from "./checksum.ts";
import { WRITTEN_FEATURES } from "./features.ts";
import { hasSuperblock, LOG_GROUPS_PER_FLEX } from "./geometry.ts";
import type { Ext4Plan } from "./plan.ts";
import {
  DESCRIPTOR_SIZE,
  EXTRA_INODE_SIZE,
  FIRST_INODE,
  INODE_SIZE,
  SUPERBLOCK_MAGIC,
  superblock,
} from "./structures.ts";

/** `user_xattr` and `acl`, which mke2fs makes the default of every mount. */
const DEFAULT_MOUNT_OPTIONS = 0x0c;
/** Directory hashes take names as signed characters, as mke2fs sets it on most machines. */
const SIGNED_HASH = 1;
const HALF_MD4 = 1;
const CLEAN = 1;
const CONTINUE_ON_ERRORS = 1;
/** No check after so many mounts. */
const NEVER = 0xffff;
const CRC32C = 1;

/** Encodes the copy of the superblock in a group: 1024 bytes (super.rst). */
export function encodeSuperblock(plan: Ext4Plan, group: number): Uint8Array {
  const cut = plan.geometry;
  const time = plan.time ?? 0;
  const timeHigh = Math.floor(time / 2 ** 32);
  const low = (blocks: number): number => blocks % 2 ** 32;
  const high = (blocks: number): number => Math.floor(blocks / 2 ** 32);
  const bytes = superblock.toBytes({
    inodesCount: cut.inodes,
    blocksCountLow: low(cut.blocks),
    reservedBlocksCountLow: low(plan.reservedBlocks),
    freeBlocksCountLow: low(plan.freeBlocks),
    freeInodesCount: plan.freeInodes,
    firstDataBlock: cut.firstDataBlock,
    logBlockSize: Math.log2(cut.blockSize / 1024),
    logClusterSize: Math.log2(cut.blockSize / 1024),
    blocksPerGroup: cut.blocksPerGroup,
    clustersPerGroup: cut.blocksPerGroup,
    inodesPerGroup: cut.inodesPerGroup,
    mountTimeLow: 0,
    writeTimeLow: low(time),
    mountCount: 0,
    maximumMountCount: NEVER,
    magic: SUPERBLOCK_MAGIC,
    state: CLEAN,
    errorBehaviour: CONTINUE_ON_ERRORS,
    minorRevision: 0,
    lastCheckTimeLow: low(time),
    checkInterval: 0,
    creatorOs: 0,
    revision: 1,
    reservedUid: 0,
    reservedGid: 0,
    firstInode: FIRST_INODE,
    inodeSize: INODE_SIZE,
    // The field is too narrow for the groups of a filesystem beyond 8 TiB; its low bits are what is kept.
    blockGroup: group % 2 ** 16,
    ...WRITTEN_FEATURES,
    uuid: plan.uuid,
    label: utf8(plan.label),
    lastMounted: new Uint8Array(0),
    algorithmBitmap: 0,
    preallocatedBlocks: 0,
    preallocatedDirectoryBlocks: 0,
    reservedDescriptorBlocks: 0,
    journalUuid: NIL_GUID,
    journalInode: 0,
    journalDevice: 0,
    lastOrphan: 0,
    hashSeed: plan.hashSeed,
    hashVersion: HALF_MD4,
    journalBackupType: 0,
    descriptorSize: DESCRIPTOR_SIZE,
    defaultMountOptions: DEFAULT_MOUNT_OPTIONS,
    firstMetaBlockGroup: 0,
    creationTimeLow: low(time),
    journalBlocks: new Array<number>(17).fill(0),
    blocksCountHigh: high(cut.blocks),
    reservedBlocksCountHigh: high(plan.reservedBlocks),
    freeBlocksCountHigh: high(plan.freeBlocks),
    minimumExtraInodeSize: EXTRA_INODE_SIZE,
    wantedExtraInodeSize: EXTRA_INODE_SIZE,
    flags: SIGNED_HASH,
    raidStride: 0,
    mmpInterval: 0,
    mmpBlock: 0n,
    raidStripeWidth: 0,
    logGroupsPerFlex: LOG_GROUPS_PER_FLEX,
    checksumType: CRC32C,
    encryptionLevel: 0,
    kilobytesWritten: 0n,
    mountOptions: new Uint8Array(0),
    userQuotaInode: 0,
    groupQuotaInode: 0,
    overheadClusters: overhead(plan),
    backupGroups: [0, 0],
    lostAndFoundInode: 0,
    projectQuotaInode: 0,
    checksumSeed: 0,
    writeTimeHigh: timeHigh,
    mountTimeHigh: 0,
    creationTimeHigh: timeHigh,
    lastCheckTimeHigh: timeHigh,
    firstErrorTimeHigh: 0,
    lastErrorTimeHigh: 0,
    encoding: 0,
    encodingFlags: 0,
    orphanFileInode: 0,
    checksum: 0,
  });
  new DataView(bytes.buffer).setUint32(superblock.offsetOf("checksum"), superblockChecksum(bytes), true);
  return bytes;
}

/** Blocks of metadata that does not depend on content, which the kernel subtracts in `statfs`. */
function overhead(plan: Ext4Plan): number {
  const cut = plan.geometry;
  let blocks = cut.firstDataBlock + cut.groups * (2 + cut.inodeTableBlocks);
  for (let group = 0; group < cut.groups; group++) {
    if (hasSuperblock(group)) blocks += 1 + cut.descriptorBlocks;
  }
  return blocks % 2 ** 32;
}
