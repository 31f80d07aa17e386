import { readSync } from "node:fs";
import { DiskwrightError } from "../errors.ts";
import type { TarInput } from "../tar/index.ts";
import { reasonOf } from "./host-error.ts";

/** How much of a file is read at once where headers follow each other. */
const WINDOW = 64 * 1024;

/** An archive in a file: what is passed over is not read. */
export class FileTarInput implements TarInput {
  readonly #descriptor: number;
  readonly #size: number;
  readonly #name: string;
  readonly #buffer = new Uint8Array(WINDOW);
  /** Where the buffer starts in the file, and how much of it is filled. */
  #start = 0;
  #filled = 0;
  #position = 0;

  constructor(descriptor: number, size: number, name: string) {
    this.#descriptor = descriptor;
    this.#size = size;
    this.#name = name;
  }

  read(length: number): Uint8Array {
    const wanted = Math.min(length, WINDOW, this.#size - this.#position);
    const isThere = this.#position >= this.#start && this.#position + wanted <= this.#start + this.#filled;
    if (!isThere) this.#fill();
    const from = this.#position - this.#start;
    const bytes = this.#buffer.subarray(from, Math.min(from + wanted, this.#filled));
    this.#position += bytes.length;
    return bytes;
  }

  skip(length: number): number {
    const count = Math.min(length, this.#size - this.#position);
    this.#position += count;
    return count;
  }

  #fill(): void {
    this.#start = this.#position;
    this.#filled = 0;
    try {
      while (this.#filled < WINDOW) {
        const count = readSync(
          this.#descriptor,
          this.#buffer,
          this.#filled,
          WINDOW - this.#filled,
          this.#start + this.#filled,
        );
        if (count === 0) return;
        this.#filled += count;
      }
    } catch (error) {
      throw new DiskwrightError("SOURCE_UNREADABLE", `${this.#name}: ${reasonOf(error)}`, {
        path: this.#name,
        cause: error,
      });
    }
  }
}

/** An archive that comes once, in pieces. */
export class StreamTarInput implements TarInput {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #isAtEnd = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  read(length: number): Uint8Array | Promise<Uint8Array> {
    return this.#chunk.length >= length ? this.#take(length) : this.#gather(length);
  }

  async skip(length: number): Promise<number> {
    let left = length;
    for (;;) {
      left -= this.#take(left).length;
      if (left === 0 || !(await this.#next())) return length - left;
    }
  }

  /** Reads what follows the end of the archive, so that whoever writes it is not interrupted. */
  async drain(): Promise<void> {
    while (await this.#next());
  }

  async #gather(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let left = length;
    for (;;) {
      const part = this.#take(left);
      if (part.length > 0) parts.push(part);
      left -= part.length;
      if (left === 0 || !(await this.#next())) break;
    }
    if (parts.length === 1) return parts[0]!;
    const bytes = new Uint8Array(length - left);
    let end = 0;
    for (const part of parts) {
      bytes.set(part, end);
      end += part.length;
    }
    return bytes;
  }

  #take(length: number): Uint8Array {
    const taken = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(taken.length);
    return taken;
  }

  async #next(): Promise<boolean> {
    while (!this.#isAtEnd) {
      const { value, done } = await this.#source.next();
      if (done) this.#isAtEnd = true;
      else if (value.length > 0) {
        this.#chunk = value;
        return true;
      }
    }
    return false;
  }
}
