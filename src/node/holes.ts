import { fstatSync, realpathSync } from "node:fs";
import { changeBehind, changedSource } from "./changed.ts";
import type { NamedFileSource } from "./file-source.ts";
import { maybeSparse, ScannedFile, WINDOW } from "./sparse.ts";

const ZEROS = Buffer.alloc(WINDOW);

/** Whether a file can have holes. */
export function hasHoles({ descriptor }: NamedFileSource): boolean {
  return maybeSparse(fstatSync(descriptor, { bigint: true }));
}

/** Finds the ends of holes in a file that has a name: by reading, past the page cache where that can be. */
export class Holes {
  readonly #size: number;
  readonly #scanned: ScannedFile;

  /** @throws DiskwrightError `SOURCE_CHANGED` when the path leads to another file now. */
  constructor({ path, size, stamp }: NamedFileSource) {
    this.#size = size;
    this.#scanned = new ScannedFile(realPath(path), stamp);
  }

  /**
   * Where the first window from `position` on starts that is not all zeros, or the file ends, or no more was
   * to be looked at: `most` bytes, a multiple of the window.
   */
  skip(position: number, most: number): number {
    const until = Math.min(this.#size, position + most);
    for (let at = position; at < until; at += WINDOW) {
      const length = Math.min(WINDOW, until - at);
      if (ZEROS.compare(this.#scanned.read(at, length), 0, length, 0, length) !== 0) return at;
    }
    return until;
  }

  close(): void {
    this.#scanned.close();
  }
}

/** Where links lead: the file that is there was opened before. */
function realPath(path: string): Buffer {
  try {
    return realpathSync(path, { encoding: "buffer" });
  } catch (error) {
    const change = changeBehind(error);
    throw change === undefined ? error : changedSource(Buffer.from(path), change, error);
  }
}
