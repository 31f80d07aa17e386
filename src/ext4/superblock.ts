import { NIL_GUID } from "../bytes/index.ts";
import { superblockChecksum } from "./checksum.ts";
import { HASH_VERSION } from "./directory/hash.ts";
import { blocksOfFile } from "./file-map.ts";
import { LOG_GROUPS_PER_FLEX } from "./geometry.ts";
import { headerLength, headerOf } from "./group-shape.ts";
import type { Ext4Plan } from "./plan.ts";
import { journalMap } from "./special/inodes.ts";
import { UPDATE_INTERVAL } from "./special/multi-mount.ts";
import type { QuotaKind } from "./special/quota.ts";
import {
  BASE_INODE_SIZE,
  EXTRA_INODE_SIZE,
  FIRST_INODE,
  JOURNAL_INODE,
  SUPERBLOCK_MAGIC,
  superblock,
} from "./structures.ts";

/** s_flags: whether directory hashes take names as signed characters, as mke2fs has it on most machines. */
const SIGNED_HASH = 1;
const UNSIGNED_HASH = 2;
const CLEAN = 1;
const CRC32C = 1;
/** s_jnl_backup_type: `journalBlocks` holds the block map of the journal's inode, and its size. */
const INODE_BACKUP = 1;
/** s_encrypt_algos: AES-256-XTS for content, AES-256-CTS for names. */
const ENCRYPTION_ALGORITHMS = Uint8Array.of(1, 4);
/** s_encoding: Unicode 12.1. */
const UNICODE = 1;

/** Encodes the copy of the superblock in a group: 1024 bytes (super.rst). */
export function encodeSuperblock(plan: Ext4Plan, group: number): Uint8Array {
  const cut = plan.geometry;
  const { design, settings, features, placement } = plan;
  const { index } = design.directories;
  const extraInodeSize = design.inodeSize > BASE_INODE_SIZE ? EXTRA_INODE_SIZE : 0;
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
    logBlockSize: Math.log2(design.blockSize / 1024),
    logClusterSize: Math.log2(design.blockSize / 1024),
    blocksPerGroup: cut.blocksPerGroup,
    clustersPerGroup: cut.blocksPerGroup,
    inodesPerGroup: cut.inodesPerGroup,
    mountTimeLow: 0,
    writeTimeLow: low(time),
    mountCount: 0,
    maximumMountCount: settings.maximumMountCount,
    magic: SUPERBLOCK_MAGIC,
    state: CLEAN,
    errorBehaviour: settings.errorBehaviour,
    minorRevision: 0,
    lastCheckTimeLow: low(time),
    checkInterval: settings.checkInterval,
    creatorOs: 0,
    revision: 1,
    reservedUid: settings.reservedUid,
    reservedGid: settings.reservedGid,
    firstInode: FIRST_INODE,
    inodeSize: design.inodeSize,
    // The field is too narrow for the groups of a filesystem beyond 8 TiB; its low bits are what is kept.
    blockGroup: group % 2 ** 16,
    ...features.words,
    uuid: plan.uuid,
    label: settings.label,
    lastMounted: settings.lastMounted,
    algorithmBitmap: 0,
    preallocatedBlocks: 0,
    preallocatedDirectoryBlocks: 0,
    reservedDescriptorBlocks: cut.reservedDescriptorBlocks,
    journalUuid: NIL_GUID,
    journalInode: cut.journal === undefined ? 0 : JOURNAL_INODE,
    journalDevice: 0,
    lastOrphan: 0,
    hashSeed: plan.hashSeed,
    hashVersion: HASH_VERSION[index?.hash ?? "half_md4"],
    journalBackupType: cut.journal === undefined ? 0 : INODE_BACKUP,
    descriptorSize: features.has("64bit") ? design.descriptorSize : 0,
    defaultMountOptions: settings.defaultMountOptions,
    firstMetaBlockGroup: 0,
    creationTimeLow: low(time),
    journalBlocks: journalBackup(plan),
    blocksCountHigh: high(cut.blocks),
    reservedBlocksCountHigh: high(plan.reservedBlocks),
    freeBlocksCountHigh: high(plan.freeBlocks),
    minimumExtraInodeSize: extraInodeSize,
    wantedExtraInodeSize: extraInodeSize,
    flags: index?.isSigned === false ? UNSIGNED_HASH : SIGNED_HASH,
    raidStride: settings.stride,
    mmpInterval: placement.multiMount === undefined ? 0 : UPDATE_INTERVAL,
    mmpBlock: BigInt(placement.multiMount ?? 0),
    raidStripeWidth: settings.stripeWidth,
    logGroupsPerFlex: features.has("flex_bg") ? LOG_GROUPS_PER_FLEX : 0,
    checksumType: design.checksums === "crc32c" ? CRC32C : 0,
    encryptionLevel: 0,
    kilobytesWritten: 0n,
    mountOptions: settings.mountOptions,
    userQuotaInode: quotaInode(plan, "user"),
    groupQuotaInode: quotaInode(plan, "group"),
    overheadClusters: overhead(plan),
    backupGroups: cut.backupGroups,
    encryptionAlgorithms: features.has("encrypt") ? ENCRYPTION_ALGORITHMS : new Uint8Array(0),
    lostAndFoundInode: 0,
    projectQuotaInode: quotaInode(plan, "project"),
    checksumSeed: features.has("metadata_csum_seed") ? design.checksumSeed : 0,
    writeTimeHigh: timeHigh,
    mountTimeHigh: 0,
    creationTimeHigh: timeHigh,
    lastCheckTimeHigh: timeHigh,
    firstErrorTimeHigh: 0,
    lastErrorTimeHigh: 0,
    encoding: features.has("casefold") ? UNICODE : 0,
    encodingFlags: 0,
    orphanFileInode: plan.inventory.orphanInode ?? 0,
    checksum: 0,
  });
  if (design.checksums === "crc32c") {
    new DataView(bytes.buffer).setUint32(superblock.offsetOf("checksum"), superblockChecksum(bytes), true);
  }
  return bytes;
}

function quotaInode({ inventory }: Ext4Plan, kind: QuotaKind): number {
  return inventory.quotaFiles.find((file) => file.kind === kind)?.inode ?? 0;
}

/** The journal's inode as the superblock repeats it: its block map, then its size. */
function journalBackup(plan: Ext4Plan): number[] {
  const { journal } = plan.geometry;
  const words = new Array<number>(17).fill(0);
  if (journal === undefined) return words;
  const { root } = journalMap(plan);
  const view = new DataView(root.buffer, root.byteOffset, root.byteLength);
  for (let word = 0; word < root.length / 4; word++) words[word] = view.getUint32(4 * word, true);
  const size = blocksOfFile(journal) * plan.design.blockSize;
  words[15] = Math.floor(size / 2 ** 32);
  words[16] = size % 2 ** 32;
  return words;
}

/** Blocks of metadata that does not depend on content, which the kernel subtracts in `statfs`. */
function overhead({ geometry: cut }: Ext4Plan): number {
  let blocks = cut.firstDataBlock + cut.groups * (2 + cut.inodeTableBlocks) + blocksOfFile(cut.journal);
  for (let group = 0; group < cut.groups; group++) blocks += headerLength(headerOf(cut, group));
  return blocks % 2 ** 32;
}
