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

/** Where a call ends, behind each mebibyte of the file: see {@link mostAt}. */
const BEHIND_MEBIBYTE = 32 * 1024;

/**
 * How much is written in one go: up to a little behind the next mebibyte of the file, so that no call holds a whole
 * one. Linux takes memory for its page cache in pieces as large as the aligned parts of a call. What is free in
 * pieces of 2 MiB is, in many virtual machines, memory that went back to the host and has to be fetched from it
 * again, which takes up to ten times as long as the writing itself. Calls that end so ask for pieces of many sizes,
 * none over 512 KiB, and one of 32 KiB, which each processor keeps for itself when it is free again: what is around it
 * is not joined and given away, and the next file finds it. Measured: see CONTRIBUTING.md.
 */
function mostAt(place: number | null): number {
  return place === null ? Number.POSITIVE_INFINITY : MIB - ((place + MIB - BEHIND_MEBIBYTE) % MIB);
}
