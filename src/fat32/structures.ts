import { bytes, type RecordType, record, reserved, u8, u16, u32, utf8 } from "../bytes/index.ts";

// The structures of the Microsoft "FAT32 File System Specification" 1.03 (FAT: General Overview of On-Disk
// Format). Integers are little-endian; most of them are not aligned.

/** What a boot sector starts with, whatever the type of FAT. Counts are in sectors where nothing else is said. */
export interface BootSectorHead {
  /** The x86 jump over what follows. */
  readonly jump: Uint8Array;
  readonly oemName: Uint8Array;
  /** Bytes. */
  readonly sectorSize: number;
  readonly sectorsPerCluster: number;
  /** From the boot sector to the first file allocation table. */
  readonly reservedSectors: number;
  /** Copies of the file allocation table. */
  readonly fats: number;
  /** Entries of the root directory of FAT12 and FAT16; 0 on FAT32. */
  readonly rootEntries: number;
  /** 0 when `sectors32` holds the count, as always on FAT32. */
  readonly sectors16: number;
  readonly media: number;
  /** Of one file allocation table; 0 on FAT32. */
  readonly fatSectors16: number;
  readonly sectorsPerTrack: number;
  readonly heads: number;
  /** Before the volume: the LBA at which its partition starts. */
  readonly hiddenSectors: number;
  readonly sectors32: number;
}

/** §3.1, "Boot Sector and BPB Structure": the first 36 bytes. */
export const bootSectorHead: RecordType<BootSectorHead> = record({
  jump: bytes(3), // 0x0
  oemName: bytes(8), // 0x3
  sectorSize: u16, // 0xb
  sectorsPerCluster: u8, // 0xd
  reservedSectors: u16, // 0xe
  fats: u8, // 0x10
  rootEntries: u16, // 0x11
  sectors16: u16, // 0x13
  media: u8, // 0x15
  fatSectors16: u16, // 0x16
  sectorsPerTrack: u16, // 0x18
  heads: u16, // 0x1a
  hiddenSectors: u32, // 0x1c
  sectors32: u32, // 0x20
});

/** What every type of FAT has behind its own fields. */
interface BootSectorTail {
  /** BIOS drive number. */
  readonly drive: number;
  /** Bit 0: the volume was not closed properly. Bit 1: its surface should be scanned. */
  readonly flags: number;
  /** {@link EXTENDED_SIGNATURE}: the next three fields are there. */
  readonly extendedSignature: number;
  readonly serial: number;
  /** Padded with spaces; {@link NO_LABEL} when there is none. */
  readonly label: Uint8Array;
  /** "FAT32   ": for people, not for deciding anything. */
  readonly typeName: Uint8Array;
  readonly bootCode: Uint8Array;
  readonly signature: number;
}

/** The boot sector of FAT12 and FAT16. */
export interface BootSector16 extends BootSectorTail {
  readonly head: BootSectorHead;
}

/** §3.1 and §3.2, "Fat12 and Fat16 Structure Starting at Offset 36". */
export const bootSector16: RecordType<BootSector16> = record({
  head: bootSectorHead, // 0x0
  drive: u8, // 0x24
  flags: u8, // 0x25
  extendedSignature: u8, // 0x26
  serial: u32, // 0x27
  label: bytes(11), // 0x2b
  typeName: bytes(8), // 0x36
  bootCode: bytes(448), // 0x3e
  signature: u16, // 0x1fe
});

/** The boot sector of FAT32. */
export interface BootSector32 extends BootSectorTail {
  readonly head: BootSectorHead;
  /** Of one file allocation table. */
  readonly fatSectors32: number;
  /** Bit 7: only the table whose number is in bits 0 to 3 is kept up. */
  readonly extendedFlags: number;
  readonly version: number;
  readonly rootCluster: number;
  readonly informationSector: number;
  readonly backupSector: number;
}

/** §3.1 and §3.3, "FAT32 Structure Starting at Offset 36". */
export const bootSector32: RecordType<BootSector32> = record({
  head: bootSectorHead, // 0x0
  fatSectors32: u32, // 0x24
  extendedFlags: u16, // 0x28
  version: u16, // 0x2a
  rootCluster: u32, // 0x2c
  informationSector: u16, // 0x30
  backupSector: u16, // 0x32
  reserved: reserved(12), // 0x34
  drive: u8, // 0x40
  flags: u8, // 0x41
  extendedSignature: u8, // 0x42
  serial: u32, // 0x43
  label: bytes(11), // 0x47
  typeName: bytes(8), // 0x52
  bootCode: bytes(420), // 0x5a
  signature: u16, // 0x1fe
});

/** Hints for drivers of FAT32: how many clusters are free, and where to look for one. */
export interface InformationSector {
  readonly leadSignature: number;
  readonly structureSignature: number;
  /** {@link UNKNOWN} when it is not known. */
  readonly freeClusters: number;
  /** {@link UNKNOWN} when there is no hint. */
  readonly nextFree: number;
  readonly trailSignature: number;
}

/** §5, "FAT32 FSInfo Sector Structure". The trailing signature ends in 0x55 0xaa, like a boot sector. */
export const informationSector: RecordType<InformationSector> = record({
  leadSignature: u32, // 0x0
  reserved1: reserved(480), // 0x4
  structureSignature: u32, // 0x1e4
  freeClusters: u32, // 0x1e8
  nextFree: u32, // 0x1ec
  reserved2: reserved(12), // 0x1f0
  trailSignature: u32, // 0x1fc
});

/** An entry of a directory under its short name. */
export interface DirectoryEntry {
  /** Eight bytes of name and three of extension, each padded with spaces. */
  readonly shortName: Uint8Array;
  readonly attributes: number;
  /** Windows NT: 0x08 the name, 0x10 the extension is lower case. */
  readonly caseFlags: number;
  /** Of the creation time: hundredths of a second from 0 to 199. */
  readonly creationHundredths: number;
  readonly creationTime: number;
  readonly creationDate: number;
  readonly accessDate: number;
  readonly clusterHigh: number;
  readonly writeTime: number;
  readonly writeDate: number;
  readonly clusterLow: number;
  /** Bytes; 0 for directories. */
  readonly size: number;
}

/** §6, "FAT Directory Structure". */
export const directoryEntry: RecordType<DirectoryEntry> = record({
  shortName: bytes(11), // 0x0
  attributes: u8, // 0xb
  caseFlags: u8, // 0xc
  creationHundredths: u8, // 0xd
  creationTime: u16, // 0xe
  creationDate: u16, // 0x10
  accessDate: u16, // 0x12
  clusterHigh: u16, // 0x14
  writeTime: u16, // 0x16
  writeDate: u16, // 0x18
  clusterLow: u16, // 0x1a
  size: u32, // 0x1c
});

/** Thirteen UTF-16 units of a long name. The last part of a name comes first, the entry it names follows. */
export interface LongNameEntry {
  /** From 1; {@link LAST_LONG_ENTRY} is added to the last part. */
  readonly order: number;
  /** Five units. */
  readonly name1: Uint8Array;
  readonly attributes: number;
  readonly type: number;
  /** Of the short name that follows. */
  readonly checksum: number;
  /** Six units. */
  readonly name2: Uint8Array;
  readonly cluster: number;
  /** Two units. */
  readonly name3: Uint8Array;
}

/** §7, "FAT Long Directory Entries". */
export const longNameEntry: RecordType<LongNameEntry> = record({
  order: u8, // 0x0
  name1: bytes(10), // 0x1
  attributes: u8, // 0xb
  type: u8, // 0xc
  checksum: u8, // 0xd
  name2: bytes(12), // 0xe
  cluster: u16, // 0x1a
  name3: bytes(4), // 0x1c
});

/** Bytes of a directory entry of either kind. */
export const ENTRY_SIZE = 32;

/** 0x55 0xaa at byte 510, whatever the size of a sector. */
export const BOOT_SIGNATURE = 0xaa55;
export const BOOT_SIGNATURE_OFFSET = 510;

/** Bytes of the structures above: what is read of a sector, however large it is. */
export const BOOT_SECTOR_SIZE = 512;

export const EXTENDED_SIGNATURE = 0x29;

/** A disk that cannot be removed. Also the low byte of the first entry of a file allocation table. */
export const FIXED_MEDIA = 0xf8;

export const LEAD_SIGNATURE = 0x41615252;
export const STRUCTURE_SIGNATURE = 0x61417272;
export const TRAIL_SIGNATURE = 0xaa550000;

/** A count or a hint of the information sector that is not known. */
export const UNKNOWN = 0xffffffff;

/** The label of a volume without one (§3.2, BS_VolLab). */
export const NO_LABEL: Uint8Array = utf8("NO NAME    ");

/** §6, DIR_Attr. */
export const ATTRIBUTE = {
  readOnly: 0x01,
  hidden: 0x02,
  system: 0x04,
  volumeLabel: 0x08,
  directory: 0x10,
  archive: 0x20,
  longName: 0x0f,
  longNameMask: 0x3f,
} as const;

export const LAST_LONG_ENTRY = 0x40;

/** UTF-16 units of one long-name entry. */
export const UNITS_PER_ENTRY = 13;

/** UTF-16 units of the longest name (§7). Some readers take 260, others do not. */
export const LONGEST_UNITS = 255;

/** A directory has at most 65,536 entries, 2 MiB (§6.5). */
export const MOST_DIRECTORY_ENTRIES = 65_536;

/** The size of a file is a 32-bit number. */
export const LARGEST_FILE: number = 2 ** 32 - 1;

/** The first cluster that holds data; the two before it have other meanings in the table. */
export const FIRST_CLUSTER = 2;
