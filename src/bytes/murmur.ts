/**
 * MurmurHash3 for 32-bit processors with 128 bits of result (Austin Appleby, public domain), of bytes that come in
 * pieces. It tells inputs apart that nobody chose to collide, ten times as fast as a cryptographic hash in JavaScript.
 */
export class Murmur128 {
  #h1 = 0;
  #h2 = 0;
  #h3 = 0;
  #h4 = 0;
  #length = 0;
  /** Bytes that are no whole block yet. */
  readonly #rest = new Uint8Array(BLOCK);
  readonly #restView = new DataView(this.#rest.buffer);

  update(bytes: Uint8Array): void {
    const filled = this.#length % BLOCK;
    this.#length += bytes.length;
    let at = 0;
    if (filled > 0) {
      at = Math.min(BLOCK - filled, bytes.length);
      this.#rest.set(bytes.subarray(0, at), filled);
      if (filled + at < BLOCK) return;
      this.#mix(this.#restView, 0, BLOCK);
    }
    const end = bytes.length - ((bytes.length - at) % BLOCK);
    this.#mix(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at, end);
    this.#rest.set(bytes.subarray(end));
  }

  /** Four words of 32 bits. Called once, last. */
  digest(): Uint32Array {
    const filled = this.#length % BLOCK;
    const rest = this.#restView;
    this.#rest.fill(0, filled);
    if (filled > 12) this.#h4 ^= scrambled(rest.getUint32(12, true), C4, 18, C1);
    if (filled > 8) this.#h3 ^= scrambled(rest.getUint32(8, true), C3, 17, C4);
    if (filled > 4) this.#h2 ^= scrambled(rest.getUint32(4, true), C2, 16, C3);
    if (filled > 0) this.#h1 ^= scrambled(rest.getUint32(0, true), C1, 15, C2);
    const words = Uint32Array.of(this.#h1, this.#h2, this.#h3, this.#h4).map((word) => word ^ this.#length);
    return spread(spread(words).map(finished));
  }

  #mix(view: DataView, start: number, end: number): void {
    let h1 = this.#h1;
    let h2 = this.#h2;
    let h3 = this.#h3;
    let h4 = this.#h4;
    for (let at = start; at < end; at += BLOCK) {
      h1 ^= scrambled(view.getInt32(at, true), C1, 15, C2);
      h1 = (Math.imul(rotated(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
      h2 ^= scrambled(view.getInt32(at + 4, true), C2, 16, C3);
      h2 = (Math.imul(rotated(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
      h3 ^= scrambled(view.getInt32(at + 8, true), C3, 17, C4);
      h3 = (Math.imul(rotated(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
      h4 ^= scrambled(view.getInt32(at + 12, true), C4, 18, C1);
      h4 = (Math.imul(rotated(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
    }
    this.#h1 = h1;
    this.#h2 = h2;
    this.#h3 = h3;
    this.#h4 = h4;
  }
}

const BLOCK = 16;
const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function scrambled(word: number, factor: number, bits: number, next: number): number {
  return Math.imul(rotated(Math.imul(word, factor), bits), next);
}

/** Adds all words to the first, and the first to all others. */
function spread([a, b, c, d]: Uint32Array): Uint32Array {
  const first = a! + b! + c! + d!;
  return Uint32Array.of(first, b! + first, c! + first, d! + first);
}

/** Has each bit of a word decide each bit of the result. */
function finished(word: number): number {
  const half = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  const next = Math.imul(half ^ (half >>> 13), 0xc2b2ae35);
  return next ^ (next >>> 16);
}
