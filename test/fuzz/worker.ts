import { parentPort } from "node:worker_threads";
import type { Kind } from "./corpus.ts";
import { readAll } from "./read-all.ts";

// Reads inputs in a thread of its own, which can be ended when one takes too long or too much memory.

/** What is sent to the worker. */
export interface Question {
  readonly kind: Kind;
  readonly bytes: Uint8Array;
}

/** What it answers. `fault` is an error that is not the reader's. */
export interface Reply {
  readonly complaints?: readonly string[];
  readonly fault?: string;
}

parentPort?.on("message", async ({ kind, bytes }: Question) => {
  let reply: Reply;
  try {
    reply = await readAll(kind, bytes);
  } catch (error) {
    reply = { fault: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  parentPort?.postMessage(reply);
});
