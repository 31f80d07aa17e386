// Compressing what does not compress costs as much as compressing text. A look at some of it tells which it is.

/** How many stretches of a unit are looked at, and how long each one is. */
const STRETCHES = 16;
const STRETCH = 256;

/** Bytes that are searched for repetitions: two windows of qcow2's deflate. */
const SEARCHED = 8192;

/**
 * Of 4096 random bytes the chi-square statistic of their values is 255 ± 23. Compressed and encrypted data is
 * near that; text and programs are at thousands, and what is too even to be random has an order.
 */
const LEAST_CHI_SQUARE = 150;
const MOST_CHI_SQUARE = 360;

/** Random bytes repeat four of themselves about once in two thousand such searches. */
const MOST_REPETITIONS = 8;

/** Whether bytes look like compressed, encrypted or random ones. Small pieces are not worth the look. */
export function looksIncompressible(bytes: Uint8Array): boolean {
  if (bytes.length < SEARCHED) return false;
  const spread = chiSquare(bytes);
  return spread > LEAST_CHI_SQUARE && spread < MOST_CHI_SQUARE && repetitions(bytes) <= MOST_REPETITIONS;
}

const counts = new Uint32Array(256);

/** How far the values of bytes, taken from all over a unit, are from being equally frequent. */
function chiSquare(bytes: Uint8Array): number {
  counts.fill(0);
  const step = (bytes.length - STRETCH) / (STRETCHES - 1);
  for (let stretch = 0; stretch < STRETCHES; stretch++) {
    const start = Math.floor(stretch * step);
    for (let at = start; at < start + STRETCH; at++) counts[bytes[at]!]!++;
  }
  const expected = (STRETCHES * STRETCH) / 256;
  let sum = 0;
  for (const count of counts) sum += (count - expected) ** 2;
  return sum / expected;
}

const HASH_BITS = 13;
const seen = new Int32Array(1 << HASH_BITS);

/** How many places in the middle of a unit hold the same four bytes as a place before. */
function repetitions(bytes: Uint8Array): number {
  seen.fill(-1);
  const start = (bytes.length - SEARCHED) >>> 1;
  const end = start + SEARCHED - 3;
  let found = 0;
  for (let at = start; at < end; at++) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    const slot = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
    const before = seen[slot]!;
    seen[slot] = at;
    if (before < 0) continue;
    const earlier =
      bytes[before]! | (bytes[before + 1]! << 8) | (bytes[before + 2]! << 16) | (bytes[before + 3]! << 24);
    if (earlier === word) found++;
  }
  return found;
}
