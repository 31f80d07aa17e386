// XXH64 ("xxHash fast digest algorithm", version 0.1.1), by which zstd checks what it unpacks. Each 64-bit number
// is kept as two halves: JavaScript multiplies 32 bits fast, and 64 bits slowly.

const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const PRIME_4 = 0x85ebca77c2b2ae63n;
const PRIME_5 = 0x27d4eb2f165667c5n;
const MASK = 0xffffffffffffffffn;

const STRIPE = 32;
const LANES = 4;

const high = (value: bigint): number => Number((value >> 32n) & 0xffffffffn) | 0;
const low = (value: bigint): number => Number(value & 0xffffffffn) | 0;

const PRIME_1_HIGH = high(PRIME_1);
const PRIME_1_LOW = low(PRIME_1);
const PRIME_2_HIGH = high(PRIME_2);
const PRIME_2_LOW = low(PRIME_2);

/** The hash of bytes that come in parts, with the seed 0. */
export class XxHash64 {
  readonly #high = new Int32Array(LANES);
  readonly #low = new Int32Array(LANES);
  readonly #rest = new Uint8Array(STRIPE);
  readonly #restView = new DataView(this.#rest.buffer);
  #restLength = 0;
  #length = 0;

  constructor() {
    for (const [lane, start] of [PRIME_1 + PRIME_2, PRIME_2, 0n, -PRIME_1].entries()) {
      this.#high[lane] = high(start & MASK);
      this.#low[lane] = low(start & MASK);
    }
  }

  update(bytes: Uint8Array): void {
    this.#length += bytes.length;
    let at = 0;
    if (this.#restLength > 0) {
      at = Math.min(STRIPE - this.#restLength, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#restLength);
      this.#restLength += at;
      if (this.#restLength < STRIPE) return;
      this.#stripes(this.#restView, 0, STRIPE);
      this.#restLength = 0;
    }
    const whole = at + Math.floor((bytes.length - at) / STRIPE) * STRIPE;
    this.#stripes(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), at, whole);
    this.#rest.set(bytes.subarray(whole));
    this.#restLength = bytes.length - whole;
  }

  digest(): bigint {
    let hash = this.#length < STRIPE ? PRIME_5 : this.#converged();
    hash = (hash + BigInt(this.#length)) & MASK;
    let at = 0;
    for (; at + 8 <= this.#restLength; at += 8) {
      hash ^= round(0n, this.#restView.getBigUint64(at, true));
      hash = (rotated(hash, 27n) * PRIME_1 + PRIME_4) & MASK;
    }
    if (at + 4 <= this.#restLength) {
      hash ^= (BigInt(this.#restView.getUint32(at, true)) * PRIME_1) & MASK;
      hash = (rotated(hash, 23n) * PRIME_2 + PRIME_3) & MASK;
      at += 4;
    }
    for (; at < this.#restLength; at++) {
      hash ^= (BigInt(this.#rest[at]!) * PRIME_5) & MASK;
      hash = (rotated(hash, 11n) * PRIME_1) & MASK;
    }
    hash = ((hash ^ (hash >> 33n)) * PRIME_2) & MASK;
    hash = ((hash ^ (hash >> 29n)) * PRIME_3) & MASK;
    return hash ^ (hash >> 32n);
  }

  #converged(): bigint {
    const lanes = Array.from({ length: LANES }, (_, lane) => {
      return (BigInt(this.#high[lane]! >>> 0) << 32n) | BigInt(this.#low[lane]! >>> 0);
    });
    const turns = [1n, 7n, 12n, 18n];
    let hash = lanes.reduce((sum, lane, index) => sum + rotated(lane, turns[index]!), 0n) & MASK;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * PRIME_1 + PRIME_4) & MASK;
    return hash;
  }

  /** Takes in whole stripes: eight bytes for each lane. */
  #stripes(view: DataView, start: number, end: number): void {
    const highs = this.#high;
    const lows = this.#low;
    for (let at = start; at < end; at += 8) {
      const lane = ((at - start) >> 3) & (LANES - 1);
      const lowInput = view.getInt32(at, true);
      const highInput = view.getInt32(at + 4, true);
      // lane + input × PRIME_2
      const lowProduct = Math.imul(lowInput, PRIME_2_LOW);
      const highProduct =
        (carried(lowInput, PRIME_2_LOW) +
          Math.imul(highInput, PRIME_2_LOW) +
          Math.imul(lowInput, PRIME_2_HIGH)) |
        0;
      const lowSum = (lows[lane]! >>> 0) + (lowProduct >>> 0);
      const highSum = (highs[lane]! + highProduct + (lowSum > 0xffffffff ? 1 : 0)) | 0;
      // turned left by 31, × PRIME_1
      const lowTurned = ((lowSum | 0) << 31) | (highSum >>> 1);
      const highTurned = (highSum << 31) | ((lowSum | 0) >>> 1);
      lows[lane] = Math.imul(lowTurned, PRIME_1_LOW);
      highs[lane] =
        carried(lowTurned, PRIME_1_LOW) +
        Math.imul(highTurned, PRIME_1_LOW) +
        Math.imul(lowTurned, PRIME_1_HIGH);
    }
  }
}

/** The upper half of a product of two unsigned numbers of 32 bits. */
function carried(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const first = aLow * bHigh;
  const second = aHigh * bLow;
  const middle = ((aLow * bLow) >>> 16) + (first & 0xffff) + (second & 0xffff);
  return (aHigh * bHigh + (first >>> 16) + (second >>> 16) + (middle >>> 16)) | 0;
}

function round(lane: bigint, input: bigint): bigint {
  return (rotated((lane + input * PRIME_2) & MASK, 31n) * PRIME_1) & MASK;
}

function rotated(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}
