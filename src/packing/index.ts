import type { Pack, Packer, Packing, Unpackers } from "./packing.ts";
import type { ZstdLoader } from "./zstd-compressor.ts";

export { checksumOf, xxhash, zstdChecksum } from "./checksum.ts";
export type {
  Checksum,
  Pack,
  PackedUnits,
  Packer,
  PackerFactory,
  Packing,
  Unpack,
  Unpackers,
} from "./packing.ts";
export { looksIncompressible } from "./probe.ts";
export { packUnits, type UnitPacker } from "./units.ts";
export type { ZstdCompress, ZstdLoader } from "./zstd-compressor.ts";
export { zstdFrameSize } from "./zstd-frame.ts";

// The packages that pack are loaded when something is to be packed.

/** Packs by packages whose bytes depend on nothing but their version. `zstd`: what loads zstd, where a host has better. */
export async function portablePack(packing: Packing, zstd?: ZstdLoader): Promise<Pack> {
  return (await import("./portable.ts")).portablePack(packing, zstd);
}

/** A packer that works in the thread of the caller, in any host, with bytes that depend on nothing. */
export async function portablePacker(packing: Packing): Promise<Packer> {
  return (await import("./portable.ts")).portablePacker(packing);
}

/** What unpacks in any host. */
export async function portableUnpackers(): Promise<Unpackers> {
  return (await import("./portable.ts")).portableUnpackers;
}
