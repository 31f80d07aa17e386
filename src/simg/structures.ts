import { type RecordType, record, u16, u32 } from "../bytes/index.ts";

// The Android sparse image (AOSP: system/core/libsparse/sparse_format.h). Numbers are little-endian.

/** The header of a file. */
export interface SparseHeader {
  readonly magic: number;
  readonly majorVersion: number;
  readonly minorVersion: number;
  /** Bytes of this header. */
  readonly headerSize: number;
  /** Bytes of the header of each chunk. */
  readonly chunkHeaderSize: number;
  /** Bytes of a block, a multiple of 4. */
  readonly blockSize: number;
  /** Blocks of the disk. */
  readonly blocks: number;
  /** Chunks of the file. */
  readonly chunks: number;
  /** CRC-32 of the disk; 0 where nobody reckoned it. */
  readonly checksum: number;
}

export const sparseHeader: RecordType<SparseHeader> = record({
  magic: u32, // 0x0
  majorVersion: u16, // 0x4
  minorVersion: u16, // 0x6
  headerSize: u16, // 0x8
  chunkHeaderSize: u16, // 0xa
  blockSize: u32, // 0xc
  blocks: u32, // 0x10
  chunks: u32, // 0x14
  checksum: u32, // 0x18
});

/** The header of a chunk: so many blocks of the disk, behind those of the chunk before. */
export interface ChunkHeader {
  /** See {@link CHUNK_TYPES}. */
  readonly type: number;
  readonly reserved: number;
  /** Blocks of the disk. */
  readonly blocks: number;
  /** Bytes of the chunk in the file, with this header. */
  readonly size: number;
}

export const chunkHeader: RecordType<ChunkHeader> = record({
  type: u16, // 0x0
  reserved: u16, // 0x2
  blocks: u32, // 0x4
  size: u32, // 0x8
});

export const SPARSE_MAGIC = 0xed26ff3a;
export const SPARSE_MAJOR_VERSION = 1;

export const CHUNK_TYPES = {
  /** The blocks follow. */
  raw: 0xcac1,
  /** Four bytes follow, with which the blocks are filled. */
  fill: 0xcac2,
  /** Nobody cares what the blocks hold; a writer leaves them as they are. */
  dontCare: 0xcac3,
  /** Four bytes follow: the CRC-32 of the disk up to here. No blocks. */
  crc32: 0xcac4,
} as const;

/** Bytes behind the header of a chunk that fills, and of a chunk with a checksum. */
export const FILL_SIZE = 4;
