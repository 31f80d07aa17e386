import { DiskwrightError } from "../errors.ts";

/** The part of AbortSignal that is used, so that the core needs no host types. */
export interface CancelSignal {
  readonly aborted: boolean;
}

/** A timer takes a millisecond or more each time, so it is only for hosts without `setImmediate`, such as browsers. */
const { setImmediate: soon = setTimeout } = globalThis as {
  readonly setImmediate?: (callback: () => void) => unknown;
};

/**
 * Gives the event loop a turn, in which whoever wants to stop the work can say so.
 *
 * @throws DiskwrightError `ABORTED` when somebody does.
 */
export async function eventLoopTurn(signal: CancelSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => void soon(resolve));
  if (signal?.aborted) throw new DiskwrightError("ABORTED", "stopped on request");
}
