import * as zlib from "node:zlib";
import {
  type Pack,
  type Packing,
  portablePack,
  portableUnpackers,
  type Unpackers,
} from "../packing/index.ts";

/** As much memory as deflate takes, as qemu has it. */
const MEMORY_LEVEL = 9;

/** What newer versions of Node have. */
const newer = zlib as {
  zstdCompressSync?: (bytes: Uint8Array, options: { params: Record<number, number> }) => Uint8Array;
  crc32?: (bytes: Uint8Array) => number;
};

/** `ZSTD_c_compressionLevel`: its name is not known to older versions either. */
const ZSTD_LEVEL = 100;

/** Packs with the libraries of Node; what it does not have comes from packages. */
export async function nativePack(packing: Packing): Promise<Pack> {
  const { level } = packing;
  const memLevel = MEMORY_LEVEL;
  switch (packing.type) {
    case "deflate":
      return (bytes) => zlib.deflateRawSync(bytes, { level, memLevel, windowBits: packing.windowBits });
    case "zlib":
      return (bytes) => zlib.deflateSync(bytes, { level, memLevel });
    case "deflate-part": {
      const finishFlush = zlib.constants.Z_SYNC_FLUSH;
      return (bytes) => zlib.deflateRawSync(bytes, { level, memLevel, finishFlush });
    }
    case "zstd": {
      const { zstdCompressSync } = newer;
      if (zstdCompressSync === undefined) return portablePack(packing);
      return (bytes) => zstdCompressSync(bytes, { params: { [ZSTD_LEVEL]: level } });
    }
  }
}

/** CRC-32 by Node, where it has one. */
export const nativeCrc32: ((bytes: Uint8Array) => number) | undefined = newer.crc32;

/** Unpacks with the libraries of Node. Its decoder of zstd stops at no frame's end, so a package does that. */
export async function nativeUnpackers(): Promise<Unpackers> {
  const { zstd } = await portableUnpackers();
  return {
    inflateRaw: (bytes, size) => zlib.inflateRawSync(bytes, { maxOutputLength: size }),
    inflate: (bytes, size) => zlib.inflateSync(bytes, { maxOutputLength: size }),
    zstd,
  };
}
