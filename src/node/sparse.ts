import { type BigIntStats, closeSync, constants, openSync, readSync } from "node:fs";
import { DiskwrightError } from "../errors.ts";
import type { FileStamp } from "../extents/index.ts";
import type { DataRange } from "../tree/index.ts";
import { checkUnchanged } from "./changed.ts";
import { withReachable } from "./host-path.ts";
import { DataFinder } from "./zero-blocks.ts";

/** What is looked at in one go. */
export const WINDOW: number = 256 * 1024;
/** What reads past the page cache are multiples of. */
const BLOCK = 4096;

/** How much is read between two turns of the event loop. A multiple of the window. */
const BYTES_BETWEEN_TURNS = 256 * 1024 * 1024;

/** Whether a file has fewer blocks than its size needs, so that parts of it must be holes (or compressed). */
export function maybeSparse(status: BigIntStats): boolean {
  return status.blocks !== undefined && status.blocks * 512n < status.size;
}

/**
 * The parts of a sparse file that hold data, in whole blocks of 4 KiB; `undefined` when all of it does. Node
 * offers no way to ask the system where the holes are, so the file is read; files that are not sparse are
 * not, and zeros that were written there stay data. That a file has no blocks at all proves nothing: files
 * of /sys and of some FUSE filesystems have none, and content all the same.
 *
 * `turn` is called, and waited for, every few dozen milliseconds.
 *
 * @throws DiskwrightError `SOURCE_CHANGED` when the file is not the one that was stamped.
 */
export async function dataRanges(
  path: Buffer,
  stamp: FileStamp,
  turn: () => Promise<void>,
): Promise<readonly DataRange[] | undefined> {
  const { size } = stamp;
  const finder = new DataFinder(size);
  const file = new ScannedFile(path, stamp);
  try {
    for (let offset = 0; offset < size; ) {
      const found = file.read(offset, Math.min(WINDOW, size - offset));
      if (found.length === 0) break;
      finder.see(offset, found);
      offset += found.length;
      if (offset % BYTES_BETWEEN_TURNS === 0) await turn();
    }
    file.verify();
  } finally {
    file.close();
  }
  return finder.ranges();
}

/** Memory of which some block-aligned part is large enough for a window. */
const memory = new Uint8Array(WINDOW + BLOCK);

/** Where in {@link memory} reads past the page cache can go, as far as that is known. */
let alignedAt = 0;

/** Addresses of memory are at least so round. */
const ADDRESS_STEP = 16;

/**
 * A file that is read from start to end. Through the page cache a hole costs as much as data: every page of
 * it is made and cleared. Past the cache (O_DIRECT, on Linux) it is some thirty times cheaper; that wants
 * memory at an aligned address, which JavaScript does not tell but which can be found by trying.
 */
export class ScannedFile {
  readonly #path: Buffer;
  readonly #stamp: FileStamp;
  #descriptor: number;
  #isDirect: boolean;

  constructor(path: Buffer, stamp: FileStamp) {
    this.#path = path;
    this.#stamp = stamp;
    const direct = this.#openDirect();
    this.#isDirect = direct !== undefined;
    this.#descriptor = direct ?? this.#open(0);
  }

  /** Up to `length` bytes from `offset`, a multiple of the window. Valid until the next call. */
  read(offset: number, length: number): Buffer {
    if (this.#isDirect) {
      const found = this.#readDirect(offset, length);
      if (found !== undefined) return found;
      // Whatever it is, the usual way has the last word.
      this.close();
      this.#descriptor = this.#open(0);
      this.#isDirect = false;
    }
    return Buffer.from(memory.buffer, 0, readSync(this.#descriptor, memory, 0, length, offset));
  }

  /** Checks that it is still the file that was stamped. */
  verify(): void {
    checkUnchanged(this.#descriptor, this.#path, this.#stamp);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #open(flags: number): number {
    // Without O_NONBLOCK, a file that was replaced by a fifo would be waited for without end.
    const all = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | flags;
    const descriptor = withReachable(this.#path, (reachable) => openSync(reachable, all));
    try {
      checkUnchanged(descriptor, this.#path, this.#stamp);
      return descriptor;
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** Not every system and filesystem can read past the cache; then files are read as all others. */
  #openDirect(): number | undefined {
    if (constants.O_DIRECT === undefined) return undefined;
    try {
      return this.#open(constants.O_DIRECT);
    } catch (error) {
      if (error instanceof DiskwrightError) throw error;
      return undefined;
    }
  }

  /** Reads whole blocks; the last one ends with the file. `undefined` when no place in the memory will do. */
  #readDirect(offset: number, length: number): Buffer | undefined {
    // Holes are read to any address, so it may be found out late that the one in use is not aligned.
    for (let tried = 0; tried < BLOCK; tried += ADDRESS_STEP) {
      try {
        const count = readSync(this.#descriptor, memory, alignedAt, WINDOW, offset);
        return Buffer.from(memory.buffer, alignedAt, Math.min(count, length));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EINVAL") return undefined;
        alignedAt = (alignedAt + ADDRESS_STEP) % BLOCK;
      }
    }
    return undefined;
  }
}
