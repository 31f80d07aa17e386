import {
  bytes,
  type RecordType,
  record,
  reserved,
  u8,
  u16be,
  u32be,
  u64be,
  utf8,
  uuid,
} from "../bytes/index.ts";

// The virtual hard disk (Microsoft: Virtual Hard Disk Image Format Specification, version 1.0). Numbers are
// big-endian.

/** The footer of a VHD: the last sector of every one, and the first of a dynamic one as well. */
export interface VhdFooter {
  readonly cookie: Uint8Array;
  readonly features: number;
  /** 16 bits of major version above 16 bits of minor version. */
  readonly version: number;
  /** Where the header of a dynamic disk starts, in bytes; {@link NO_OFFSET} for a fixed one. */
  readonly headerOffset: bigint;
  /** Seconds since 2000. */
  readonly time: number;
  /** Which program made the file: four letters. */
  readonly creator: Uint8Array;
  readonly creatorVersion: number;
  /** On which system: four letters. */
  readonly creatorSystem: Uint8Array;
  /** Bytes that the disk had when it was made. */
  readonly originalSize: bigint;
  /** Bytes of the disk. */
  readonly currentSize: bigint;
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
  /** See {@link VHD_TYPES}. */
  readonly type: number;
  readonly checksum: number;
  readonly uuid: string;
  /** 1 when a virtual machine was put to sleep with the disk. */
  readonly savedState: number;
}

export const vhdFooter: RecordType<VhdFooter> = record({
  cookie: bytes(8), // 0x0
  features: u32be, // 0x8
  version: u32be, // 0xc
  headerOffset: u64be, // 0x10
  time: u32be, // 0x18
  creator: bytes(4), // 0x1c
  creatorVersion: u32be, // 0x20
  creatorSystem: bytes(4), // 0x24
  originalSize: u64be, // 0x28
  currentSize: u64be, // 0x30
  cylinders: u16be, // 0x38
  heads: u8, // 0x3a
  sectors: u8, // 0x3b
  type: u32be, // 0x3c
  checksum: u32be, // 0x40
  uuid, // 0x44
  savedState: u8, // 0x54
  unused: reserved(427), // 0x55
});

/** The header of a dynamic VHD. What it has for differences between disks is not taken apart. */
export interface VhdHeader {
  readonly cookie: Uint8Array;
  /** Nothing follows: always {@link NO_OFFSET}. */
  readonly nextOffset: bigint;
  /** Where the block allocation table starts, in bytes. */
  readonly tableOffset: bigint;
  readonly version: number;
  /** Entries of the table: blocks of the disk. */
  readonly tableEntries: number;
  /** Bytes of a block, without its bitmap. */
  readonly blockSize: number;
  readonly checksum: number;
}

export const vhdHeader: RecordType<VhdHeader> = record({
  cookie: bytes(8), // 0x0
  nextOffset: u64be, // 0x8
  tableOffset: u64be, // 0x10
  version: u32be, // 0x18
  tableEntries: u32be, // 0x1c
  blockSize: u32be, // 0x20
  checksum: u32be, // 0x24
  parentUuid: reserved(16), // 0x28
  parentTime: reserved(4), // 0x38
  reserved: reserved(4), // 0x3c
  parentName: reserved(512), // 0x40
  parentLocators: reserved(8 * 24), // 0x240
  unused: reserved(256), // 0x300
});

export const FOOTER_COOKIE: Uint8Array = utf8("conectix");
export const HEADER_COOKIE: Uint8Array = utf8("cxsparse");

/** Of the footer and of the header. */
export const VHD_VERSION = 0x00010000;

/** The one feature that is always set. */
export const FEATURES_RESERVED = 2;

export const VHD_TYPES = { fixed: 2, dynamic: 3, differencing: 4 } as const;

/** There is nothing to point at. */
export const NO_OFFSET: bigint = (1n << 64n) - 1n;

/** Of a block that reads as zeros and has no place in the file. */
export const BLOCK_FREE = 0xffffffff;

/** Programs before Virtual PC 2004 left the last byte of the footer out. */
export const OLD_FOOTER_SIZE = 511;

/** When the time of a VHD starts: 2000, in seconds since 1970. */
export const VHD_EPOCH = 946_684_800;

/** Bytes of the bitmap before a block: one bit for each sector, in whole sectors. */
export function bitmapSize(blockSize: number): number {
  return Math.ceil(blockSize / 512 / 8 / 512) * 512;
}

/** The checksum of a footer or a header: the complement of the sum of all bytes but its own four. */
export function checksumOf(structure: Uint8Array, checksumOffset: number): number {
  let sum = 0;
  structure.forEach((byte, index) => {
    if (index < checksumOffset || index >= checksumOffset + 4) sum += byte;
  });
  return ~sum >>> 0;
}
