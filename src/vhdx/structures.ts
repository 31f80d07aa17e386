import {
  bytes,
  crc32c,
  type Field,
  guid,
  MIB,
  NIL_GUID,
  type RecordType,
  record,
  reserved,
  u16,
  u32,
  u64,
  utf8,
} from "../bytes/index.ts";

// The virtual hard disk v2 of Hyper-V ([MS-VHDX]). Numbers are little-endian, GUIDs mixed-endian.

/** Whatever has a place in the file starts at a multiple of this, and fills multiples of it (§2.1). */
export const ALIGNMENT: number = MIB;

/** Starts the file, and says who made it (§2.2.1). */
export interface FileIdentifier {
  readonly signature: Uint8Array;
  /** UTF-16, zeros behind it. */
  readonly creator: Uint8Array;
}

export const fileIdentifier: RecordType<FileIdentifier> = record({
  signature: bytes(8), // 0x0
  creator: bytes(512), // 0x8
});

export const FILE_SIGNATURE: Uint8Array = utf8("vhdxfile");

/** One of two headers, of which that with the higher number counts (§2.2.2). */
export interface VhdxHeader {
  readonly signature: number;
  /** See {@link checksumOf}. */
  readonly checksum: number;
  readonly sequenceNumber: bigint;
  /** Changes whenever the file is opened to be written. */
  readonly fileWriteGuid: string;
  /** Changes whenever the content of the disk does; differences know their parent by it. */
  readonly dataWriteGuid: string;
  /** Of the entries of the log that are valid; nil when there are none. */
  readonly logGuid: string;
  readonly logVersion: number;
  readonly version: number;
  /** Bytes of the log. */
  readonly logLength: number;
  /** Where the log starts, in bytes. */
  readonly logOffset: bigint;
}

export const vhdxHeader: RecordType<VhdxHeader> = record({
  signature: u32, // 0x0
  checksum: u32, // 0x4
  sequenceNumber: u64, // 0x8
  fileWriteGuid: guid, // 0x10
  dataWriteGuid: guid, // 0x20
  logGuid: guid, // 0x30
  logVersion: u16, // 0x40
  version: u16, // 0x42
  logLength: u32, // 0x44
  logOffset: u64, // 0x48
  reserved: reserved(4016), // 0x50
});

/** Where the headers lie, in bytes. */
export const HEADER_OFFSETS = [0x10000, 0x20000] as const;
/** `head` */
export const HEADER_SIGNATURE = 0x64616568;
export const HEADER_VERSION = 1;
/** Of a log that has nothing to be replayed. */
export const NO_LOG: string = NIL_GUID;

/** Starts an entry of the log (§2.3.1.1). */
export interface LogEntry {
  readonly signature: number;
  readonly checksum: number;
  readonly entryLength: number;
  readonly tail: number;
  readonly sequenceNumber: bigint;
  readonly descriptorCount: number;
  /** That of the header, when the entry is to be replayed. */
  readonly logGuid: string;
}

export const logEntry: RecordType<LogEntry> = record({
  signature: u32, // 0x0
  checksum: u32, // 0x4
  entryLength: u32, // 0x8
  tail: u32, // 0xc
  sequenceNumber: u64, // 0x10
  descriptorCount: u32, // 0x18
  reserved: reserved(4), // 0x1c
  logGuid: guid, // 0x20
});

/** `loge` */
export const LOG_SIGNATURE = 0x65676f6c;
/** Entries of the log start at multiples of this. */
export const LOG_SECTOR = 4096;

/** Starts a region table (§2.2.3.1). */
export interface RegionTableHeader {
  readonly signature: number;
  /** Of the whole table; see {@link checksumOf}. */
  readonly checksum: number;
  readonly entryCount: number;
}

export const regionTableHeader: RecordType<RegionTableHeader> = record({
  signature: u32, // 0x0
  checksum: u32, // 0x4
  entryCount: u32, // 0x8
  reserved: reserved(4), // 0xc
});

/** Where a region lies (§2.2.3.2). */
export interface RegionEntry {
  readonly id: string;
  /** Where it starts in the file, in bytes. */
  readonly offset: bigint;
  /** Bytes of the region. */
  readonly length: number;
  /** Bit 0: who does not know the region cannot read the file. */
  readonly flags: number;
}

export const regionEntry: RecordType<RegionEntry> = record({
  id: guid, // 0x0
  offset: u64, // 0x10
  length: u32, // 0x18
  flags: u32, // 0x1c
});

/** Where the two region tables lie, in bytes. */
export const REGION_TABLE_OFFSETS = [0x30000, 0x40000] as const;
/** Bytes of a region table, whatever is in it. */
export const REGION_TABLE_SIZE = 0x10000;
/** `regi` */
export const REGION_TABLE_SIGNATURE = 0x69676572;
/** The most entries of a region table, and of the metadata table: those that fit into 64 KiB. */
export const MOST_ENTRIES = 2047;
export const REGION_REQUIRED = 1;

export const BAT_REGION = "2dc27766-f623-4200-9d64-115e9bfd4a08";
export const METADATA_REGION = "8b7ca206-4790-4b9a-b8fe-575f050f886e";

/** Starts the metadata region (§2.6.1.1). */
export interface MetadataTableHeader {
  readonly signature: Uint8Array;
  readonly entryCount: number;
}

export const metadataTableHeader: RecordType<MetadataTableHeader> = record({
  signature: bytes(8), // 0x0
  reserved: reserved(2), // 0x8
  entryCount: u16, // 0xa
  reserved2: reserved(20), // 0xc
});

export const METADATA_SIGNATURE: Uint8Array = utf8("metadata");
/** Bytes of the metadata table, whatever is in it; the items lie behind it. */
export const METADATA_TABLE_SIZE = 0x10000;

/** Where an item of metadata lies (§2.6.1.2). */
export interface MetadataEntry {
  readonly id: string;
  /** Where it starts in the region, in bytes. */
  readonly offset: number;
  /** Bytes of the item. */
  readonly length: number;
  /** See {@link METADATA_FLAGS}. */
  readonly flags: number;
}

export const metadataEntry: RecordType<MetadataEntry> = record({
  id: guid, // 0x0
  offset: u32, // 0x10
  length: u32, // 0x14
  flags: u32, // 0x18
  reserved: reserved(4), // 0x1c
});

export const METADATA_FLAGS = {
  /** An item of a user, not of the format. */
  user: 1,
  /** It tells of the disk, not of the file. */
  virtualDisk: 2,
  /** Who does not know the item cannot read the file. */
  required: 4,
} as const;

/** How the file stores the disk (§2.6.2.1). */
export interface FileParameters {
  /** Bytes of a block: a power of two from 1 MiB to 256 MiB. */
  readonly blockSize: number;
  /** See {@link PARAMETER_FLAGS}. */
  readonly flags: number;
}

export const fileParameters: RecordType<FileParameters> = record({
  blockSize: u32, // 0x0
  flags: u32, // 0x4
});

export const PARAMETER_FLAGS = {
  /** All blocks have their place: a fixed disk. */
  leaveBlocksAllocated: 1,
  /** A difference to another disk. */
  hasParent: 2,
} as const;

/** The items of metadata, one behind the other as they are written. */
export interface MetadataItems {
  readonly fileParameters: FileParameters;
  /** Bytes of the disk (§2.6.2.2). */
  readonly virtualDiskSize: bigint;
  /** By which SCSI knows the disk, in page 83 of its product data (§2.6.2.3). */
  readonly virtualDiskId: string;
  /** Bytes of a sector, 512 or 4096 (§2.6.2.4). */
  readonly logicalSectorSize: number;
  /** Bytes of a sector of the medium, 512 or 4096 (§2.6.2.5). */
  readonly physicalSectorSize: number;
}

export const metadataItems: RecordType<MetadataItems> = record({
  fileParameters, // 0x0
  virtualDiskSize: u64, // 0x8
  virtualDiskId: guid, // 0x10
  logicalSectorSize: u32, // 0x20
  physicalSectorSize: u32, // 0x24
});

/** How an item of metadata is known, and stored. */
export interface MetadataItem<Value> {
  readonly id: string;
  readonly flags: number;
  readonly field: Field<Value>;
}

/** The items of every disk (§2.6.2). */
export const METADATA_ITEMS: {
  readonly [Name in keyof MetadataItems]: MetadataItem<MetadataItems[Name]>;
} = {
  fileParameters: {
    id: "caa16737-fa36-4d43-b3b6-33f0aa44e76b",
    flags: METADATA_FLAGS.required,
    field: fileParameters,
  },
  virtualDiskSize: {
    id: "2fa54224-cd1b-4876-b211-5dbed83bf4b8",
    flags: METADATA_FLAGS.required | METADATA_FLAGS.virtualDisk,
    field: u64,
  },
  virtualDiskId: {
    id: "beca12ab-b2e6-4523-93ef-c309e000c746",
    flags: METADATA_FLAGS.required | METADATA_FLAGS.virtualDisk,
    field: guid,
  },
  logicalSectorSize: {
    id: "8141bf1d-a96f-4709-ba47-f233a8faab5f",
    flags: METADATA_FLAGS.required | METADATA_FLAGS.virtualDisk,
    field: u32,
  },
  physicalSectorSize: {
    id: "cda348c7-445d-4471-9cc9-e9885251c556",
    flags: METADATA_FLAGS.required | METADATA_FLAGS.virtualDisk,
    field: u32,
  },
};

/** The item of a difference that names its parent (§2.6.2.6). */
export const PARENT_LOCATOR = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c";

/** Where a header or a region table has its checksum, in bytes. */
const CHECKSUM_OFFSET = 4;

/** The checksum of a header or a region table: of all its bytes, with zeros in place of the checksum (§2.2.2). */
export function checksumOf(structure: Uint8Array): number {
  const copy = structure.slice();
  copy.fill(0, CHECKSUM_OFFSET, CHECKSUM_OFFSET + 4);
  return crc32c(copy);
}

/** Puts its checksum into a header or a region table. */
export function seal(structure: Uint8Array): Uint8Array {
  u32.encode(checksumOf(structure), structure, CHECKSUM_OFFSET, "checksum");
  return structure;
}

/** Whether a header or a region table has the checksum that it should have. */
export function isSealed(structure: Uint8Array): boolean {
  return u32.decode(structure, CHECKSUM_OFFSET) === checksumOf(structure);
}
