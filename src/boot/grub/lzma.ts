import { compress } from "lzma1";

// GRUB's lzma_decompress.img takes a bare LZMA stream: no header, no end mark, and the properties that nearly
// everybody uses (lc 3, lp 0, pb 2), which it has built in.

/** Looks back 2 MiB, which is more than any core image has, and tries hard. */
const MODE = 5;

/** A `.lzma` file starts with a byte of properties, 4 bytes of dictionary size and 8 bytes of size. */
const HEADER_SIZE = 13;

/**
 * The bytes as a bare LZMA stream without an end mark. The same bytes give the same stream.
 *
 * @param bytes at least one byte.
 */
export function lzmaStream(bytes: Uint8Array): Uint8Array {
  return compress(bytes, MODE).subarray(HEADER_SIZE);
}
