import crc32Package from "crc-32";
import crc32cPackage from "crc-32/crc32c.js";

/** CRC-32 (ISO-HDLC, reflected 0xEDB88320) of `bytes`, as GPT and VHDX region tables use it. Unsigned. */
export function crc32(bytes: Uint8Array): number {
  return crc32Package.buf(bytes) >>> 0;
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
