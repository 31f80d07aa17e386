import { decompress as unzstd } from "fzstd";
import { Deflate, deflate, deflateRaw, inflate, inflateRaw, Z_SYNC_FLUSH } from "pako";
import { checksumOf } from "./checksum.ts";
import type { Pack, Packer, Packing, Unpackers } from "./packing.ts";
import { packUnits } from "./units.ts";
import { inlineZstd, type ZstdLoader } from "./zstd-compressor.ts";
import { zstdFrameSize } from "./zstd-frame.ts";

// Packages whose bytes depend on their version and on nothing else: no host, no processor, no version of Node.

/** As much memory as deflate takes, as qemu has it; it has a part in where blocks end. */
const MEMORY_LEVEL = 9;

/** Packs with pako and the WebAssembly of zstd, in any host. What they make stays valid. */
export async function portablePack(packing: Packing, zstd: ZstdLoader = inlineZstd): Promise<Pack> {
  const { level } = packing;
  switch (packing.type) {
    case "deflate":
      return (bytes) => deflateRaw(bytes, { level, windowBits: packing.windowBits, memLevel: MEMORY_LEVEL });
    case "zlib":
      return (bytes) => deflate(bytes, { level, memLevel: MEMORY_LEVEL });
    case "deflate-part":
      return (bytes) => deflatePart(bytes, level);
    case "zstd": {
      const compress = await zstd();
      return (bytes) => compress(bytes, level);
    }
  }
}

function deflatePart(bytes: Uint8Array, level: number): Uint8Array {
  const stream = new Deflate({ level, raw: true, memLevel: MEMORY_LEVEL });
  const parts: Uint8Array[] = [];
  stream.onData = (part) => void parts.push(part as Uint8Array);
  stream.push(bytes, Z_SYNC_FLUSH);
  return joined(parts);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Packs in the thread of the caller. */
export async function portablePacker(packing: Packing): Promise<Packer> {
  const [pack, checksum] = await Promise.all([portablePack(packing), checksumOf(packing)]);
  return {
    parallel: 1,
    pack: async (bytes, unitSize) => ({
      ...packUnits({ pack, checksum }, bytes.slice(), unitSize, (packed) => packed),
      release(): void {},
    }),
    close: async () => {},
  };
}

/** Unpacks in any host. */
export const portableUnpackers: Unpackers = {
  inflateRaw: (bytes, size) => limited(inflateRaw(bytes), size),
  inflate: (bytes, size) => limited(inflate(bytes), size),
  zstd: (bytes, size) => limited(unzstd(bytes.subarray(0, zstdFrameSize(bytes))), size),
};

function limited(bytes: Uint8Array | undefined, size: number): Uint8Array {
  if (bytes === undefined) throw new Error("it ends early");
  if (bytes.length > size) throw new Error(`it holds more than ${size} bytes`);
  return bytes;
}
