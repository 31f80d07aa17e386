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
