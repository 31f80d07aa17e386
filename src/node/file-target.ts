import {
  closeSync,
  fdatasync,
  fsyncSync,
  ftruncateSync,
  openSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { DiskwrightError } from "../errors.ts";
import { sequentialTarget, type Target } from "../extents/index.ts";
import { isSystemError, reasonOf } from "./host-error.ts";

/** What {@link fileTarget} can be told. */
export interface FileTargetOptions {
  /** Write into a device or pipe that exists under the name. Without it, only regular files are replaced. */
  readonly force?: boolean | undefined;
}

/**
 * A file of the host as target. The bytes go into a new file beside it, which takes its name once it is
 * complete and on the disk: until then an older file stays as it is, and nothing is left when it fails.
 *
 * @throws DiskwrightError `OUTPUT` when the file cannot be made, written or renamed.
 */
export function fileTarget(path: string, options: FileTargetOptions = {}): Target {
  const existing = attempt(path, () => statSync(path, { throwIfNoEntry: false }));
  if (existing?.isDirectory()) throw new DiskwrightError("OUTPUT", `${path}: is a directory`, { path });
  if (existing === undefined || existing.isFile()) return replacingTarget(path, existing);
  if (options.force) return deviceTarget(path);
  throw new DiskwrightError("OUTPUT", `${path}: is not a regular file: use --force to write into it`, {
    path,
  });
}

/** How much is written between two times that the system is asked to bring it to the disk. */
const BYTES_BETWEEN_SYNCS = 16 * 1024 * 1024;

/**
 * Brings what is written to the disk while more is being written, so that little is left to wait for at the
 * end. Failures are left to the last, synchronous one.
 */
class Syncing {
  #unsynced = 0;
  #running: Promise<void> | undefined;

  wrote(descriptor: number, bytes: number): void {
    this.#unsynced += bytes;
    if (this.#unsynced < BYTES_BETWEEN_SYNCS || this.#running !== undefined) return;
    this.#unsynced = 0;
    this.#running = new Promise((resolve) => {
      fdatasync(descriptor, () => {
        this.#running = undefined;
        resolve();
      });
    });
  }

  /** Waits for the one that is under way: its descriptor must not be closed before. */
  async settled(): Promise<void> {
    await this.#running;
  }
}

function replacingTarget(path: string, existing: Stats | undefined): Target {
  // A link stays a link: what it points to is replaced.
  const final = existing === undefined ? path : attempt(path, () => realpathSync(path));
  const pending = join(dirname(final), `.${basename(final).slice(0, 200)}.${process.pid}.partial`);
  const syncing = new Syncing();
  let descriptor: number | undefined;

  async function drop(): Promise<void> {
    if (descriptor === undefined) return;
    await syncing.settled();
    closeSync(descriptor);
    descriptor = undefined;
    unlinkSync(pending);
  }

  return {
    begin(size): void {
      attempt(path, () => {
        descriptor = openSync(pending, "wx", existing === undefined ? 0o666 : existing.mode & 0o777);
        ftruncateSync(descriptor, size);
      });
    },
    write(position, bytes): void {
      attempt(path, () => writeAll(descriptor!, bytes, position));
      syncing.wrote(descriptor!, bytes.length);
    },
    async commit(): Promise<void> {
      await syncing.settled();
      attempt(path, () => {
        fsyncSync(descriptor!);
        renameSync(pending, final);
        closeSync(descriptor!);
        descriptor = undefined;
        syncDirectory(dirname(final));
      });
    },
    abort: drop,
  };
}

/** A device cannot be replaced as a whole: everything is written into it in order, zeros included. */
function deviceTarget(path: string): Target {
  const descriptor = attempt(path, () => openSync(path, "r+"));
  const target = sequentialTarget((bytes) => attempt(path, () => writeAll(descriptor, bytes, null)));
  return {
    ...target,
    async commit(): Promise<void> {
      await target.commit();
      attempt(path, () => {
        syncIfPossible(descriptor);
        closeSync(descriptor);
      });
    },
    abort: () => closeSync(descriptor),
  };
}

function writeAll(descriptor: number, bytes: Uint8Array, position: number | null): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(
      descriptor,
      bytes,
      done,
      bytes.length - done,
      position === null ? null : position + done,
    );
  }
}

/** Pipes and some devices have nothing to sync. */
function syncIfPossible(descriptor: number): void {
  try {
    fsyncSync(descriptor);
  } catch (error) {
    if (!isSystemError(error) || (error.code !== "EINVAL" && error.code !== "ENOTSUP")) throw error;
  }
}

/** Makes a rename last. Windows has no descriptors of directories, and needs none. */
function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(path, "r");
  try {
    syncIfPossible(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function attempt<Result>(path: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw new DiskwrightError("OUTPUT", `${path}: ${reasonOf(error)}`, { path, cause: error });
  }
}
