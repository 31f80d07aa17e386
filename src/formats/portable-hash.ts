import { sha256 } from "@noble/hashes/sha2.js";
import { hex } from "../bytes/index.ts";
import type { Hash } from "./bmap.ts";

/** SHA-256 by a package, in any host. */
export function portableHash(): Hash {
  const hash = sha256.create();
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hex(hash.digest()),
  };
}
