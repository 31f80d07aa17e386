import { bytes, guid, NIL_GUID, type RecordType, record, reserved, u32, u64, utf8 } from "../bytes/index.ts";

// The VirtualBox disk image (VirtualBox: src/VBox/Storage/VDICore.h). Numbers are little-endian.

/** The header of a VDI, version 1.1. */
export interface VdiHeader {
  /** Text for people, zeros behind it. */
  readonly text: Uint8Array;
  readonly signature: number;
  /** 16 bits of major version above 16 bits of minor version. */
  readonly version: number;
  /** Bytes of the header from this field on. */
  readonly headerSize: number;
  /** See {@link VDI_TYPES}. */
  readonly type: number;
  readonly flags: number;
  readonly comment: Uint8Array;
  /** Where the map of blocks starts, in bytes. */
  readonly mapOffset: number;
  /** Where block 0 starts, in bytes. */
  readonly dataOffset: number;
  readonly sectorSize: number;
  /** Bytes of the disk. */
  readonly diskSize: bigint;
  /** Bytes of a block. */
  readonly blockSize: number;
  /** Bytes of something else before each block. */
  readonly blockExtra: number;
  /** Blocks of the disk. */
  readonly blocks: number;
  /** Blocks that the file has. */
  readonly blocksAllocated: number;
  /** VirtualBox knows a disk by it. */
  readonly uuid: string;
  readonly modificationUuid: string;
  /** The disk that this one is a difference to; nil for none. */
  readonly parentUuid: string;
  readonly parentModificationUuid: string;
  /** Bytes of a sector of the logical geometry, whose cylinders, heads and sectors VirtualBox works out. */
  readonly logicalSectorSize: number;
}

export const vdiHeader: RecordType<VdiHeader> = record({
  text: bytes(64), // 0x0
  signature: u32, // 0x40
  version: u32, // 0x44
  headerSize: u32, // 0x48
  type: u32, // 0x4c
  flags: u32, // 0x50
  comment: bytes(256), // 0x54
  mapOffset: u32, // 0x154
  dataOffset: u32, // 0x158
  physicalGeometry: reserved(12), // 0x15c
  sectorSize: u32, // 0x168
  unused: reserved(4), // 0x16c
  diskSize: u64, // 0x170
  blockSize: u32, // 0x178
  blockExtra: u32, // 0x17c
  blocks: u32, // 0x180
  blocksAllocated: u32, // 0x184
  uuid: guid, // 0x188
  modificationUuid: guid, // 0x198
  parentUuid: guid, // 0x1a8
  parentModificationUuid: guid, // 0x1b8
  logicalGeometry: reserved(12), // 0x1c8
  logicalSectorSize: u32, // 0x1d4
});

export const VDI_TEXT: Uint8Array = utf8("<<< Oracle VM VirtualBox Disk Image >>>\n");
export const VDI_SIGNATURE = 0xbeda107f;
export const VDI_VERSION = 0x00010001;
/** Of the header as it is written; VirtualBox asks for 384 at least. */
export const VDI_HEADER_SIZE = 400;
export const VDI_SMALLEST_HEADER = 384;

export const VDI_TYPES = { dynamic: 1, static: 2 } as const;

/** The only size that qemu reads. */
export const VDI_BLOCK = 1024 * 1024;

/** Of a block that reads as zeros and has no place in the file. */
export const BLOCK_FREE = 0xffffffff;
/** Of a block of zeros that were written. */
export const BLOCK_ZERO = 0xfffffffe;

/** No UUID. */
export const NO_UUID: string = NIL_GUID;
