import { createHash } from "node:crypto";
import type { Hash } from "../formats/index.ts";

/** SHA-256 by Node. */
export function nativeHash(): Hash {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
}
