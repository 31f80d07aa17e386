import { bytes, type RecordType, record, reserved, u8, u16, u32, u64 } from "../bytes/index.ts";

// VMware's sparse extents (Virtual Disk Format 5.0, "Hosted Sparse Extents" and "Stream-Optimized Compressed
// Sparse Extents"). Numbers are little-endian; places and sizes are in sectors of 512 bytes.

/** The header of a sparse extent, and the footer of a stream. */
export interface VmdkHeader {
  readonly magic: number;
  /** 1: stored as it is, 2: with grains of zeros, 3: compressed, or with a log of changes in another file. */
  readonly version: number;
  /** See {@link VMDK_FLAGS}. */
  readonly flags: number;
  /** Sectors of the disk. */
  readonly capacity: bigint;
  /** Sectors of a grain. */
  readonly grainSize: bigint;
  readonly descriptorOffset: bigint;
  /** Sectors of the descriptor. */
  readonly descriptorSize: bigint;
  /** Grains that one grain table maps. */
  readonly tableEntries: number;
  readonly redundantDirectoryOffset: bigint;
  /** {@link DIRECTORY_AT_END} when the footer tells it. */
  readonly directoryOffset: bigint;
  /** Sectors before the first grain. */
  readonly overhead: bigint;
  readonly uncleanShutdown: number;
  /** Ends of lines, which a transfer as text would change. */
  readonly newlines: Uint8Array;
  /** How grains are compressed: 0 not at all, 1 as zlib data. */
  readonly compression: number;
}

export const vmdkHeader: RecordType<VmdkHeader> = record({
  magic: u32, // 0x0
  version: u32, // 0x4
  flags: u32, // 0x8
  capacity: u64, // 0xc
  grainSize: u64, // 0x14
  descriptorOffset: u64, // 0x1c
  descriptorSize: u64, // 0x24
  tableEntries: u32, // 0x2c
  redundantDirectoryOffset: u64, // 0x30
  directoryOffset: u64, // 0x38
  overhead: u64, // 0x40
  uncleanShutdown: u8, // 0x48
  newlines: bytes(4), // 0x49
  compression: u16, // 0x4d
  padding: reserved(433), // 0x4f
});

/** "KDMV". */
export const VMDK_MAGIC = 0x564d444b;

export const VMDK_FLAGS = {
  newlines: 1 << 0,
  redundantDirectory: 1 << 1,
  zeroGrains: 1 << 2,
  compressed: 1 << 16,
  markers: 1 << 17,
} as const;

/** Who does not know one of these flags cannot read the file. */
export const INCOMPATIBLE_FLAGS = 0xffff0000;

export const NEWLINES: Uint8Array = Uint8Array.of(0x0a, 0x20, 0x0d, 0x0a);

export const ZLIB = 1;

/** In the place of the grain directory: the footer tells it. */
export const DIRECTORY_AT_END = 0xffff_ffff_ffff_ffffn;

/** What lies before a table, a directory or a footer in a stream. A compressed grain has a non-zero `length`. */
export interface VmdkMarker {
  /** Sectors of what follows. */
  readonly sectors: bigint;
  readonly length: number;
  /** See {@link MARKER_TYPES}. */
  readonly type: number;
}

export const vmdkMarker: RecordType<VmdkMarker> = record({
  sectors: u64, // 0x0
  length: u32, // 0x8
  type: u32, // 0xc
  padding: reserved(496), // 0x10
});

export const MARKER_TYPES = { endOfStream: 0, table: 1, directory: 2, footer: 3 } as const;

/** What lies before the data of a compressed grain. */
export interface GrainMarker {
  /** The sector of the disk at which the grain starts. */
  readonly sector: bigint;
  /** Bytes of the data. */
  readonly length: number;
}

export const grainMarker: RecordType<GrainMarker> = record({
  sector: u64, // 0x0
  length: u32, // 0x8
});

/** Bytes of an entry of a directory or of a table: the sector at which a table or a grain lies. */
export const ENTRY = 4;

/** Entries of a table, as the specification has it. */
export const TABLE_ENTRIES = 512;
/** Bytes of such a table. */
export const TABLE_SIZE: number = ENTRY * TABLE_ENTRIES;

/** Bytes of a grain, as the specification has it. */
export const GRAIN: number = 64 * 1024;

/** Of a grain that has no place in the file. */
export const NO_PLACE = 0;
/** Of a grain of zeros, where the flags allow it. */
export const ZERO_GRAIN = 1;
