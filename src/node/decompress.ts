import { pipeline, Readable } from "node:stream";
import * as zlib from "node:zlib";
import { DiskwrightError } from "../errors.ts";
import type { Compression } from "./compression.ts";
import { type FrameUnpacker, unpackZstd } from "./zstd.ts";

/**
 * What compressed bytes hold. Damage and an early end are errors that name the file.
 *
 * @throws DiskwrightError `CORRUPT`; `SOURCE_UNREADABLE` for a compression that cannot be read here.
 */
export async function* decompressed(
  source: AsyncIterable<Uint8Array>,
  compression: Compression,
  name: string,
): AsyncGenerator<Uint8Array> {
  const unpacked = await decompressor(compression, source, name);
  try {
    for await (const chunk of unpacked) yield chunk;
  } catch (error) {
    if (error instanceof DiskwrightError) throw error;
    const told = error instanceof Error ? error.message : String(error);
    const xzCode = compression === "xz" ? Number(/error code (\d+)$/.exec(told)?.[1]) : Number.NaN;
    const reason = XZ_REASONS[xzCode] ?? told;
    if (XZ_UNSUPPORTED.has(xzCode)) {
      throw new DiskwrightError(
        "SOURCE_UNREADABLE",
        `${name}: is compressed by xz with a filter, a check or a dictionary that is not read here: unpack it first (xz -dc)`,
        { path: name, cause: error },
      );
    }
    throw new DiskwrightError(
      "CORRUPT",
      `${name}: the ${compression} data is damaged or cut off: ${reason}`,
      {
        path: name,
        cause: error,
      },
    );
  }
}

async function decompressor(
  compression: Compression,
  source: AsyncIterable<Uint8Array>,
  name: string,
): Promise<AsyncIterable<Uint8Array>> {
  switch (compression) {
    case "gzip":
      return through(source, zlib.createGunzip({ chunkSize: CHUNK }));
    case "zstd":
      return unpackZstd(source, unpackFrame);
    case "xz":
      return await xz(source);
    case "bzip2":
      throw new DiskwrightError(
        "SOURCE_UNREADABLE",
        `${name}: bzip2 is not read: unpack it first (bzip2 -d)`,
        { path: name },
      );
  }
}

const CHUNK = 256 * 1024;

// Newer versions of Node have it.
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => NodeJS.ReadWriteStream };
const unpackFrame: FrameUnpacker | undefined =
  createZstdDecompress && ((pieces) => through(pieces, createZstdDecompress()));

function through(
  source: AsyncIterable<Uint8Array>,
  transform: NodeJS.ReadWriteStream,
): AsyncIterable<Uint8Array> {
  // Errors of either side reach whoever reads the result.
  return pipeline(Readable.from(source), transform, () => {}) as unknown as AsyncIterable<Uint8Array>;
}

/** Of the decoder: unsupported check, limit of memory (64 MiB), unsupported options. */
const XZ_UNSUPPORTED: ReadonlySet<number> = new Set([2, 4, 6]);

/** Of the decoder: what its other numbers say. */
const XZ_REASONS: Readonly<Record<number, string>> = {
  5: "it is no xz",
  7: "its data cannot be decoded",
  8: "it ends before its end",
};

type XzStream = new (stream: unknown) => AsyncIterable<Uint8Array>;

async function xz(source: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const module = (await import("xz-decompress")) as unknown as {
    XzReadableStream?: XzStream;
    default?: { XzReadableStream: XzStream };
  };
  // It is a CommonJS module whose names not every loader finds.
  const XzReadableStream = module.XzReadableStream ?? module.default!.XzReadableStream;
  return new XzReadableStream(Readable.toWeb(Readable.from(source)));
}
