import { closeSync, constants, openSync, readSync } from "node:fs";
import { printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { ContentReader, FileContent } from "../extents/index.ts";
import { changeBehind, changedSource, checkUnchanged } from "./changed.ts";
import { reasonOf } from "./host-error.ts";
import { withReachable } from "./host-path.ts";

/**
 * Reads files of the host, one open at a time: an image takes each file once, from start to end. Reading is
 * synchronous on purpose: into a reused buffer it is some forty times cheaper than with promises.
 */
export class FileReader implements ContentReader {
  #descriptor: number | undefined;
  #open: FileContent | undefined;
  /** Which stored part was read last, and where in the file it starts. */
  #part = 0;
  #partStart = 0;
  /** Whether nothing was read since the file was found to be the one that was scanned. */
  #isVerified = false;
  /** Whether anything was read since the file was opened. */
  #isRead = false;

  read(content: FileContent, offset: number, into: Uint8Array): number {
    // Where nothing is stored there may be no file either.
    if (content.stored?.length === 0) return zeros(into, content.size - offset);
    if (this.#open !== content) this.#switchTo(content);
    const count =
      content.stored === undefined
        ? this.#readAt((content.start ?? 0) + offset, this.#clipped(content, offset, into))
        : this.#readStored(content, content.stored, offset, into);
    // What ended early was changed; how is more telling than where. And nothing of another file is passed on: not the
    // first bytes of it either.
    if (count === 0 || !this.#isRead) {
      this.#isRead = true;
      this.verify();
      this.#isVerified = offset + count >= content.size;
    } else this.#isVerified = false;
    return count;
  }

  /** A look when all is read sees what happened before the file was opened and while it was read. */
  verify(): void {
    if (this.#descriptor === undefined || this.#open?.stamp === undefined || this.#isVerified) return;
    checkUnchanged(this.#descriptor, this.#open.path, this.#open.stamp);
  }

  close(): void {
    // What was open before is left to whoever opened it.
    if (this.#descriptor !== undefined && this.#open?.descriptor === undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#open = undefined;
  }

  #switchTo(content: FileContent): void {
    this.#part = 0;
    this.#partStart = content.start ?? 0;
    // An archive holds many files: it is opened, and looked at, once.
    const isSameFile =
      this.#open !== undefined &&
      this.#open.path === content.path &&
      this.#open.descriptor === content.descriptor &&
      this.#open.stamp === content.stamp;
    if (!isSameFile) {
      this.verify();
      this.close();
      this.#descriptor = content.descriptor ?? openFile(content);
      this.#isRead = false;
      this.#isVerified = false;
    }
    this.#open = content;
  }

  /** A part of a file ends where it ends, however long the file is. */
  #clipped({ start, size }: FileContent, offset: number, into: Uint8Array): Uint8Array {
    return start === undefined || into.length <= size - offset ? into : into.subarray(0, size - offset);
  }

  #readStored(
    content: FileContent,
    stored: NonNullable<FileContent["stored"]>,
    offset: number,
    into: Uint8Array,
  ): number {
    if (this.#part > 0 && offset < stored[this.#part - 1]!.offset + stored[this.#part - 1]!.length) {
      this.#part = 0;
      this.#partStart = content.start ?? 0;
    }
    for (; this.#part < stored.length; this.#part++) {
      const { offset: from, length } = stored[this.#part]!;
      if (offset < from + length) break;
      this.#partStart += length;
    }
    const part = stored[this.#part];
    if (part === undefined || offset < part.offset) {
      return zeros(into, (part?.offset ?? content.size) - offset);
    }
    const within = offset - part.offset;
    const room = Math.min(into.length, part.length - within);
    return this.#readAt(this.#partStart + within, into.subarray(0, room));
  }

  #readAt(position: number, into: Uint8Array): number {
    if (into.length === 0) return 0;
    try {
      return readSync(this.#descriptor!, into, 0, into.length, position);
    } catch (error) {
      // A file that was replaced by a fifo or a directory cannot be read either.
      this.#isVerified = false;
      this.verify();
      throw unreadable(this.#open!, error);
    }
  }
}

/** Fills what is not stored. */
function zeros(into: Uint8Array, length: number): number {
  const count = Math.min(into.length, length);
  into.fill(0, 0, count);
  return count;
}

function openFile(content: FileContent): number {
  // Without O_NONBLOCK, a file that was replaced by a fifo would be waited for without end.
  // A link to an archive was followed when it was read first; that it leads to the same file is checked.
  const follow = content.start === undefined ? (constants.O_NOFOLLOW ?? 0) : 0;
  const flags = constants.O_RDONLY | follow | (constants.O_NONBLOCK ?? 0);
  try {
    return withReachable(content.path, (path) => openSync(path, flags));
  } catch (error) {
    throw unreadable(content, error);
  }
}

function unreadable(content: FileContent, error: unknown): DiskwrightError {
  const change = content.stamp === undefined ? undefined : changeBehind(error);
  if (change !== undefined) return changedSource(content.path, change, error);
  const path = printable(content.path);
  return new DiskwrightError("SOURCE_UNREADABLE", `${path}: ${reasonOf(error)}`, { path, cause: error });
}
