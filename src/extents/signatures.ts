import type { ByteRange } from "./extent.ts";
import { united } from "./ranges.ts";

const LENGTH = 1024 * 1024;

/**
 * Where the signatures of filesystems, RAID and volume managers lie in a disk or partition of `size` bytes: its first
 * and its last mebibyte. Free bytes count as zeros there, as a signature that an older system left would be found
 * beside the new content, or in place of none: libblkid then calls the device ambivalent, or mounts what was there
 * before.
 */
export function signatureAreas(size: number): readonly ByteRange[] {
  const length = Math.min(LENGTH, size);
  return united([
    { position: 0, length },
    { position: size - length, length },
  ]);
}
