import { spawn } from "node:child_process";
import { DiskwrightError } from "../errors.ts";
import { endWithProcess } from "./child.ts";

/**
 * Runs a command of the host's shell, with its output on standard error, and some variables in its environment.
 *
 * @throws DiskwrightError `OUTPUT` when it does not end with the status 0; `ABORTED` when the signal ended it.
 */
export async function runHook(
  command: string,
  variables: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<void> {
  const child = spawn(command, {
    shell: true,
    stdio: ["ignore", 2, 2],
    env: { ...process.env, ...variables },
  });
  const release = endWithProcess(child);
  const abort = (): void => void child.kill("SIGTERM");
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const ended = await new Promise<string | undefined>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, killer) => resolve(code === 0 ? undefined : `status ${code ?? killer}`));
    });
    if (signal?.aborted) throw new DiskwrightError("ABORTED", "stopped on request");
    if (ended === undefined) return;
    throw new DiskwrightError(
      "OUTPUT",
      `the command that is run when the image is complete failed (${ended}); the image is there: ${command}`,
    );
  } finally {
    signal?.removeEventListener("abort", abort);
    release();
  }
}
