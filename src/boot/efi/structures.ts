import {
  bytes,
  guid,
  type RecordType,
  record,
  reserved,
  u8,
  u16,
  u32,
  u64,
  utf8,
} from "../../bytes/index.ts";

// The flash memory in which the firmware of EDK II keeps variables: a firmware volume (PI 1.8 vol. 3 §3.2.1) that
// holds a variable store (EDK II, MdeModulePkg/Include/Guid/VariableFormat.h and AuthenticatedVariableFormat.h),
// and what variables hold (UEFI 2.10 §3.1.3, §10.3). Numbers are little-endian.

/** The header of a firmware volume. Its map of blocks follows. */
export interface FirmwareVolumeHeader {
  /** What the volume holds; see {@link VARIABLES_VOLUME}. */
  readonly filesystem: string;
  /** Bytes of the volume, this header among them. */
  readonly size: bigint;
  readonly signature: Uint8Array;
  readonly attributes: number;
  /** Bytes of this header with its map of blocks. */
  readonly headerSize: number;
  /** Makes the sum of all 16-bit words of the header zero. */
  readonly checksum: number;
  readonly extendedHeaderOffset: number;
  readonly revision: number;
}

export const firmwareVolumeHeader: RecordType<FirmwareVolumeHeader> = record({
  zeroVector: reserved(16), // 0x0
  filesystem: guid, // 0x10
  size: u64, // 0x20
  signature: bytes(4), // 0x28
  attributes: u32, // 0x2c
  headerSize: u16, // 0x30
  checksum: u16, // 0x32
  extendedHeaderOffset: u16, // 0x34
  reserved: reserved(1), // 0x36
  revision: u8, // 0x37
});

export const VOLUME_SIGNATURE: Uint8Array = utf8("_FVH");
/** Of a volume that holds a variable store. */
export const VARIABLES_VOLUME = "fff12b8d-7696-4c8b-a985-2747075b4f50";
/** The attribute of a volume whose erased bits are ones. */
export const ERASED_BITS_ARE_ONES = 0x800;
/** What an erased byte reads as. */
export const ERASED = 0xff;

/** The header of a variable store. */
export interface VariableStoreHeader {
  /** The format of its records: {@link AUTHENTICATED_STORE} or {@link PLAIN_STORE}. */
  readonly format: string;
  /** Bytes of the store, this header among them. */
  readonly size: number;
  readonly formatted: number;
  readonly healthy: number;
}

export const variableStoreHeader: RecordType<VariableStoreHeader> = record({
  format: guid, // 0x0
  size: u32, // 0x10
  formatted: u8, // 0x14
  healthy: u8, // 0x15
  reserved: reserved(6), // 0x16
});

export const AUTHENTICATED_STORE = "aaf32c78-947b-439a-a180-2e144ec37792";
export const PLAIN_STORE = "ddcf3616-3275-4164-98b6-fe85707ffe7d";
export const STORE_FORMATTED = 0x5a;
export const STORE_HEALTHY = 0xfe;

/** What the headers of variables share. The name, and then the data, follow a header. */
export interface VariableHeader {
  readonly startId: number;
  /** See {@link VARIABLE_STATES}. */
  readonly state: number;
  /** See {@link VARIABLE_ATTRIBUTES}. */
  readonly attributes: number;
  /** Bytes of the name in UTF-16, with a NUL at its end. */
  readonly nameSize: number;
  readonly dataSize: number;
  /** Whose variable it is: names are of a vendor. */
  readonly vendor: string;
}

/** The header of a variable in a plain store. */
export const plainVariableHeader: RecordType<VariableHeader> = record({
  startId: u16, // 0x0
  state: u8, // 0x2
  reserved: reserved(1), // 0x3
  attributes: u32, // 0x4
  nameSize: u32, // 0x8
  dataSize: u32, // 0xc
  vendor: guid, // 0x10
});

/**
 * The header of a variable in an authenticated store: between the attributes and the sizes, what tells the next
 * authenticated write from a replayed one. It is zero for variables that anybody may write.
 */
export const authenticatedVariableHeader: RecordType<VariableHeader> = record({
  startId: u16, // 0x0
  state: u8, // 0x2
  reserved: reserved(1), // 0x3
  attributes: u32, // 0x4
  monotonicCount: reserved(8), // 0x8
  time: reserved(16), // 0x10
  publicKeyIndex: reserved(4), // 0x20
  nameSize: u32, // 0x24
  dataSize: u32, // 0x28
  vendor: guid, // 0x2c
});

/** Where the state lies in a header of either format. */
export const VARIABLE_STATE_OFFSET: number = plainVariableHeader.offsetOf("state");

export const VARIABLE_START = 0x55aa;
/** Headers start at multiples of this, in bytes. */
export const VARIABLE_ALIGNMENT = 4;

/**
 * How far the writing of a record has come. Flash only turns ones into zeros, so each step clears one more bit:
 * the header is there, then all of it, then it is about to be replaced, then it is deleted.
 */
export const VARIABLE_STATES = { erased: 0xff, added: 0x3f, aboutToBeDeleted: 0x3e } as const;

/** UEFI 2.10 §8.2.1. */
export const VARIABLE_ATTRIBUTES = {
  nonVolatile: 0x1,
  bootServices: 0x2,
  runTime: 0x4,
  authenticatedWrite: 0x10,
  timeBasedAuthenticatedWrite: 0x20,
  enhancedAuthenticatedAccess: 0x80,
} as const;

/** The vendor of the variables that the specification defines (UEFI 2.10 §3.3). */
export const EFI_GLOBAL_VARIABLE = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

/** What each node of a device path starts with (UEFI 2.10 §10.3.1). */
export interface DevicePathHeader {
  readonly type: number;
  readonly subtype: number;
  /** Bytes of the node, this header among them. */
  readonly size: number;
}

export const devicePathHeader: RecordType<DevicePathHeader> = record({
  type: u8, // 0x0
  subtype: u8, // 0x1
  size: u16, // 0x2
});

export const DEVICE_PATH_TYPES = { media: 4, end: 0x7f } as const;
export const MEDIA_SUBTYPES = { hardDrive: 1, file: 4 } as const;
export const END_OF_DEVICE_PATH = 0xff;

/** A partition, behind the header of its node (UEFI 2.10 §10.3.5.1). Addresses are in blocks of the device. */
export interface HardDriveNode {
  readonly number: number;
  readonly firstLba: bigint;
  readonly sectors: bigint;
  readonly signature: Uint8Array;
  readonly table: number;
  readonly signatureType: number;
}

export const hardDriveNode: RecordType<HardDriveNode> = record({
  number: u32, // 0x0
  firstLba: u64, // 0x4
  sectors: u64, // 0xc
  signature: bytes(16), // 0x14
  table: u8, // 0x24
  signatureType: u8, // 0x25
});

export const HARD_DRIVE_TABLES = { mbr: 1, gpt: 2 } as const;
export const HARD_DRIVE_SIGNATURES = { mbr: 1, gpt: 2 } as const;

/** The start of an `EFI_LOAD_OPTION` (UEFI 2.10 §3.1.3). The description and the paths follow. */
export interface LoadOptionHeader {
  readonly attributes: number;
  /** Bytes of all device paths. */
  readonly pathsSize: number;
}

export const loadOptionHeader: RecordType<LoadOptionHeader> = record({
  attributes: u32, // 0x0
  pathsSize: u16, // 0x4
});

/** The attribute of an option that the boot manager tries (UEFI 2.10 §3.1.3). */
export const LOAD_OPTION_ACTIVE = 0x1;
