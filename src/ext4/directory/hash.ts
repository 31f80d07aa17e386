import { uuidToBytes } from "../../bytes/index.ts";

// The hashes by which an indexed directory is sorted (directory.rst, "Hash Tree Directories"). All state is
// kept in arrays that are made once: a directory has millions of names.

/** How names are hashed. */
export interface NameHashing {
  readonly hash: "half_md4" | "tea" | "legacy";
  /** UUID text; its 16 bytes are four little-endian words. The legacy hash takes no notice of it. */
  readonly seed: string;
  /** Whether names are hashed as signed characters (s_flags 1) or unsigned ones (2). */
  readonly isSigned: boolean;
}

/** The hash of the name at `start` of `bytes`: an even number from 0 to 0xfffffffc. */
export type NameHasher = (bytes: Uint8Array, start: number, length: number) => number;

/** The number of each hash in the root of an index and in the superblock (directory.rst, "hash_version"). */
export const HASH_VERSION: Readonly<Record<NameHashing["hash"], number>> = { legacy: 0, half_md4: 1, tea: 2 };

/** A directory ends with this hash, so a name must not have it. */
const END = 0xfffffffe;

/** The function that hashes names of a filesystem. */
export function nameHasher(hashing: NameHashing): NameHasher {
  const signBit = hashing.isSigned ? 0x80 : 0;
  const seed = seedState(hashing.seed);
  const raw =
    hashing.hash === "legacy"
      ? legacyHasher(signBit)
      : hashing.hash === "tea"
        ? chunkHasher(seed, signBit, TEA_WORDS, stirTea, 0)
        : chunkHasher(seed, signBit, HALF_MD4_WORDS, stirHalfMd4, 1);
  return (bytes, start, length) => {
    // The lowest bit is left to the index, which marks there that names of one hash continue.
    const hash = (raw(bytes, start, length) & ~1) >>> 0;
    return hash === END ? END - 2 : hash;
  };
}

/** What MD4 starts from (RFC 1320, 3.3); a seed that is not zero takes its place. */
const MD4_START = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const;

function seedState(seed: string): Int32Array {
  const bytes = uuidToBytes(seed);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const words = MD4_START.map((_, index) => view.getInt32(4 * index, true));
  return Int32Array.from(words.some((word) => word !== 0) ? words : MD4_START);
}

/** A hash of names that goes through them in chunks of words, each stirred into the state. */
function chunkHasher(
  seed: Int32Array,
  signBit: number,
  words: number,
  stir: (state: Int32Array, chunk: Int32Array) => void,
  result: number,
): NameHasher {
  const state = new Int32Array(4);
  const chunk = new Int32Array(words);
  const step = 4 * words;
  return (bytes, start, length) => {
    state.set(seed);
    for (let done = 0; done < length; done += step) {
      fillChunk(chunk, bytes, start + done, length - done, signBit);
      stir(state, chunk);
    }
    return state[result]!;
  };
}

/**
 * Fills the words of a chunk from `left` bytes of a name, the first byte of each word highest. What the name
 * does not fill is its length, in every byte. A signed character below zero borrows from the bytes above.
 */
function fillChunk(chunk: Int32Array, bytes: Uint8Array, start: number, left: number, signBit: number): void {
  const padding = Math.imul(left, 0x01010101);
  let at = start;
  const end = start + Math.min(left, 4 * chunk.length);
  for (let index = 0; index < chunk.length; index++) {
    let word = padding;
    const wordEnd = Math.min(at + 4, end);
    while (at < wordEnd) word = ((word << 8) + ((bytes[at++]! ^ signBit) - signBit)) | 0;
    chunk[index] = word;
  }
}

const HALF_MD4_WORDS = 8;
/** The constants of rounds 2 and 3 (RFC 1320, 3.4). */
const ROUND_2 = 0x5a827999;
const ROUND_3 = 0x6ed9eba1;

/** Eight of the sixteen steps of each of the three rounds of MD4, its words in an order of its own. */
function stirHalfMd4(state: Int32Array, chunk: Int32Array): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (let index = 0; index < 8; index += 4) {
    a = rotated((a + (d ^ (b & (c ^ d))) + chunk[index]!) | 0, 3);
    d = rotated((d + (c ^ (a & (b ^ c))) + chunk[index + 1]!) | 0, 7);
    c = rotated((c + (b ^ (d & (a ^ b))) + chunk[index + 2]!) | 0, 11);
    b = rotated((b + (a ^ (c & (d ^ a))) + chunk[index + 3]!) | 0, 19);
  }
  // The odd words, then the even ones.
  for (let index = 1; index >= 0; index--) {
    a = rotated((a + majority(b, c, d) + chunk[index]! + ROUND_2) | 0, 3);
    d = rotated((d + majority(a, b, c) + chunk[index + 2]! + ROUND_2) | 0, 5);
    c = rotated((c + majority(d, a, b) + chunk[index + 4]! + ROUND_2) | 0, 9);
    b = rotated((b + majority(c, d, a) + chunk[index + 6]! + ROUND_2) | 0, 13);
  }
  for (let index = 3; index > 0; index -= 2) {
    a = rotated((a + (b ^ c ^ d) + chunk[index]! + ROUND_3) | 0, 3);
    d = rotated((d + (a ^ b ^ c) + chunk[index + 4]! + ROUND_3) | 0, 9);
    c = rotated((c + (d ^ a ^ b) + chunk[index - 1]! + ROUND_3) | 0, 11);
    b = rotated((b + (c ^ d ^ a) + chunk[index + 3]! + ROUND_3) | 0, 15);
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
}

function majority(x: number, y: number, z: number): number {
  return (x & y) | (z & (x | y));
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

const TEA_WORDS = 4;
const TEA_ROUNDS = 16;
/** 2^32 divided by the golden ratio. */
const TEA_DELTA = 0x9e3779b9;

/** Encrypts half of the state with the Tiny Encryption Algorithm, the chunk being the key, and adds that to it. */
function stirTea(state: Int32Array, key: Int32Array): void {
  let left = state[0]!;
  let right = state[1]!;
  for (let round = 1; round <= TEA_ROUNDS; round++) {
    const sum = Math.imul(round, TEA_DELTA);
    left = (left + (((right << 4) + key[0]!) ^ (right + sum) ^ ((right >>> 5) + key[1]!))) | 0;
    right = (right + (((left << 4) + key[2]!) ^ (left + sum) ^ ((left >>> 5) + key[3]!))) | 0;
  }
  state[0]! += left;
  state[1]! += right;
}

/** The hash of the first indexed directories. */
function legacyHasher(signBit: number): NameHasher {
  return (bytes, start, length) => {
    let last = 0x12a3fe2d;
    let beforeLast = 0x37abe8f9;
    for (let at = start; at < start + length; at++) {
      const character = (bytes[at]! ^ signBit) - signBit;
      let next = (beforeLast + (last ^ Math.imul(character, 7152373))) | 0;
      if (next < 0) next -= 0x7fffffff;
      beforeLast = last;
      last = next | 0;
    }
    return last << 1;
  };
}
