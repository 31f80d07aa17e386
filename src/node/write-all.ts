import { writeSync } from "node:fs";
import { MIB } from "../bytes/index.ts";

/**
 * Writes all bytes at a position of a file, or where it stands (`null`): the system may take fewer of them at once.
 */
export function writeAll(descriptor: number, bytes: Uint8Array, position: number | null): void {
  for (let done = 0; done < bytes.length; ) {
    const place = position === null ? null : position + done;
    done += writeSync(descriptor, bytes, done, Math.min(bytes.length - done, mostAt(place)), place);
  }
}

/**
 * How much is written in one go: up to the middle of a mebibyte of the file, so that no call holds a whole one.
 * Linux takes memory for its page cache in pieces as large as the aligned parts of a call, and what is free in such
 * pieces is, in many virtual machines, memory that went back to the host and has to be fetched from it. On one, a
 * gibibyte took 1.2 s in calls of 2 MiB, and 0.4 s so.
 */
function mostAt(place: number | null): number {
  return place === null ? Number.POSITIVE_INFINITY : MIB - ((place + MIB / 2) % MIB);
}
