// zlib data (RFC 1950) that is not compressed: grains of a stream must be zlib data, even those that compression
// would make larger.

/** A window of 32 KiB, the fastest level, and what makes both bytes a multiple of 31 (RFC 1950 §2.2). */
const ZLIB_HEADER = [0x78, 0x01] as const;

/** Bytes that a stored block of deflate holds at most (RFC 1951 §3.2.4). */
const LARGEST_BLOCK = 65_535;
/** The kind of block, its length, and that inverted. */
const BLOCK_HEADER = 5;
const FINAL_BLOCK = 1;

const CHECKSUM = 4;

/** Bytes as zlib data of stored blocks. */
export function storedZlib(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / LARGEST_BLOCK));
  const stored = new Uint8Array(ZLIB_HEADER.length + blocks * BLOCK_HEADER + bytes.length + CHECKSUM);
  const view = new DataView(stored.buffer);
  stored.set(ZLIB_HEADER);
  let end = ZLIB_HEADER.length;
  for (let block = 0; block < blocks; block++) {
    const part = bytes.subarray(block * LARGEST_BLOCK, (block + 1) * LARGEST_BLOCK);
    stored[end] = block === blocks - 1 ? FINAL_BLOCK : 0;
    view.setUint16(end + 1, part.length, true);
    view.setUint16(end + 3, ~part.length, true);
    stored.set(part, end + BLOCK_HEADER);
    end += BLOCK_HEADER + part.length;
  }
  view.setUint32(end, adler32(bytes));
  return stored;
}

const ADLER_MODULUS = 65_521;

/** Bytes after which the sums are reduced: so both stay below 2^31, where arithmetic is fast. */
const ADLER_STRETCH = 3800;

/** The Adler-32 of bytes (RFC 1950 §8.2), unsigned. */
export function adler32(bytes: Uint8Array): number {
  let sum = 1;
  let sumOfSums = 0;
  for (let start = 0; start < bytes.length; start += ADLER_STRETCH) {
    const end = Math.min(bytes.length, start + ADLER_STRETCH);
    for (let at = start; at < end; at++) {
      sum += bytes[at]!;
      sumOfSums += sum;
    }
    sum %= ADLER_MODULUS;
    sumOfSums %= ADLER_MODULUS;
  }
  return sumOfSums * 2 ** 16 + sum;
}
