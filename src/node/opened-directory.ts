import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  statSync,
} from "node:fs";
import { changedSource } from "./changed.ts";
import { joinPath, withReachable } from "./host-path.ts";

/** What tells a directory from every other one. */
export type DirectoryIdentity = Pick<BigIntStats, "dev" | "ino">;

/** How a directory is opened. */
export interface OpenDirectoryOptions {
  /** Which directory it must be. Default: any. */
  readonly expected?: DirectoryIdentity | undefined;
  /** Whether the path may be a symlink to the directory. Default: it may not. */
  readonly followsLink?: boolean | undefined;
  /**
   * Reach entries by the path, where that is known to lead to the directory for as long as it takes: that is faster.
   * Default: over the open directory.
   */
  readonly byPath?: boolean | undefined;
}

/** A directory that is open. */
export interface OpenedDirectory {
  readonly status: BigIntStats;
  /** A path that leads to an entry of this directory, whatever happens to its own path meanwhile. */
  child(name: Uint8Array): Buffer;
  /** The names of its entries, in no order. */
  names(): Buffer[];
}

/**
 * Opens a directory and calls `use` with it. On Linux, entries are reached over the open directory, so that a
 * directory that is replaced by a symlink meanwhile is not followed. Node has no openat(2): /proc/self/fd stands for
 * the directory. Where there is none, entries are reached by path, and whether the path still leads to the same
 * directory is looked at before and after: a directory that is replaced and put back in between goes unnoticed.
 *
 * @throws DiskwrightError `SOURCE_CHANGED` when it is not the expected directory; what the system throws.
 */
export function withDirectory<Result>(
  path: Buffer,
  options: OpenDirectoryOptions,
  use: (directory: OpenedDirectory) => Result,
): Result {
  return withReachable(path, (reachable) =>
    process.platform === "linux" && !options.byPath
      ? withDescriptor(path, reachable, options, use)
      : withPath(path, reachable, options, use),
  );
}

function withDescriptor<Result>(
  path: Buffer,
  reachable: Buffer,
  options: OpenDirectoryOptions,
  use: (directory: OpenedDirectory) => Result,
): Result {
  const noFollow = options.followsLink ? 0 : constants.O_NOFOLLOW;
  const descriptor = openSync(reachable, constants.O_RDONLY | constants.O_DIRECTORY | noFollow);
  try {
    const status = fstatSync(descriptor, { bigint: true });
    checkIdentity(path, status, options.expected);
    const inside = `/proc/self/fd/${descriptor}`;
    if (!isNamedByProc(inside, status)) return withPath(path, reachable, options, use);
    return use({ status, ...entriesOf(Buffer.from(inside)) });
  } finally {
    closeSync(descriptor);
  }
}

let hasProc: boolean | undefined;

/** Whether /proc is mounted, and has the open files of this process. */
function isNamedByProc(inside: string, { dev, ino }: BigIntStats): boolean {
  if (hasProc === undefined) {
    const found = statSync(`${inside}/.`, { bigint: true, throwIfNoEntry: false });
    hasProc = found !== undefined && found.dev === dev && found.ino === ino;
  }
  return hasProc;
}

function withPath<Result>(
  path: Buffer,
  reachable: Buffer,
  { expected, followsLink = false }: OpenDirectoryOptions,
  use: (directory: OpenedDirectory) => Result,
): Result {
  const look = (): BigIntStats => (followsLink ? statSync : lstatSync)(reachable, { bigint: true });
  const status = look();
  checkIdentity(path, status, expected);
  if (!status.isDirectory()) throw new Error("not a directory");
  const result = use({ status, ...entriesOf(reachable) });
  checkIdentity(path, look(), status);
  return result;
}

function entriesOf(path: Buffer): Omit<OpenedDirectory, "status"> {
  return {
    child: (name) => joinPath(path, name),
    names: () => readdirSync(path, { encoding: "buffer" }),
  };
}

function checkIdentity(path: Buffer, status: BigIntStats, expected: DirectoryIdentity | undefined): void {
  if (expected === undefined) return;
  const isSame = status.isDirectory() && status.dev === expected.dev && status.ino === expected.ino;
  if (!isSame) throw changedSource(path, "it was replaced");
}
