/** How a file is compressed, as its first bytes tell. */
export type Compression = "gzip" | "zstd" | "xz" | "bzip2";

const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
];

const SKIPPABLE = [0x2a, 0x4d, 0x18];

/** How many bytes tell the compression. */
export const MAGIC_SIZE = 6;

/** The compression of a file that starts with these bytes; `undefined` for none that is known. */
export function compressionOf(start: Uint8Array): Compression | undefined {
  // What several threads compressed starts with a note for zstd, "skippable": its first byte is one of sixteen.
  if ((start[0]! & 0xf0) === 0x50 && SKIPPABLE.every((byte, index) => start[1 + index] === byte))
    return "zstd";
  return MAGIC.find(([, magic]) => magic.every((byte, index) => start[index] === byte))?.[0];
}
