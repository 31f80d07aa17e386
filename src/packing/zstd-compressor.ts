import { DiskwrightError } from "../errors.ts";

/** Compresses bytes into one frame of zstd that says how much it holds, and has no checksum. */
export type ZstdCompress = (bytes: Uint8Array, level: number) => Uint8Array;

/** Loads what compresses by zstd. */
export type ZstdLoader = () => Promise<ZstdCompress>;

let loading: Promise<ZstdCompress> | undefined;

/**
 * zstd as WebAssembly that is part of the code, so that nothing has to be fetched and every bundler packs it. Loaded
 * once.
 *
 * @throws DiskwrightError `OUTPUT` where the host runs no WebAssembly, such as a page whose Content Security Policy
 *   forbids it.
 */
export function inlineZstd(): Promise<ZstdCompress> {
  loading ??= load();
  return loading;
}

async function load(): Promise<ZstdCompress> {
  const { Zstd } = await import("@hpcc-js/wasm-zstd");
  try {
    const zstd = await Zstd.load();
    return (bytes, level) => checked(zstd.compress(bytes, level));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DiskwrightError(
      "OUTPUT",
      `zstd cannot be used here, as its WebAssembly cannot be run: ${reason}. In a browser, the Content Security Policy must allow 'wasm-unsafe-eval'; or use a format without zstd`,
      { cause: error },
    );
  }
}

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;

/** The package gives other bytes, and no error, when it fails. */
function checked(frame: Uint8Array): Uint8Array {
  if (MAGIC.every((byte, index) => frame[index] === byte)) return frame;
  throw new DiskwrightError("OUTPUT", "zstd could not compress a part of the disk: its memory may be full");
}
