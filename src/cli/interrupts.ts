import { constants } from "node:os";
import { observeExitWork, undoAll } from "../node/index.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type Name = (typeof SIGNALS)[number];

/** How long an interrupted run may take to end in order. */
const GRACE_MILLISECONDS = 700;

/**
 * Ends the run when a signal asks for it. Node calls handlers of signals between two turns of the event loop only, so
 * a handler would make long computation deaf. While there is nothing to undo, there is no handler, and the system ends
 * the process at any moment. While there is (an output under a temporary name, a program that was started), the
 * handler has the work stop and undo it; a second signal, or the end of the grace, undoes it at once.
 */
export class Interrupts {
  readonly #controller = new AbortController();
  readonly #handler = (name: NodeJS.Signals): void => this.#take(name as Name);
  #isHandling = false;
  #isNeeded = false;
  #received: Name | undefined;

  /** Starts to watch. There is one for the process. */
  constructor() {
    // Without a handler, the first process of a container is not ended by these signals.
    if (process.pid === 1) this.#handle();
    else observeExitWork((isNeeded) => this.#need(isNeeded));
  }

  /** Stops the work when a signal has come. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether a signal has come that ends the run. */
  get isInterrupted(): boolean {
    return this.#received !== undefined;
  }

  /**
   * Ends the process by the signal that came, as if nothing had been there to undo: a shell that runs it in a loop
   * then knows to end the loop as well.
   */
  end(): never {
    const name = this.#received ?? "SIGTERM";
    undoAll();
    for (const one of SIGNALS) process.off(one, this.#handler);
    if (process.platform !== "win32") process.kill(process.pid, name);
    // Only where the signal did not end it.
    process.exit(128 + constants.signals[name]);
  }

  #need(isNeeded: boolean): void {
    this.#isNeeded = isNeeded;
    if (isNeeded) this.#handle();
    // A signal that has come already is handled in the next turn.
    else if (this.#isHandling) setImmediate(() => this.#release());
  }

  #handle(): void {
    if (this.#isHandling) return;
    this.#isHandling = true;
    for (const name of SIGNALS) process.on(name, this.#handler);
  }

  #release(): void {
    if (this.#isNeeded || !this.#isHandling || this.isInterrupted) return;
    this.#isHandling = false;
    for (const name of SIGNALS) process.off(name, this.#handler);
  }

  #take(name: Name): void {
    if (this.#received !== undefined) this.end();
    this.#received = name;
    this.#controller.abort();
    setTimeout(() => this.end(), GRACE_MILLISECONDS).unref();
  }
}
