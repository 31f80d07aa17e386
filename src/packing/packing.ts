/** How units are compressed, as data that can cross to a worker thread. */
export type Packing =
  /** Raw deflate (RFC 1951) with a window of 2^windowBits bytes. */
  | { readonly type: "deflate"; readonly windowBits: number; readonly level: number }
  /** Deflate with the header and checksum of zlib (RFC 1950). */
  | { readonly type: "zlib"; readonly level: number }
  /** A part of a longer raw deflate stream: it ends at a byte, with no final block, and needs no part before. */
  | { readonly type: "deflate-part"; readonly level: number }
  /** A frame of zstd (RFC 8878), without a checksum; with `isChecked`, the one that belongs behind it comes along. */
  | { readonly type: "zstd"; readonly level: number; readonly isChecked?: boolean };

/** Sums bytes up in 32 bits. */
export type Checksum = (bytes: Uint8Array) => number;

/** Compresses bytes into others, which may be valid only until the next call. */
export type Pack = (bytes: Uint8Array) => Uint8Array;

/** Unpacks bytes that become `size` bytes; throws when they are damaged or become more. */
export type Unpack = (bytes: Uint8Array, size: number) => Uint8Array;

/** What readers of containers need to unpack. */
export interface Unpackers {
  /** Raw deflate. Bytes behind its end are ignored. */
  readonly inflateRaw: Unpack;
  /** zlib. */
  readonly inflate: Unpack;
  /** A frame of zstd. Bytes behind its end are ignored. */
  readonly zstd: Unpack;
}

/** Some units that were packed. All of it is valid until it is released. */
export interface PackedUnits {
  /** What they were: the same bytes, perhaps in other memory. */
  readonly bytes: Uint8Array;
  /** Each one packed, or `undefined` where that is no smaller. */
  readonly packed: readonly (Uint8Array | undefined)[];
  /** The checksum of each one, where the packing has one: CRC-32 of parts of a deflate stream, XXH64 of zstd. */
  readonly checksums: readonly number[];
  /** Gives the memory back. */
  release(): void;
}

/** Packs units, several at a time where the host can. */
export interface Packer {
  /** How many calls can be under way at once with profit. */
  readonly parallel: number;
  /**
   * Packs `bytes`, which are whole units of `unitSize` bytes (the last one may be shorter). They may be changed
   * after the call.
   */
  pack(bytes: Uint8Array, unitSize: number): Promise<PackedUnits>;
  close(): Promise<void>;
}

/** Makes a packer for a way of packing. */
export type PackerFactory = (packing: Packing) => Promise<Packer>;
