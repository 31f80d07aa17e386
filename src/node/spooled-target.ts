import { closeSync, ftruncateSync, readSync } from "node:fs";
import { DiskwrightError } from "../errors.ts";
import type { Awaitable, Target } from "../extents/index.ts";
import { reasonOf } from "./host-error.ts";
import { openUnnamed } from "./unnamed-file.ts";
import { writeAll } from "./write-all.ts";

const CHUNK = 256 * 1024;

/**
 * A target for a pipe that takes bytes in any order: they are kept in a file without a name in `directory`, and
 * handed to `write` in order when all are there.
 */
export function spooledTarget(directory: string, write: (bytes: Uint8Array) => Awaitable<void>): Target {
  let descriptor: number | undefined;
  let size = 0;

  function attempt<Result>(action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      throw new DiskwrightError(
        "OUTPUT",
        `${directory}: what cannot be written in order is kept there: ${reasonOf(error)}; name a directory with room (--spool), or write to a file`,
        { path: directory, cause: error },
      );
    }
  }

  function close(): void {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = undefined;
  }

  return {
    begin(total): void {
      size = total;
      descriptor = attempt(() => openUnnamed(directory).descriptor);
    },
    write(position, bytes): void {
      attempt(() => writeAll(descriptor!, bytes, position));
    },
    resize(total): void {
      size = total;
      attempt(() => ftruncateSync(descriptor!, total));
    },
    async commit(): Promise<void> {
      const chunk = new Uint8Array(CHUNK);
      for (let sent = 0; sent < size; ) {
        const count = attempt(() => readSync(descriptor!, chunk, 0, Math.min(CHUNK, size - sent), sent));
        await write(chunk.subarray(0, count));
        sent += count;
      }
      close();
    },
    abort: close,
  };
}
