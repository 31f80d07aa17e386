import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskwrightError } from "../errors.ts";
import { reasonOf } from "../node/index.ts";

/** Gives `use` a directory of its own, which is removed afterwards, or when the process ends before that. */
export async function withScratch<Result>(use: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = makeDirectory();
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    return await use(directory);
  } finally {
    process.off("exit", remove);
    await rm(directory, { recursive: true, force: true });
  }
}

/** The directory that {@link withScratch} makes, but for the end of its name. */
export function scratchStem(): string {
  return join(tmpdir(), "diskwright-vm-");
}

/** Writes a file of a virtual machine. */
export function writeScratch(path: string, bytes: Uint8Array): void {
  attempt(() => writeFileSync(path, bytes));
}

function makeDirectory(): string {
  return attempt(() => mkdtempSync(scratchStem()));
}

function attempt<Result>(action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    const reason = reasonOf(error);
    throw new DiskwrightError(
      "OUTPUT",
      `${tmpdir()}: the files of a virtual machine are kept there: ${reason}; name another directory (TMPDIR)`,
      { path: tmpdir(), cause: error },
    );
  }
}
