import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fdatasync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, isAbsolute, join, sep } from "node:path";
import { bytes as bytesKind, checkArgument } from "../arguments/index.ts";
import { formatBytes } from "../bytes/index.ts";
import { DiskwrightError, DoesNotFitError } from "../errors.ts";
import { type CancelSignal, sequentialTarget, type Target } from "../extents/index.ts";
import { fileTargetKind, hostPathKind } from "./arguments.ts";
import { isSystemError, reasonOf } from "./host-error.ts";
import { clearStale, openPending, type PendingFile } from "./pending-file.ts";
import { Reservations } from "./reserve.ts";
import { writeAll } from "./write-all.ts";

/** What {@link fileTarget} can be told. */
export interface FileTargetOptions {
  /** Write into a device that exists under the name. Without it, only regular files are replaced. */
  readonly force?: boolean | undefined;
  /** Stops the filling of a device with zeros. */
  readonly signal?: CancelSignal | undefined;
  /**
   * Wait until the file is on the disk before it takes its name. Default: when it replaces an older file, which
   * would be lost if the power failed at that moment; otherwise the system writes it in its own time, as it does
   * with what cp, tar and qemu-img write.
   */
  readonly sync?: boolean | undefined;
  /** Called with what else is to be known: files of runs that were killed are beside the output. */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

/**
 * A file of the host as target. The bytes go into a new file beside it, which takes its name once it is
 * complete: until then an older file stays as it is, and nothing is left when it fails. On ext4, the program
 * `fallocate` sets room aside for large ones, where it is installed: that saves a third of the time.
 *
 * @throws DiskwrightError `OUTPUT` when the file cannot be made, written or renamed.
 */
export function fileTarget(path: string, options: FileTargetOptions = {}): Target {
  checkArgument("path", path, hostPathKind);
  checkArgument("options", options, fileTargetKind);
  const existing = attempt(path, () => statSync(path, { throwIfNoEntry: false }));
  if (existing?.isDirectory()) throw new DiskwrightError("OUTPUT", `${path}: is a directory`, { path });
  if (existing === undefined || existing.isFile()) return replacingTarget(path, existing, options);
  const isDevice = existing.isBlockDevice() || existing.isCharacterDevice();
  if (isDevice && options.force) return deviceTarget(path, existing.isBlockDevice(), options.signal);
  const remedy = isDevice
    ? "is a device: use --force to write into it"
    : "is a pipe: write to standard output instead";
  throw new DiskwrightError("OUTPUT", `${path}: ${remedy}`, { path });
}

/**
 * Writes a whole file; an older one of its name stays until the new one is complete.
 *
 * @throws DiskwrightError `OUTPUT`, as {@link fileTarget} throws it.
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  checkArgument("bytes", bytes, bytesKind);
  const target = fileTarget(path);
  try {
    await target.begin(bytes.length);
    await target.write(0, bytes);
    await target.commit();
  } catch (error) {
    await target.abort();
    throw error;
  }
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

function replacingTarget(
  path: string,
  existing: Stats | undefined,
  { sync = existing !== undefined, onWarning }: FileTargetOptions,
): Target {
  const final = outputPlace(path);
  const directory = dirname(final);
  if (!existsSync(directory)) {
    throw new DiskwrightError("OUTPUT", `${path}: there is no directory ${directory}: make it first`, {
      path,
    });
  }
  const syncing = sync ? new Syncing() : undefined;
  let reservations: Reservations | undefined;
  let pending: PendingFile | undefined;
  let descriptor: number | undefined;

  /** Only once, even if that fails: the number may be another file's by then. */
  function close(): void {
    const open = descriptor!;
    descriptor = undefined;
    closeSync(open);
  }

  async function drop(): Promise<void> {
    if (descriptor === undefined) return;
    await reservations?.stop();
    await syncing?.settled();
    close();
    unlinkSync(pending!.path);
    pending!.release();
  }

  return {
    begin(size): void {
      attempt(path, () => {
        for (const warning of clearStale(final)) onWarning?.(warning);
        pending = openPending(final);
        descriptor = pending.descriptor;
        if (existing !== undefined) keepOwnership(descriptor, existing);
        // Truncating a file to nothing has ext4 bring it to the disk when it is closed.
        if (size > 0) ftruncateSync(descriptor, size);
      });
    },
    reserve(position, length): void {
      reservations ??= new Reservations(pending!.path);
      reservations.add(position, length);
    },
    write(position, bytes): void {
      attempt(path, () => writeAll(descriptor!, bytes, position));
      syncing?.wrote(descriptor!, bytes.length);
    },
    resize: (size) => attempt(path, () => ftruncateSync(descriptor!, size)),
    async commit(): Promise<void> {
      await syncing?.settled();
      await reservations?.stop();
      attempt(path, () => {
        // What was set aside behind the end is given back.
        if (reservations !== undefined) ftruncateSync(descriptor!, fstatSync(descriptor!).size);
      });
      if (sync) await synced(path, descriptor!);
      attempt(path, () => {
        renameSync(pending!.path, final);
        pending!.release();
        close();
        if (sync) syncDirectory(dirname(final));
      });
    },
    abort: drop,
  };
}

/** As many links as Linux follows. */
const MOST_LINKS = 40;

/**
 * Where the file of an output will be, whatever links lead to it: a link stays a link, and what it points to is
 * replaced, or made. Outputs are the same file when this is the same.
 *
 * @throws DiskwrightError `OUTPUT` when links lead nowhere.
 */
export function outputPlace(path: string): string {
  return attempt(path, () => {
    if (path.endsWith(sep)) throw new Error("is the name of a directory: name a file");
    let at = path;
    for (let followed = 0; followed <= MOST_LINKS; followed++) {
      if (!existsSync(dirname(at))) return isAbsolute(at) ? at : `${process.cwd()}${sep}${at}`;
      // Only from the real directory does ".." lead where the system takes it.
      const directory = realpathSync.native(dirname(at));
      at = join(directory, basename(at));
      if (!lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) return at;
      const leadsTo = readlinkSync(at);
      at = isAbsolute(leadsTo) ? leadsTo : `${directory}${sep}${leadsTo}`;
    }
    throw new Error(`more than ${MOST_LINKS} links lead from it, or they lead in a circle`);
  });
}

/** Gives the new file the mode and, where that is allowed, the owner of the one that it replaces. */
function keepOwnership(descriptor: number, { mode, uid, gid }: Stats): void {
  try {
    fchownSync(descriptor, uid, gid);
  } catch (error) {
    // Only root may give files away; the new file then belongs to whoever made it.
    if (!isSystemError(error) || error.code !== "EPERM") throw error;
  }
  fchmodSync(descriptor, mode & 0o777);
}

/** A device cannot be replaced as a whole: everything is written into it in order, zeros included. */
function deviceTarget(path: string, isBlockDevice: boolean, signal: CancelSignal | undefined): Target {
  const descriptor = attempt(path, () => openSync(path, "r+"));
  let isOpen = true;
  const target = sequentialTarget((bytes) => attempt(path, () => writeAll(descriptor, bytes, null)), signal);
  function close(): void {
    if (!isOpen) return;
    isOpen = false;
    closeSync(descriptor);
  }
  return {
    ...target,
    begin(size): void {
      if (isBlockDevice && size > 0) checkCapacity(path, descriptor, size);
      return void target.begin(size);
    },
    async commit(): Promise<void> {
      await target.commit();
      attempt(path, () => {
        syncIfPossible(descriptor);
        close();
      });
    },
    // What it held is gone.
    abort: close,
  };
}

/** Finds out before the first byte whether a device is too small: its old content would be lost for nothing. */
function checkCapacity(path: string, descriptor: number, size: number): void {
  const holds = (position: number): boolean =>
    attempt(path, () => readSync(descriptor, new Uint8Array(1), 0, 1, position)) === 1;
  if (holds(size - 1)) return;
  let capacity = 0;
  let beyond = size - 1;
  while (beyond - capacity > 1) {
    const middle = Math.floor((capacity + beyond) / 2);
    if (holds(middle)) capacity = middle;
    else beyond = middle;
  }
  const missing = size - beyond;
  throw new DoesNotFitError(
    `${path}: the device has ${formatBytes(beyond)}, the image ${formatBytes(size)}: ${formatBytes(missing)} are missing`,
    missing,
    { path },
  );
}

/** Waits until a file is on the disk, which can take long, with a free event loop. */
function synced(path: string, descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fsync(descriptor, (error) => {
      if (error === null) resolve();
      else reject(outputError(path, error));
    });
  });
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
    throw outputError(path, error);
  }
}

function outputError(path: string, error: unknown): DiskwrightError {
  return new DiskwrightError("OUTPUT", `${path}: ${reasonOf(error)}`, { path, cause: error });
}
