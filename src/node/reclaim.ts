import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

// V8 does not count the memory of buffers as part of its heap: it leaves some 30 MiB of those that nobody needs any
// more lie about in each thread before it looks whether they are in use.

/** `ArrayBuffer.prototype.transfer` of ECMAScript 2024, which leaves nothing behind. Node has it from version 22 on. */
const { transfer } = ArrayBuffer.prototype as { transfer?: (length: number) => unknown };

/** Gives the memory of a buffer back at once, where that can be. Nobody may use it afterwards. */
export const giveBack: ((buffer: ArrayBufferLike) => void) | undefined =
  transfer && ((buffer) => void transfer.call(buffer, 0));

/** What is worked on between two collections, in bytes. */
const BETWEEN_COLLECTIONS = 1024 * 1024;

/**
 * Collects the young garbage of this thread as it arises: what is returned is told of each piece of work, how many
 * bytes it had. One collection takes a fraction of a millisecond.
 */
export function youngGarbageCollector(): (worked: number) => void {
  // There is no other way to ask V8 for it. The flag is one of the whole process, and stays: one thread would take it
  // from another that is just starting.
  setFlagsFromString("--expose-gc");
  const collect: ((options: { readonly type: "minor" }) => void) | undefined =
    runInNewContext("globalThis.gc");
  let uncollected = 0;
  return (worked) => {
    uncollected += worked;
    if (uncollected < BETWEEN_COLLECTIONS) return;
    uncollected = 0;
    collect?.({ type: "minor" });
  };
}
