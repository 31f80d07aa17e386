import type { HashFactory } from "../formats/index.ts";

/** SHA-256 by Node. */
export async function nativeHash(): Promise<HashFactory> {
  const { createHash } = await import("node:crypto");
  return () => {
    const hash = createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
  };
}
