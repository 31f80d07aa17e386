import { multiMountChecksum } from "../checksum.ts";
import type { Design } from "../design.ts";
import { MULTI_MOUNT_MAGIC, multiMount } from "../structures.ts";

// Multiple mount protection (mmp.rst): a block in which the host that has the filesystem mounted writes a
// new number every few seconds, so that no other mounts it as well.

/** Seconds between two numbers. */
export const UPDATE_INTERVAL = 5;
/** The filesystem is not mounted. */
const CLEAN = 0xff4d4d50;

/** The block of a filesystem that is not mounted. */
export function encodeMultiMountBlock(design: Design, time: number): Uint8Array {
  const bytes = new Uint8Array(design.blockSize);
  multiMount.encode(
    {
      magic: MULTI_MOUNT_MAGIC,
      sequence: CLEAN,
      time: BigInt(time),
      nodeName: new Uint8Array(0),
      deviceName: new Uint8Array(0),
      checkInterval: UPDATE_INTERVAL,
      checksum: 0,
    },
    bytes,
    0,
    "multiple mount protection",
  );
  if (design.checksums === "crc32c") {
    const at = multiMount.offsetOf("checksum");
    const checksum = multiMountChecksum(design.checksumSeed, bytes.subarray(0, at));
    new DataView(bytes.buffer).setUint32(at, checksum, true);
  }
  return bytes;
}
