import { type BigIntStats, fstatSync } from "node:fs";
import type { FileStamp } from "../extents/index.ts";

const NANOSECONDS = 1_000_000_000n;

/** The time of last change as whole seconds since 1970, and nanoseconds after them. */
export function modifiedAt({ mtimeNs }: BigIntStats): { seconds: number; nanoseconds: number } {
  // BigInt division rounds towards zero, times before 1970 towards the past.
  const seconds = mtimeNs >= 0n ? mtimeNs / NANOSECONDS : (mtimeNs - NANOSECONDS + 1n) / NANOSECONDS;
  return { seconds: Number(seconds), nanoseconds: Number(mtimeNs - seconds * NANOSECONDS) };
}

/**
 * What a scan saw of a file: what is planned is what is written only while this is the same. The time of the last
 * status change is left out: a new hard link elsewhere changes it, and nothing that is stored.
 */
export function stampOf(status: BigIntStats): FileStamp {
  const { seconds, nanoseconds } = modifiedAt(status);
  return {
    device: status.dev,
    inode: status.ino,
    size: Number(status.size),
    mtimeSeconds: seconds,
    mtimeNanoseconds: nanoseconds,
  };
}

/** Whether an open file is the regular file that was stamped, and was not changed since. */
export function isUnchanged(descriptor: number, stamp: FileStamp): boolean {
  // A status of plain numbers is made faster than an exact one. Equal numbers are enough to accept the usual file.
  const { dev, ino, size, mtimeMs, mode } = fstatSync(descriptor);
  const modified = stamp.mtimeSeconds * 1000 + stamp.mtimeNanoseconds / 1e6;
  const looksEqual =
    ino === Number(stamp.inode) &&
    dev === Number(stamp.device) &&
    size === stamp.size &&
    mtimeMs === modified &&
    (mode & TYPE_MASK) === REGULAR;
  if (looksEqual && ino <= Number.MAX_SAFE_INTEGER) return true;
  const exact = fstatSync(descriptor, { bigint: true });
  return exact.isFile() && isSame(stampOf(exact), stamp);
}

const TYPE_MASK = 0o170000;
const REGULAR = 0o100000;

/** Whether two looks saw the same file in the same state. */
function isSame(one: FileStamp, other: FileStamp): boolean {
  return (
    one.inode === other.inode &&
    one.device === other.device &&
    one.size === other.size &&
    one.mtimeSeconds === other.mtimeSeconds &&
    one.mtimeNanoseconds === other.mtimeNanoseconds
  );
}
