import { inflateSync } from "node:zlib";
import type { Disk } from "../../src/container/index.ts";
import type { ByteSource, Target } from "../../src/extents/index.ts";
import { portablePacker } from "../../src/packing/index.ts";
import { openVmdk, planVmdk, vmdkStreamLayout } from "../../src/vmdk/index.ts";
import { packedContainer, type TestDisk } from "./containers.ts";

export function inflate(bytes: Uint8Array, size: number): Uint8Array {
  return inflateSync(bytes, { maxOutputLength: size });
}

export function open(file: ByteSource): Promise<Disk | undefined> {
  return openVmdk(file, { inflate });
}

/** The streamOptimized VMDK of a disk. */
export async function streamContainer(
  disk: TestDisk,
  into?: Target & { readonly bytes: Uint8Array },
  isKnown = true,
): Promise<Uint8Array> {
  const packer = await portablePacker({ type: "zlib", level: 6 });
  return packedContainer(vmdkStreamLayout(planVmdk({ size: disk.size })), packer, disk, into, isKnown);
}

/** Bytes that do not compress, the same ones each time. */
export function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
