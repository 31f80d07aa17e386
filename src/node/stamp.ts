import type { BigIntStats } from "node:fs";

/**
 * A file's identity, size and time of last change, folded into 52 bits: what is planned is what is written
 * only while this number is the same. The time of the last status change is left out: a new hard link
 * elsewhere changes it, and nothing that is stored.
 */
export function stampOf(status: BigIntStats): number {
  let high = 0x9e3779b9;
  let low = 0x85ebca6b;
  for (const part of [status.ino, status.dev, status.size, status.mtimeNs]) {
    // Multiplication of bigints would cost more than all of this.
    const word = Number(BigInt.asUintN(32, part));
    const rest = Number(BigInt.asUintN(32, part >> 32n));
    high = Math.imul(high ^ word, 0xc2b2ae35) ^ (low >>> 13);
    low = Math.imul(low ^ rest ^ (high >>> 15), 0x27d4eb2f) ^ word;
  }
  return (high >>> 12) * 2 ** 32 + (low >>> 0);
}
