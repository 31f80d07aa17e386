import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { formatBytes, printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { ContentReader, FileContent } from "../extents/index.ts";
import { reasonOf } from "./host-error.ts";
import { withReachable } from "./host-path.ts";
import { stampOf } from "./stamp.ts";

/**
 * Reads files of the host, one open at a time: an image takes each file once, from start to end. Reading is
 * synchronous on purpose: into a reused buffer it is some forty times cheaper than with promises.
 */
export class FileReader implements ContentReader {
  #descriptor: number | undefined;
  #open: FileContent | undefined;

  read(content: FileContent, offset: number, into: Uint8Array): number {
    if (this.#open !== content) {
      this.verify();
      this.#openFile(content);
    }
    let count: number;
    try {
      count = readSync(this.#descriptor!, into, 0, into.length, offset);
    } catch (error) {
      throw unreadable(content, error);
    }
    // What ended early was changed; how is more telling than where.
    if (count === 0) this.verify();
    return count;
  }

  /** One look when all is read: it sees what happened before the file was opened and while it was read. */
  verify(): void {
    if (this.#descriptor === undefined || this.#open === undefined) return;
    const { path: bytes, size, stamp } = this.#open;
    const status = fstatSync(this.#descriptor, { bigint: true });
    if (stampOf(status) === stamp && status.isFile()) return;
    const path = printable(bytes);
    const now = Number(status.size);
    const difference =
      now === size
        ? "it was modified or replaced"
        : `it had ${formatBytes(size)} and has ${formatBytes(now)}`;
    throw new DiskwrightError("SOURCE_CHANGED", `${path} changed after it was scanned: ${difference}`, {
      path,
    });
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#open = undefined;
  }

  #openFile(content: FileContent): void {
    this.close();
    // Without O_NONBLOCK, a file that was replaced by a fifo would be waited for without end.
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    try {
      this.#descriptor = withReachable(content.path, (path) => openSync(path, flags));
    } catch (error) {
      throw unreadable(content, error);
    }
    this.#open = content;
  }
}

function unreadable(content: FileContent, error: unknown): DiskwrightError {
  const path = printable(content.path);
  return new DiskwrightError("SOURCE_UNREADABLE", `${path}: ${reasonOf(error)}`, { path, cause: error });
}
