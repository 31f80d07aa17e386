import { DiskwrightError } from "../errors.ts";
import { sequentialTarget, type Target } from "../extents/index.ts";
import { fileTarget } from "../node/index.ts";
import { UsageError } from "./exit.ts";

/** The target that `-o` names. */
export function outputTarget(path: string, force: boolean, signal: AbortSignal): Target {
  if (path === "") throw new UsageError("the output has an empty name");
  return path === "-" ? sequentialTarget(writeToStandardOutput, signal) : fileTarget(path, { force, signal });
}

/** Waits until the reader of a pipe has taken the bytes: they are reused afterwards. */
function writeToStandardOutput(bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => {
      if (error) reject(new DiskwrightError("OUTPUT", `standard output: ${error.message}`, { cause: error }));
      else resolve();
    });
  });
}

/** Writes a value as JSON to standard output. */
export async function printJson(value: unknown): Promise<void> {
  await print(JSON.stringify(value, null, 2));
}

/** Writes lines to standard output, and fails when they do not arrive. */
export async function print(text: string): Promise<void> {
  await writeToStandardOutput(`${text}\n`);
}
