import { DiskwrightError } from "../errors.ts";
import { sequentialTarget, type Target } from "../extents/index.ts";
import { fileTarget } from "../node/index.ts";

/** The target that `-o` names. */
export function outputTarget(path: string, force: boolean): Target {
  return path === "-" ? sequentialTarget(writeToStandardOutput) : fileTarget(path, { force });
}

/** Waits until the reader of a pipe has taken the bytes: they are reused afterwards. */
function writeToStandardOutput(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => {
      if (error) reject(new DiskwrightError("OUTPUT", `standard output: ${error.message}`, { cause: error }));
      else resolve();
    });
  });
}

/** Writes a value as JSON to standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
