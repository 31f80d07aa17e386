import { type ChildProcess, spawn } from "node:child_process";
import { DiskwrightError } from "../errors.ts";
import { reasonOf, undoOnExit } from "../node/index.ts";

/** How a program ended. */
export interface ProgramResult {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why it could not be started. */
  readonly startError: Error | undefined;
  readonly isTimedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Of what a program prints, more than this is not kept, in characters. */
const MOST_OUTPUT = 64 * 1024;

/** Runs a program, and ends it when it takes longer than its limit or the caller asks to stop. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { milliseconds, signal }: { readonly milliseconds: number; readonly signal?: AbortSignal | undefined },
): Promise<ProgramResult> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const release = endWithProcess(child);
  let isTimedOut = false;
  let startError: Error | undefined;
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      printed[name] = (printed[name] + text).slice(-MOST_OUTPUT);
    });
  }
  const kill = (): void => void child.kill("SIGKILL");
  const timer = setTimeout(() => {
    isTimedOut = true;
    kill();
  }, milliseconds);
  signal?.addEventListener("abort", kill, { once: true });
  if (signal?.aborted) kill();
  try {
    return await new Promise((resolve) => {
      child.on("error", (error) => (startError = error));
      child.on("close", (code, ended) =>
        resolve({ code, signal: ended, startError, isTimedOut, ...printed }),
      );
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", kill);
    release();
  }
}

/** The error of a program that cannot be started, though it is there. */
export function startFailure(program: string, error: Error): DiskwrightError {
  return new DiskwrightError("VM_QEMU_FAILED", `${program}: cannot be started: ${reasonOf(error)}`, {
    path: program,
    cause: error,
  });
}

/** Has a child end when this process does; the function that is given back lets it be. */
export function endWithProcess(child: ChildProcess): () => void {
  return undoOnExit(() => void child.kill("SIGKILL"));
}

/** How often it is looked whether a group of processes has ended. */
const POLL_MILLISECONDS = 10;

/** A program that leads a process group, with all that it starts (unless that makes a group of its own). */
export class ProcessGroup {
  readonly #child: ChildProcess;
  readonly #isGroup: boolean;

  /** `isGroup`: whether the child was started with `detached`; otherwise only the child itself is reached. */
  constructor(child: ChildProcess, isGroup: boolean) {
    this.#child = child;
    this.#isGroup = isGroup;
  }

  /** Sends a signal to all that are left; returns whether there are any. */
  send(signal: "SIGTERM" | "SIGKILL" | 0): boolean {
    const { pid } = this.#child;
    if (pid === undefined) return false;
    if (!this.#isGroup) return this.#child.kill(signal);
    try {
      process.kill(-pid, signal);
      return true;
    } catch {
      // None is left. One that runs as another user would not be told of.
      return false;
    }
  }

  /** Asks all of them to end, waits until they have, and ends by force those that have not in time. */
  async end(graceMilliseconds: number): Promise<void> {
    const limit = performance.now() + graceMilliseconds;
    for (let isLeft = this.send("SIGTERM"); isLeft; isLeft = this.send(0)) {
      if (performance.now() >= limit) {
        this.send("SIGKILL");
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
    }
  }
}
