import { spawn } from "node:child_process";
import { isatty } from "node:tty";
import { DiskwrightError } from "../errors.ts";
import { undoOnExit } from "../node/index.ts";
import { ProcessGroup } from "./child.ts";

/** How long a command and what it has started may take to end when they are asked to. */
const GRACE_MILLISECONDS = 500;

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
  throwIfAborted(signal);
  // On a terminal the command stays in the group that the keys for signals reach, so that it can ask for a password
  // there. Elsewhere it has a group of its own, so that all that it starts can be ended.
  const isGroup = process.platform !== "win32" && !isatty(0);
  const child = spawn(command, {
    shell: true,
    stdio: ["ignore", 2, 2],
    env: { ...process.env, ...variables },
    detached: isGroup,
  });
  const group = new ProcessGroup(child, isGroup);
  const release = undoOnExit(() => void group.send("SIGKILL"));
  let ending: Promise<void> | undefined;
  const abort = (): void => {
    ending = group.end(GRACE_MILLISECONDS);
  };
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const ended = await new Promise<string | undefined>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, killer) => resolve(code === 0 ? undefined : `status ${code ?? killer}`));
    });
    await ending;
    throwIfAborted(signal);
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

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new DiskwrightError("ABORTED", "stopped on request");
}
