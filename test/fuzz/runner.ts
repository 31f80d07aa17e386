import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Kind } from "./corpus.ts";
import type { Reply } from "./worker.ts";

/** Milliseconds that an input of some MiB may take, on a machine that is busy. */
const TIME_LIMIT = 20_000;
const HEAP_LIMIT = { maxOldGenerationSizeMb: 512 } as const;

/** Reads inputs in a worker, which is started again when one of them is its end. */
export class Runner {
  readonly #file: string;
  #worker: Worker | undefined;

  constructor(file: string = fileURLToPath(new URL("worker.js", import.meta.url))) {
    this.#file = file;
  }

  /** What the reader says of an input; a `fault` when it crashes, hangs, or takes too much memory. */
  async read(kind: Kind, bytes: Uint8Array): Promise<Reply> {
    const worker = (this.#worker ??= new Worker(this.#file, { resourceLimits: HEAP_LIMIT }));
    const reply = await new Promise<Reply>((resolve) => {
      const timer = setTimeout(
        () => resolve({ fault: `no answer within ${TIME_LIMIT / 1000} s` }),
        TIME_LIMIT,
      );
      const finish = (found: Reply): void => {
        clearTimeout(timer);
        resolve(found);
      };
      worker.removeAllListeners();
      worker.once("message", finish);
      worker.once("error", (error) => finish({ fault: `the thread ended: ${String(error)}` }));
      worker.once("exit", (code) => finish({ fault: `the thread ended with status ${code}` }));
      worker.postMessage({ kind, bytes });
    });
    if (reply.fault !== undefined) await this.close();
    return reply;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.removeAllListeners();
    await worker?.terminate();
  }
}
