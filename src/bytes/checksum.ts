import crc32Package from "crc-32";
import crc32cPackage from "crc-32/crc32c.js";

/** CRC-32 (ISO-HDLC, reflected 0xEDB88320) of `bytes`, as GPT and gzip use it. Unsigned. */
export function crc32(bytes: Uint8Array): number {
  return crc32Package.buf(bytes) >>> 0;
}

/** The polynomial of CRC-32, reflected. */
const CRC32_POLYNOMIAL = 0xedb88320;

/**
 * How the CRC-32 of some bytes goes on when `length` more follow: the function takes the CRC-32 of the first
 * and that of the following ones, and returns that of both together.
 *
 * Appending zeros multiplies a CRC by a power of x in the field of polynomials modulo CRC-32's.
 */
export function crc32Joiner(length: number): (first: number, following: number) => number {
  let factor = 0x8000_0000; // x^0, the highest bit first
  let power = 0x0080_0000; // x^8: one byte
  for (let rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) factor = multiplied(factor, power);
    power = multiplied(power, power);
  }
  return (first, following) => (multiplied(first, factor) ^ following) >>> 0;
}

/** The product of two polynomials modulo that of CRC-32. */
function multiplied(first: number, second: number): number {
  let product = 0;
  let shifted = second;
  for (let bit = 31; bit >= 0; bit--) {
    if ((first >>> bit) & 1) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ CRC32_POLYNOMIAL : shifted >>> 1;
  }
  return product >>> 0;
}

/**
 * Feeds `bytes` into a CRC-32C (reflected 0x82F63B78) register and returns the register, with no final
 * inversion: the form that ext4 chains its checksums in. Start with `0xffffffff`.
 */
export function crc32cRegister(register: number, bytes: Uint8Array): number {
  return ~crc32cPackage.buf(bytes, ~register) >>> 0;
}

/** CRC-32C of `bytes` in its usual, inverted form ("123456789" gives 0xe3069283). Unsigned. */
export function crc32c(bytes: Uint8Array): number {
  return crc32cPackage.buf(bytes) >>> 0;
}

const CRC16_TABLE: Uint16Array = Uint16Array.from({ length: 256 }, (_, index) => {
  let register = index;
  for (let bit = 0; bit < 8; bit++) register = register & 1 ? (register >>> 1) ^ 0xa001 : register >>> 1;
  return register;
});

/** Feeds `bytes` into a CRC-16 (ARC, reflected 0xA001) register and returns the register. */
export function crc16Register(register: number, bytes: Uint8Array): number {
  let value = register;
  for (const byte of bytes) value = (value >>> 8) ^ CRC16_TABLE[(value ^ byte) & 0xff]!;
  return value;
}
