import { fstatSync } from "node:fs";
import { formatBytes, printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { FileStamp } from "../extents/index.ts";
import { isSystemError } from "./host-error.ts";
import { isUnchanged } from "./stamp.ts";

/** What must have happened to a file or directory that was found before, when the system gives one of these errors. */
const CHANGES: Readonly<Record<string, string>> = {
  ENOENT: "it was removed",
  ESTALE: "it was removed",
  ENOTDIR: "it was replaced",
  EISDIR: "it was replaced",
  ELOOP: "it was replaced by a symbolic link",
  ENXIO: "it was replaced",
};

/** How something that was found before must have changed, by the error of the system; `undefined` for other errors. */
export function changeBehind(error: unknown): string | undefined {
  if (!isSystemError(error)) return undefined;
  // readlink(2) of what is no symlink.
  if (error.code === "EINVAL" && error.syscall === "readlink") return "it was replaced";
  return CHANGES[error.code ?? ""];
}

/** The error for a source that is no longer what was found before. `how` says what happened to it. */
export function changedSource(path: Uint8Array, how: string, cause?: unknown): DiskwrightError {
  const shown = printable(path);
  return new DiskwrightError("SOURCE_CHANGED", `${shown} changed after it was scanned: ${how}`, {
    path: shown,
    cause,
  });
}

/**
 * Checks that an open file is the one that was stamped, and was not changed since.
 *
 * @throws DiskwrightError `SOURCE_CHANGED` otherwise.
 */
export function checkUnchanged(descriptor: number, path: Uint8Array, stamp: FileStamp): void {
  if (isUnchanged(descriptor, stamp)) return;
  const { size } = fstatSync(descriptor);
  const how =
    size === stamp.size
      ? "it was modified or replaced"
      : `it had ${formatBytes(stamp.size)} and has ${formatBytes(size)}`;
  throw changedSource(path, how);
}
