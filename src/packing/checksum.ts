import type { XXHashAPI } from "xxhash-wasm";
import { crc32 } from "../bytes/index.ts";
import type { Checksum, Packing } from "./packing.ts";

/** The checksum that a way of packing asks for, of what a unit holds; `undefined` where it asks for none. */
export async function checksumOf(
  packing: Packing,
  hostCrc32: Checksum = crc32,
): Promise<Checksum | undefined> {
  if (packing.type === "deflate-part") return hostCrc32;
  if (packing.type !== "zstd" || !packing.isChecked) return undefined;
  const { h64Raw } = await xxhash();
  return (bytes) => zstdChecksum(h64Raw(bytes));
}

let ready: Promise<XXHashAPI> | undefined;

/** XXH64 and its relatives, by a package. */
export function xxhash(): Promise<XXHashAPI> {
  ready ??= import("xxhash-wasm").then(({ default: load }) => load());
  return ready;
}

/** What of an XXH64 stands behind a frame of zstd: its lower half (RFC 8878 §3.1.1, Content_Checksum). */
export function zstdChecksum(hash: bigint): number {
  return Number(hash & 0xffffffffn);
}
