import { closeSync, openSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { undoOnExit } from "./exit-work.ts";
import { isSystemError } from "./host-error.ts";

/** How many names are tried for the file. */
const MOST_NAMES = 1000;

/**
 * Opens a new file, to be written and read, that has no name as soon as it is open, so that nothing of it is
 * left whatever happens; where a system does not allow that, it is removed when the process ends. `path` is
 * the name that it had.
 */
export function openUnnamed(directory: string): { readonly descriptor: number; readonly path: string } {
  for (let number = 0; ; number++) {
    const path = join(directory, `.diskwright.${process.pid}-${number}.spool`);
    let descriptor: number;
    let isNamed = false;
    // Between the two calls, too, a signal leaves nothing behind.
    const release = undoOnExit(() => {
      if (!isNamed) return;
      // Windows removes no file that is open.
      closeQuietly(descriptor);
      unlinkSync(path);
    });
    try {
      descriptor = openSync(path, "wx+", 0o600);
      isNamed = true;
    } catch (error) {
      release();
      if (!isSystemError(error) || error.code !== "EEXIST" || number >= MOST_NAMES) throw error;
      continue;
    }
    try {
      unlinkSync(path);
      release();
    } catch {
      // It is removed at the end.
    }
    return { descriptor, path };
  }
}

/** It may be closed already. */
function closeQuietly(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch (error) {
    if (!isSystemError(error) || error.code !== "EBADF") throw error;
  }
}
