import type { BigIntStats } from "node:fs";

const PRIMES = [0x9e3779b97f4a7c15n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x27d4eb2f165667c5n] as const;

/**
 * A file's identity, size and time of last change, folded into 52 bits: what is planned is what is written
 * only while this number is the same. The time of the last status change is left out: a new hard link
 * elsewhere changes it, and nothing that is stored.
 */
export function stampOf(status: BigIntStats): number {
  const folded =
    (status.ino * PRIMES[0]) ^
    (status.dev * PRIMES[1]) ^
    (status.size * PRIMES[2]) ^
    (status.mtimeNs * PRIMES[3]);
  return Number(BigInt.asUintN(52, folded ^ (folded >> 32n)));
}
