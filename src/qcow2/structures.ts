import { bytes, type RecordType, record, u8, u32be, u64be } from "../bytes/index.ts";

// qcow2, versions 2 and 3 (QEMU: docs/interop/qcow2.rst). Numbers are big-endian.

/** The header that both versions have. */
export interface Qcow2Header {
  readonly magic: Uint8Array;
  readonly version: number;
  /** Where the name of the backing file lies; 0 for none. */
  readonly backingFileOffset: bigint;
  readonly backingFileSize: number;
  /** A cluster has 2^clusterBits bytes. */
  readonly clusterBits: number;
  /** Bytes of the disk. */
  readonly size: bigint;
  readonly encryption: number;
  /** Entries of the L1 table. */
  readonly l1Size: number;
  readonly l1TableOffset: bigint;
  readonly refcountTableOffset: bigint;
  readonly refcountTableClusters: number;
  readonly snapshots: number;
  readonly snapshotsOffset: bigint;
}

const common = {
  magic: bytes(4), // 0x0
  version: u32be, // 0x4
  backingFileOffset: u64be, // 0x8
  backingFileSize: u32be, // 0x10
  clusterBits: u32be, // 0x14
  size: u64be, // 0x18
  encryption: u32be, // 0x20
  l1Size: u32be, // 0x24
  l1TableOffset: u64be, // 0x28
  refcountTableOffset: u64be, // 0x30
  refcountTableClusters: u32be, // 0x38
  snapshots: u32be, // 0x3c
  snapshotsOffset: u64be, // 0x40
};

export const qcow2Header: RecordType<Qcow2Header> = record(common);

/** What version 3 adds. */
export interface Qcow2Features {
  /** Who does not know one of these bits must not open the file. */
  readonly incompatible: bigint;
  /** Who does not know one of these bits may do as if it were not there. */
  readonly compatible: bigint;
  /** Who does not know one of these bits may read, and clears it when writing. */
  readonly autoclear: bigint;
  /** A refcount has 2^refcountOrder bits. */
  readonly refcountOrder: number;
  /** Bytes of the whole header; extensions follow. */
  readonly headerLength: number;
}

export const qcow2Features: RecordType<Qcow2Features> = record({
  incompatible: u64be, // 0x48
  compatible: u64be, // 0x50
  autoclear: u64be, // 0x58
  refcountOrder: u32be, // 0x60
  headerLength: u32be, // 0x64
});

/** The field that follows when clusters are compressed by something else than deflate. */
export interface Qcow2Compression {
  /** See {@link COMPRESSION_TYPES}. */
  readonly type: number;
  readonly padding: Uint8Array;
}

export const qcow2Compression: RecordType<Qcow2Compression> = record({
  type: u8, // 0x68
  padding: bytes(7), // 0x69
});

/** What begins each of the header's extensions, which end with one of type 0; their data is padded to 8 bytes. */
export interface Qcow2Extension {
  readonly type: number;
  /** Bytes of the data behind it. */
  readonly length: number;
}

export const qcow2Extension: RecordType<Qcow2Extension> = record({
  type: u32be, // 0x0
  length: u32be, // 0x4
});

/** The extension that holds the name of the format of the backing file. */
export const BACKING_FORMAT = 0xe2792aca;

/** "QFI" and 0xfb. */
export const QCOW2_MAGIC: Uint8Array = Uint8Array.of(0x51, 0x46, 0x49, 0xfb);

export const COMPRESSION_TYPES = { deflate: 0, zstd: 1 } as const;

/** Bits of the incompatible features. */
export const INCOMPATIBLE = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  externalData: 1n << 2n,
  compressionType: 1n << 3n,
  extendedL2: 1n << 4n,
} as const;

/** Bytes of an entry of the L1 table, of an L2 table, of the refcount table. */
export const ENTRY = 8;

/** A refcount as it is written: 16 bits. */
export const REFCOUNT_ORDER = 4;
export const REFCOUNT_BYTES = 2;

/** Set in an entry of L1 or L2 whose cluster has a refcount of exactly one (OFLAG_COPIED). */
export const COPIED = 1n << 63n;
/** Set in an entry of L2 whose cluster is compressed. */
export const COMPRESSED = 1n << 62n;
/** Set in an entry of L2 whose cluster reads as zeros (version 3). */
export const ZERO = 1n;
/** The bits of an entry that are the place of a cluster or of an L2 table. */
export const PLACE_MASK = 0x00ff_ffff_ffff_fe00n;
/** The bits of an entry of L1, or of L2 of a cluster that is not compressed, that have no meaning. */
export const RESERVED_L1 = 0x7f00_0000_0000_01ffn;
export const RESERVED_L2 = 0x3f00_0000_0000_01fen;

/** A compressed cluster is counted in these. */
export const PACKED_SECTOR = 512;

/**
 * The fewest bytes that a whole cluster can be compressed to. Deflate (RFC 1951 §3.2.5) repeats up to 258 bytes with
 * two bits; zstd (RFC 8878 §3.1.1) repeats one byte up to 128 KiB with a block of four, behind a header of six.
 */
export function leastPacked(type: number, clusterSize: number): number {
  return type === COMPRESSION_TYPES.zstd
    ? 6 + 4 * Math.ceil(clusterSize / (128 * 1024))
    : Math.ceil(clusterSize / (258 * 4));
}

/**
 * At which bit of a compressed entry its length starts, behind the place. The length counts the sectors that
 * the data touches behind its first one.
 */
export function packedLengthShift(clusterBits: number): number {
  return 62 - (clusterBits - 8);
}
