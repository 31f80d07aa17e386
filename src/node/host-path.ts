import { isUtf8 } from "node:buffer";
import { closeSync, constants, openSync } from "node:fs";

const SLASH = 0x2f;

/** Linux takes no path of 4096 bytes or more; a name may still be appended to what this lets through. */
export const LONGEST_PATH: number = 4095 - 256;

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
  return withOpened(bytes.subarray(0, cut), (opened) =>
    withReachable(joinPath(Buffer.from(opened), path.subarray(cut + 1)), use),
  );
}

/**
 * Calls `use` with a path that is text, for what takes no bytes; false when there is none. On Linux a directory
 * that is opened for it stands for a name that is not UTF-8, so only the name of a non-directory has to be.
 */
export function withTextPath(path: Buffer, isDirectory: boolean, use: (path: string) => void): boolean {
  if (isUtf8(path)) {
    use(path.toString());
    return true;
  }
  if (process.platform !== "linux") return false;
  const slash = path.lastIndexOf(SLASH);
  const name = path.subarray(slash + 1);
  if (isUtf8(name)) withOpened(path.subarray(0, slash), (opened) => use(`${opened}/${name}`));
  else if (isDirectory) withOpened(path, (opened) => use(`${opened}/.`));
  else return false;
  return true;
}

/** Calls `use` with the short path that Linux has for an open directory. */
function withOpened<Result>(path: Buffer, use: (opened: string) => Result): Result {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    return use(`/proc/self/fd/${descriptor}`);
  } finally {
    closeSync(descriptor);
  }
}
