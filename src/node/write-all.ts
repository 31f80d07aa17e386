import { writeSync } from "node:fs";

/**
 * Writes all bytes at a position of a file, or where it stands (`null`): the system may take fewer of them at once.
 */
export function writeAll(descriptor: number, bytes: Uint8Array, position: number | null): void {
  for (let done = 0; done < bytes.length; ) {
    const place = position === null ? null : position + done;
    done += writeSync(descriptor, bytes, done, bytes.length - done, place);
  }
}
