import { CommanderError, InvalidArgumentError } from "commander";
import { DiskwrightError, type ErrorCode } from "../errors.ts";
import { writeText } from "./streams.ts";
import { clearLine, paint } from "./talk.ts";

/** The exit statuses of the command line. A run that is interrupted ends by the signal itself. */
export const EXIT = { done: 0, failed: 1, wrongUse: 2, doesNotFit: 3 } as const;

/** Options that contradict each other. */
export class UsageError extends Error {}

const STATUS_OF: Partial<Record<ErrorCode, number>> = {
  INVALID_SPEC: EXIT.wrongUse,
  INVALID_FILESYSTEM: EXIT.wrongUse,
  DOES_NOT_FIT: EXIT.doesNotFit,
};

/** Tells the user what went wrong, and returns the exit status for it. No stack trace is shown. */
export function report(error: unknown): number {
  // commander has said what it has to say.
  if (error instanceof CommanderError && !(error instanceof InvalidArgumentError)) {
    return error.exitCode === 0 ? EXIT.done : EXIT.wrongUse;
  }
  const message = error instanceof Error ? error.message : String(error);
  const isExpected =
    error instanceof DiskwrightError || error instanceof UsageError || error instanceof InvalidArgumentError;
  clearLine();
  writeText(message, `${paint("31", isExpected ? "error:" : "internal error:")} `);
  if (!isExpected) {
    writeText("This is a mistake in diskwright; DISKWRIGHT_DEBUG=1 shows where.");
    if (process.env.DISKWRIGHT_DEBUG && error instanceof Error) writeText(error.stack ?? "");
  }
  if (error instanceof DiskwrightError) return STATUS_OF[error.code] ?? EXIT.failed;
  return isExpected ? EXIT.wrongUse : EXIT.failed;
}
