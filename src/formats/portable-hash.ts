import { sha256 } from "@noble/hashes/sha2.js";
import type { Hash } from "./bmap.ts";

/** SHA-256 by a package, in any host. */
export function portableHash(): Hash {
  const hash = sha256.create();
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, "0")).join(""),
  };
}
