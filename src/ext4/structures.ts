import {
  array,
  bytes,
  type RecordType,
  type RecordValue,
  record,
  reserved,
  u8,
  u16,
  u32,
  u32be,
  u64,
  uuid,
} from "../bytes/index.ts";

// The on-disk structures of ext4, in the order of the kernel's documentation (filesystems/ext4/*.rst), with
// names spelled out. All integers are little-endian. The superblock and the group descriptors are written
// through these records; inodes, extents and directory entries by hand, and held to these by a test.

const superblockFields = {
  inodesCount: u32, // 0x000
  blocksCountLow: u32, // 0x004
  reservedBlocksCountLow: u32, // 0x008
  freeBlocksCountLow: u32, // 0x00c
  freeInodesCount: u32, // 0x010
  firstDataBlock: u32, // 0x014
  logBlockSize: u32, // 0x018: block size = 1024 << this
  logClusterSize: u32, // 0x01c
  blocksPerGroup: u32, // 0x020
  clustersPerGroup: u32, // 0x024
  inodesPerGroup: u32, // 0x028
  mountTimeLow: u32, // 0x02c
  writeTimeLow: u32, // 0x030
  mountCount: u16, // 0x034
  maximumMountCount: u16, // 0x036
  magic: u16, // 0x038
  state: u16, // 0x03a
  errorBehaviour: u16, // 0x03c
  minorRevision: u16, // 0x03e
  lastCheckTimeLow: u32, // 0x040
  checkInterval: u32, // 0x044
  creatorOs: u32, // 0x048
  revision: u32, // 0x04c
  reservedUid: u16, // 0x050
  reservedGid: u16, // 0x052
  firstInode: u32, // 0x054
  inodeSize: u16, // 0x058
  blockGroup: u16, // 0x05a: the group that holds this copy
  compatible: u32, // 0x05c
  incompatible: u32, // 0x060
  readOnlyCompatible: u32, // 0x064
  uuid, // 0x068
  label: bytes(16), // 0x078
  lastMounted: bytes(64), // 0x088
  algorithmBitmap: u32, // 0x0c8
  preallocatedBlocks: u8, // 0x0cc
  preallocatedDirectoryBlocks: u8, // 0x0cd
  reservedDescriptorBlocks: u16, // 0x0ce
  journalUuid: uuid, // 0x0d0
  journalInode: u32, // 0x0e0
  journalDevice: u32, // 0x0e4
  lastOrphan: u32, // 0x0e8
  hashSeed: uuid, // 0x0ec
  hashVersion: u8, // 0x0fc
  journalBackupType: u8, // 0x0fd
  descriptorSize: u16, // 0x0fe
  defaultMountOptions: u32, // 0x100
  firstMetaBlockGroup: u32, // 0x104
  creationTimeLow: u32, // 0x108
  journalBlocks: array(u32, 17), // 0x10c
  blocksCountHigh: u32, // 0x150
  reservedBlocksCountHigh: u32, // 0x154
  freeBlocksCountHigh: u32, // 0x158
  minimumExtraInodeSize: u16, // 0x15c
  wantedExtraInodeSize: u16, // 0x15e
  flags: u32, // 0x160
  raidStride: u16, // 0x164
  mmpInterval: u16, // 0x166
  mmpBlock: u64, // 0x168
  raidStripeWidth: u32, // 0x170
  logGroupsPerFlex: u8, // 0x174
  checksumType: u8, // 0x175
  encryptionLevel: u8, // 0x176
  reservedPadding: reserved(1), // 0x177
  kilobytesWritten: u64, // 0x178
  snapshotFields: reserved(20), // 0x180
  errorFields: reserved(108), // 0x194
  mountOptions: bytes(64), // 0x200
  userQuotaInode: u32, // 0x240
  groupQuotaInode: u32, // 0x244
  overheadClusters: u32, // 0x248
  backupGroups: array(u32, 2), // 0x24c: sparse_super2
  encryptionAlgorithms: bytes(4), // 0x254
  encryptionSalt: reserved(16), // 0x258
  lostAndFoundInode: u32, // 0x268
  projectQuotaInode: u32, // 0x26c
  checksumSeed: u32, // 0x270
  writeTimeHigh: u8, // 0x274
  mountTimeHigh: u8, // 0x275
  creationTimeHigh: u8, // 0x276
  lastCheckTimeHigh: u8, // 0x277
  firstErrorTimeHigh: u8, // 0x278
  lastErrorTimeHigh: u8, // 0x279
  errorCodes: reserved(2), // 0x27a
  encoding: u16, // 0x27c
  encodingFlags: u16, // 0x27e
  orphanFileInode: u32, // 0x280
  reservedTail: reserved(376), // 0x284
  checksum: u32, // 0x3fc
};

/** The superblock, 1024 bytes (super.rst). It starts at byte 1024 of the filesystem. */
export type Superblock = RecordValue<typeof superblockFields>;
export const superblock: RecordType<Superblock> = record(superblockFields);

const groupDescriptorFields = {
  blockBitmapLow: u32, // 0x00
  inodeBitmapLow: u32, // 0x04
  inodeTableLow: u32, // 0x08
  freeBlocksCountLow: u16, // 0x0c
  freeInodesCountLow: u16, // 0x0e
  usedDirectoriesCountLow: u16, // 0x10
  flags: u16, // 0x12
  excludeBitmapLow: u32, // 0x14
  blockBitmapChecksumLow: u16, // 0x18
  inodeBitmapChecksumLow: u16, // 0x1a
  unusedInodesCountLow: u16, // 0x1c
  checksum: u16, // 0x1e
  blockBitmapHigh: u32, // 0x20
  inodeBitmapHigh: u32, // 0x24
  inodeTableHigh: u32, // 0x28
  freeBlocksCountHigh: u16, // 0x2c
  freeInodesCountHigh: u16, // 0x2e
  usedDirectoriesCountHigh: u16, // 0x30
  unusedInodesCountHigh: u16, // 0x32
  excludeBitmapHigh: u32, // 0x34
  blockBitmapChecksumHigh: u16, // 0x38
  inodeBitmapChecksumHigh: u16, // 0x3a
  reservedTail: reserved(4), // 0x3c
};

/** A block group descriptor, 64 bytes; without the feature 64bit only the first 32 (group_descr.rst). */
export type GroupDescriptor = RecordValue<typeof groupDescriptorFields>;
export const groupDescriptor: RecordType<GroupDescriptor> = record(groupDescriptorFields);

const inodeFields = {
  mode: u16, // 0x00
  uidLow: u16, // 0x02
  sizeLow: u32, // 0x04
  accessTime: u32, // 0x08
  changeTime: u32, // 0x0c
  modificationTime: u32, // 0x10
  deletionTime: u32, // 0x14
  gidLow: u16, // 0x18
  linksCount: u16, // 0x1a
  sectorsCountLow: u32, // 0x1c: in units of 512 bytes
  flags: u32, // 0x20
  versionLow: u32, // 0x24
  block: bytes(60), // 0x28: extent tree root, symlink target or device number
  generation: u32, // 0x64
  xattrBlockLow: u32, // 0x68
  sizeHigh: u32, // 0x6c
  fragmentAddress: u32, // 0x70
  sectorsCountHigh: u16, // 0x74
  xattrBlockHigh: u16, // 0x76
  uidHigh: u16, // 0x78
  gidHigh: u16, // 0x7a
  checksumLow: u16, // 0x7c
  reservedGap: reserved(2), // 0x7e
  extraSize: u16, // 0x80
  checksumHigh: u16, // 0x82
  changeTimeExtra: u32, // 0x84
  modificationTimeExtra: u32, // 0x88
  accessTimeExtra: u32, // 0x8c
  creationTime: u32, // 0x90
  creationTimeExtra: u32, // 0x94
  versionHigh: u32, // 0x98
  projectId: u32, // 0x9c
};

/** The declared part of an inode, 160 of its 256 bytes; extended attributes may follow (inodes.rst). */
export type Inode = RecordValue<typeof inodeFields>;
export const inode: RecordType<Inode> = record(inodeFields);

const extentHeaderFields = {
  magic: u16, // 0x00
  entries: u16, // 0x02
  maximumEntries: u16, // 0x04
  depth: u16, // 0x06
  generation: u32, // 0x08
};

/** What every node of an extent tree starts with, 12 bytes (ifork.rst). */
export type ExtentHeader = RecordValue<typeof extentHeaderFields>;
export const extentHeader: RecordType<ExtentHeader> = record(extentHeaderFields);

const extentIndexFields = {
  logicalBlock: u32, // 0x00
  nodeBlockLow: u32, // 0x04
  nodeBlockHigh: u16, // 0x08
  reservedTail: reserved(2), // 0x0a
};

/** An entry of an inner node: which node covers the file from `logicalBlock`. 12 bytes (ifork.rst). */
export type ExtentIndex = RecordValue<typeof extentIndexFields>;
export const extentIndex: RecordType<ExtentIndex> = record(extentIndexFields);

const extentLeafFields = {
  logicalBlock: u32, // 0x00
  length: u16, // 0x04: up to 32768; more means unwritten
  startHigh: u16, // 0x06
  startLow: u32, // 0x08
};

/** An entry of a leaf: a run of blocks. 12 bytes (ifork.rst). */
export type ExtentLeaf = RecordValue<typeof extentLeafFields>;
export const extentLeaf: RecordType<ExtentLeaf> = record(extentLeafFields);

const directoryEntryFields = {
  inode: u32, // 0x00
  recordLength: u16, // 0x04
  nameLength: u8, // 0x06
  fileType: u8, // 0x07
};

/** The head of a directory entry, 8 bytes; the name follows (directory.rst). */
export type DirectoryEntry = RecordValue<typeof directoryEntryFields>;
export const directoryEntry: RecordType<DirectoryEntry> = record(directoryEntryFields);

const directoryTailFields = {
  inode: u32, // 0x00: 0
  recordLength: u16, // 0x04: 12
  nameLength: u8, // 0x06: 0
  fileType: u8, // 0x07: 0xde
  checksum: u32, // 0x08
};

/** The checksum at the end of a directory block, shaped like an unused entry, 12 bytes (directory.rst). */
export type DirectoryTail = RecordValue<typeof directoryTailFields>;
export const directoryTail: RecordType<DirectoryTail> = record(directoryTailFields);

const indexRootFields = {
  reservedZero: reserved(4), // 0x00
  hashVersion: u8, // 0x04
  infoLength: u8, // 0x05: 8
  indirectLevels: u8, // 0x06
  unusedFlags: u8, // 0x07
};

/** What follows "." and ".." in the first block of an indexed directory, 8 bytes (directory.rst, "dx_root"). */
export type IndexRoot = RecordValue<typeof indexRootFields>;
export const indexRoot: RecordType<IndexRoot> = record(indexRootFields);

const indexEntryFields = {
  hash: u32, // 0x00: in the first entry of a node, u16 limit and u16 count
  block: u32, // 0x04: a logical block of the directory
};

/** From which hash on names lie in which block. 8 bytes (directory.rst, "dx_entry"). */
export type IndexEntry = RecordValue<typeof indexEntryFields>;
export const indexEntry: RecordType<IndexEntry> = record(indexEntryFields);

const indexTailFields = {
  reservedZero: reserved(4), // 0x00
  checksum: u32, // 0x04
};

/** The checksum of an index node, in the place of one more entry, 8 bytes (directory.rst, "dx_tail"). */
export type IndexTail = RecordValue<typeof indexTailFields>;
export const indexTail: RecordType<IndexTail> = record(indexTailFields);

const xattrHeaderFields = {
  magic: u32, // 0x00
  referenceCount: u32, // 0x04: inodes that use the block
  blocks: u32, // 0x08: 1
  hash: u32, // 0x0c: of all entries
  checksum: u32, // 0x10
  reservedTail: reserved(12), // 0x14
};

/** What a block of extended attributes starts with, 32 bytes (attributes.rst). */
export type XattrHeader = RecordValue<typeof xattrHeaderFields>;
export const xattrHeader: RecordType<XattrHeader> = record(xattrHeaderFields);

const xattrEntryFields = {
  nameLength: u8, // 0x00
  nameIndex: u8, // 0x01: which prefix the name has
  valueOffset: u16, // 0x02
  valueInode: u32, // 0x04: the inode that holds the value (ea_inode), or 0
  valueSize: u32, // 0x08
  hash: u32, // 0x0c
};

/** The head of an extended attribute, 16 bytes; the rest of its name follows (attributes.rst). */
export type XattrEntry = RecordValue<typeof xattrEntryFields>;
export const xattrEntry: RecordType<XattrEntry> = record(xattrEntryFields);

const orphanTailFields = {
  magic: u32, // 0x00
  checksum: u32, // 0x04
};

/** The end of a block of the orphan file, 8 bytes (orphan.rst). */
export type OrphanTail = RecordValue<typeof orphanTailFields>;
export const orphanTail: RecordType<OrphanTail> = record(orphanTailFields);

const multiMountFields = {
  magic: u32, // 0x000
  sequence: u32, // 0x004: who has it mounted, or that nobody has
  time: u64, // 0x008: of the last change, for people only
  nodeName: bytes(64), // 0x010
  deviceName: bytes(32), // 0x050
  checkInterval: u16, // 0x070: seconds
  reservedTail: reserved(906), // 0x072
  checksum: u32, // 0x3fc
};

/** The block of multiple mount protection, 1024 bytes (mmp.rst). */
export type MultiMount = RecordValue<typeof multiMountFields>;
export const multiMount: RecordType<MultiMount> = record(multiMountFields);

const quotaHeaderFields = {
  magic: u32, // 0x00
  version: u32, // 0x04
  blockGrace: u32, // 0x08: seconds
  inodeGrace: u32, // 0x0c: seconds
  flags: u32, // 0x10
  blocks: u32, // 0x14: of this file
  freeBlock: u32, // 0x18: the first of those not in use
  freeEntry: u32, // 0x1c: the first block of entries with room
};

/** The header of a quota file, 32 bytes. */
export type QuotaHeader = RecordValue<typeof quotaHeaderFields>;
export const quotaHeader: RecordType<QuotaHeader> = record(quotaHeaderFields);

const quotaEntriesHeaderFields = {
  nextFree: u32, // 0x00
  previousFree: u32, // 0x04
  entries: u16, // 0x08
  reservedTail: reserved(6), // 0x0a
};

/** What a block of entries starts with, 16 bytes. */
export type QuotaEntriesHeader = RecordValue<typeof quotaEntriesHeaderFields>;
export const quotaEntriesHeader: RecordType<QuotaEntriesHeader> = record(quotaEntriesHeaderFields);

const quotaEntryFields = {
  id: u32, // 0x00
  reservedGap: reserved(4), // 0x04
  inodeHardLimit: u64, // 0x08
  inodeSoftLimit: u64, // 0x10
  inodes: u64, // 0x18
  blockHardLimit: u64, // 0x20
  blockSoftLimit: u64, // 0x28
  bytes: u64, // 0x30
  blockGraceEnd: u64, // 0x38
  inodeGraceEnd: u64, // 0x40
};

/** What one user, group or project uses, 72 bytes. */
export type QuotaEntry = RecordValue<typeof quotaEntryFields>;
export const quotaEntry: RecordType<QuotaEntry> = record(quotaEntryFields);

const journalSuperblockFields = {
  magic: u32be, // 0x00
  blockType: u32be, // 0x04: 4, a superblock of version 2
  headerSequence: u32be, // 0x08
  blockSize: u32be, // 0x0c
  blocks: u32be, // 0x10
  firstBlock: u32be, // 0x14: of the log
  firstSequence: u32be, // 0x18
  start: u32be, // 0x1c: 0 when there is nothing to replay
  error: u32be, // 0x20
  compatible: u32be, // 0x24
  incompatible: u32be, // 0x28
  readOnlyCompatible: u32be, // 0x2c
  uuid, // 0x30
  users: u32be, // 0x40
  dynamicSuperblock: u32be, // 0x44
  maximumTransaction: u32be, // 0x48
  maximumTransactionData: u32be, // 0x4c
  checksumType: u8, // 0x50
  padding: reserved(3), // 0x51
  fastCommitBlocks: u32be, // 0x54
  head: u32be, // 0x58
  reservedTail: reserved(160), // 0x5c
  checksum: u32be, // 0xfc
  userIds: reserved(768), // 0x100
};

/** The superblock of the journal, 1024 bytes, big-endian (journal.rst). */
export type JournalSuperblock = RecordValue<typeof journalSuperblockFields>;
export const journalSuperblock: RecordType<JournalSuperblock> = record(journalSuperblockFields);

export const SUPERBLOCK_MAGIC = 0xef53;
export const EXTENT_MAGIC = 0xf30a;
export const XATTR_MAGIC = 0xea020000;
export const ORPHAN_MAGIC = 0x0b10ca04;
export const MULTI_MOUNT_MAGIC = 0x4d4d50;
export const JOURNAL_MAGIC = 0xc03b3998;

/** Where the superblock starts, in bytes. */
export const SUPERBLOCK_OFFSET = 1024;
/** Bytes of an inode of ext2; larger ones declare {@link EXTRA_INODE_SIZE} bytes more. */
export const BASE_INODE_SIZE = 128;
/** Bytes of an inode's declared fields beyond the 128 of ext2. */
export const EXTRA_INODE_SIZE = 32;

// Numbers of inodes with a meaning of their own (special_inodes.rst).
export const ROOT_INODE = 2;
export const RESIZE_INODE = 7;
export const JOURNAL_INODE = 8;
/** The first inode that is not reserved; lost+found takes it. */
export const FIRST_INODE = 11;

/** Flags of an inode (inodes.rst). */
export const INODE_FLAG = {
  immutable: 0x10,
  index: 0x1000,
  hugeFile: 0x40000,
  extents: 0x80000,
  xattrValue: 0x200000,
  inlineData: 0x10000000,
} as const;

/** Flags of a group descriptor (group_descr.rst). */
export const GROUP_FLAG = {
  inodesUninitialised: 0x1,
  blocksUninitialised: 0x2,
  inodeTableZeroed: 0x4,
} as const;

/** More names than this and a directory's link count reads 1 (dir_nlink); a file cannot have more. */
export const MAXIMUM_LINKS = 65000;

/** The longest run of blocks that one written extent describes (ifork.rst). */
export const LONGEST_EXTENT = 32768;
