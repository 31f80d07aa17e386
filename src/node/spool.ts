import { closeSync } from "node:fs";
import { DiskwrightError } from "../errors.ts";
import type { FileContent } from "../extents/index.ts";
import { reasonOf } from "./host-error.ts";
import { openUnnamed } from "./unnamed-file.ts";
import { writeAll } from "./write-all.ts";

/** Small pieces are collected up to this before they are written. */
const BUFFER_SIZE = 1024 * 1024;

/**
 * A file for content that cannot be read twice, such as that of a tar out of a pipe. It has no name: nothing of
 * it is left, whatever happens.
 */
export class Spool {
  readonly #directory: string;
  #descriptor: number | undefined;
  #path: Uint8Array = new Uint8Array(0);
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  #buffered = 0;
  #written = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Where the next byte will be. */
  get position(): number {
    return this.#written + this.#buffered;
  }

  /** Keeps bytes behind those that are there. */
  append(bytes: Uint8Array): void {
    if (bytes.length > BUFFER_SIZE - this.#buffered) this.#flush();
    if (bytes.length >= BUFFER_SIZE) {
      this.#write(bytes);
      return;
    }
    this.#buffer.set(bytes, this.#buffered);
    this.#buffered += bytes.length;
  }

  /** Brings everything into the file; nothing is appended afterwards. */
  finish(): void {
    this.#flush();
  }

  /** Gives up what was kept. */
  discard(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** What was kept from `start` on, as content of `size` bytes. */
  content(start: number, size: number, stored: FileContent["stored"]): FileContent {
    return {
      type: "file",
      path: this.#path,
      descriptor: this.#descriptor,
      start,
      size,
      stored,
      stamp: undefined,
    };
  }

  #flush(): void {
    if (this.#buffered > 0) this.#write(this.#buffer.subarray(0, this.#buffered));
    this.#buffered = 0;
  }

  #write(bytes: Uint8Array): void {
    try {
      this.#descriptor ??= this.#open();
      writeAll(this.#descriptor, bytes, this.#written);
    } catch (error) {
      throw new DiskwrightError(
        "OUTPUT",
        `${this.#directory}: the content of an archive that cannot be read twice is kept there: ${reasonOf(error)}; ` +
          "name a directory with room (--spool), or unpack it to a plain .tar first",
        { path: this.#directory, cause: error },
      );
    }
    this.#written += bytes.length;
  }

  #open(): number {
    const { descriptor, path } = openUnnamed(this.#directory);
    this.#path = Buffer.from(path);
    return descriptor;
  }
}
