import { DiskwrightError } from "../../errors.ts";

// What is wrong with a filesystem that can be read all the same.

const MOST_LINES = 100;

/** A bounded list of problems: a damaged filesystem must not fill the memory with complaints. */
export class Problems {
  readonly #lines = new Set<string>();
  #further = 0;

  /** Notes a problem; the same one is noted once. */
  add(line: string): void {
    if (this.#lines.has(line)) return;
    if (this.#lines.size < MOST_LINES) this.#lines.add(line);
    else this.#further++;
  }

  /** At most 100 lines, and one that counts how often something else was found wrong. */
  get lines(): string[] {
    const lines = [...this.#lines];
    if (this.#further > 0) lines.push(`… and ${this.#further} more`);
    return lines;
  }
}

/** The error for damage that keeps something from being read. */
export function corrupt(message: string): DiskwrightError {
  return new DiskwrightError("CORRUPT", message);
}

/** The error for something that is sound, but cannot be given: no such path, or a feature that is not read. */
export function unreadable(message: string, path?: string): DiskwrightError {
  return new DiskwrightError("SOURCE_UNREADABLE", message, path === undefined ? {} : { path });
}
