import * as zlib from "node:zlib";
import {
  type Pack,
  type Packing,
  portablePack,
  portableUnpackers,
  type Unpackers,
} from "../packing/index.ts";
import { giveBack } from "./reclaim.ts";
import { zstdFromFile } from "./zstd-wasm.ts";

/** As much memory as deflate takes, as qemu has it. */
const MEMORY_LEVEL = 9;

/** What newer versions of Node have. */
const newer = zlib as {
  zstdCompressSync?: (
    bytes: Uint8Array,
    options: OutputOptions & { params: Record<number, number> },
  ) => Uint8Array;
  crc32?: (bytes: Uint8Array) => number;
};

/** `ZSTD_c_compressionLevel`: its name is not known to older versions either. */
const ZSTD_LEVEL = 100;

/** What the compressors of zlib are told of their output. */
interface OutputOptions {
  readonly chunkSize: number;
}

/** Packs with the libraries of Node; what it does not have comes from packages. */
export async function nativePack(packing: Packing): Promise<Pack> {
  const { level } = packing;
  const memLevel = MEMORY_LEVEL;
  switch (packing.type) {
    case "deflate": {
      const { windowBits } = packing;
      return reclaimed((bytes, output) =>
        zlib.deflateRawSync(bytes, { level, memLevel, windowBits, ...output }),
      );
    }
    case "zlib":
      return reclaimed((bytes, output) => zlib.deflateSync(bytes, { level, memLevel, ...output }));
    case "deflate-part": {
      const finishFlush = zlib.constants.Z_SYNC_FLUSH;
      return reclaimed((bytes, output) =>
        zlib.deflateRawSync(bytes, { level, memLevel, finishFlush, ...output }),
      );
    }
    case "zstd": {
      const { zstdCompressSync } = newer;
      if (zstdCompressSync === undefined) return portablePack(packing, zstdFromFile);
      const params = { [ZSTD_LEVEL]: level };
      return reclaimed((bytes, output) => zstdCompressSync(bytes, { params, ...output }));
    }
  }
}

/** Room for what packed bytes can be longer than those that are packed, where that is little. */
const SLACK = 1024;

/** Compresses into one piece of memory, which is given back when the next one is needed, where that can be. */
function reclaimed(compress: (bytes: Uint8Array, output: OutputOptions) => Uint8Array): Pack {
  let last: ArrayBufferLike | undefined;
  return (bytes) => {
    if (last !== undefined) giveBack?.(last);
    const chunkSize = bytes.length + SLACK;
    const packed = compress(bytes, { chunkSize });
    // What needed more than one piece was joined in memory that it may share with others. What cannot be given back
    // is not held: it would outlive the next collection, and then stay for long.
    last = giveBack && packed.buffer.byteLength === chunkSize ? packed.buffer : undefined;
    return packed;
  };
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
