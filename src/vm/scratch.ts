import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DiskwrightError } from "../errors.ts";
import { reasonOf, undoOnExit } from "../node/index.ts";

/**
 * Gives `use` a directory of its own in `place`, which is removed afterwards, or when the process ends before that.
 * Default: the system's place for such files.
 */
export async function withScratch<Result>(
  use: (directory: string) => Promise<Result>,
  place: string = tmpdir(),
): Promise<Result> {
  let directory: string | undefined;
  const release = undoOnExit(() => {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  });
  try {
    directory = makeDirectory(place);
    return await use(directory);
  } finally {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    release();
  }
}

/** The directory that {@link withScratch} makes, but for the end of its name. */
export function scratchStem(place: string = tmpdir()): string {
  return join(place, ".diskwright-vm-");
}

/** Writes a file of a virtual machine. */
export function writeScratch(path: string, bytes: Uint8Array): void {
  attempt(dirname(path), () => writeFileSync(path, bytes));
}

function makeDirectory(place: string): string {
  return attempt(place, () => mkdtempSync(scratchStem(place)));
}

function attempt<Result>(place: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    const reason = reasonOf(error);
    throw new DiskwrightError(
      "OUTPUT",
      `${place}: the files of a virtual machine are kept there: ${reason}; name another directory (TMPDIR)`,
      { path: place, cause: error },
    );
  }
}
