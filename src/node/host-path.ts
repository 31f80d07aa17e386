import { closeSync, constants, openSync } from "node:fs";

const SLASH = 0x2f;

/** Linux takes no path of 4096 bytes or more; a name may still be appended to what this lets through. */
const LONGEST_PATH = 4095 - 256;

/** A path of the host with a name, or several joined by slashes, appended. Bytes all the way. */
export function joinPath(directory: Uint8Array, name: Uint8Array): Buffer {
  const isSlashed = directory[directory.length - 1] === SLASH;
  const start = directory.length + (isSlashed ? 0 : 1);
  const path = Buffer.allocUnsafe(start + name.length);
  path.set(directory);
  path[start - 1] = SLASH;
  path.set(name, start);
  return path;
}

/**
 * Calls `use` with a path that the system accepts for `path`. One that is too long is reached in steps, over
 * directories that are opened for it and named by their descriptor; that needs Linux.
 */
export function withReachable<Result>(path: Uint8Array, use: (path: Buffer) => Result): Result {
  // Node takes any Uint8Array for a path; its types know only of Buffer.
  const bytes = path as Buffer;
  if (path.length <= LONGEST_PATH || process.platform !== "linux") return use(bytes);
  const cut = path.lastIndexOf(SLASH, LONGEST_PATH);
  if (cut <= 0) return use(bytes);
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const descriptor = openSync(path.subarray(0, cut) as Buffer, flags);
  try {
    return withReachable(joinPath(Buffer.from(`/proc/self/fd/${descriptor}`), path.subarray(cut + 1)), use);
  } finally {
    closeSync(descriptor);
  }
}
