import { realpathSync, statSync } from "node:fs";
import type { SourceFile } from "./file-source.ts";
import { maybeSparse, ScannedFile, WINDOW } from "./sparse.ts";

const ZEROS = Buffer.alloc(WINDOW);

/** Whether a file can have holes. */
export function hasHoles({ path }: SourceFile): boolean {
  return maybeSparse(statSync(path, { bigint: true }));
}

/** Finds the ends of holes in a file that has a name: by reading, past the page cache where that can be. */
export class Holes {
  readonly #size: number;
  readonly #scanned: ScannedFile;

  constructor({ path, size }: SourceFile) {
    this.#size = size;
    this.#scanned = new ScannedFile(Buffer.from(realpathSync(path)));
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
