import { read } from "node:fs";
import type { FileSource } from "./file-source.ts";

/**
 * What is read in one go. A multiple of the windows in which holes are found. Smaller parts cost the thread that writes
 * more turns than they gain, larger ones gain nothing: 4 MiB took two per cent longer.
 */
const PART = 2 * 1024 * 1024;

/** How many parts there are: one is in use, the others wait or are on their way. */
const PARTS = 3;

/** A part of a file. Its bytes are valid until the next one is asked for. */
export interface FilePart {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/**
 * Reads a file from some place on, in threads of the system's pool, so that the next parts are there when one is
 * done with the last.
 */
export class ReadAhead {
  readonly #file: FileSource;
  readonly #free: Uint8Array[] = Array.from({ length: PARTS }, () => new Uint8Array(PART));
  readonly #underWay: Promise<FilePart>[] = [];
  #inUse: Uint8Array | undefined;
  #isStopped = true;
  /** Where the next part starts. */
  position = 0;

  constructor(file: FileSource) {
    this.#file = file;
  }

  /** Goes on at another place. Nothing may be under way. */
  seek(position: number): void {
    this.position = position;
    this.#isStopped = false;
  }

  /** Reads no more parts than those that are under way. */
  stop(): void {
    this.#isStopped = true;
  }

  /** The next part; `undefined` at the end, or when it was stopped and nothing is under way. */
  async next(): Promise<FilePart | undefined> {
    if (this.#inUse !== undefined) this.#free.push(this.#inUse);
    this.#inUse = undefined;
    while (!this.#isStopped && this.position < this.#file.size && this.#free.length > 0) this.#start();
    const part = await this.#underWay.shift();
    if (part !== undefined) this.#inUse = new Uint8Array(part.bytes.buffer);
    return part;
  }

  /** Waits for what is under way: its memory and the file are in use. */
  async close(): Promise<void> {
    this.stop();
    await Promise.allSettled(this.#underWay);
  }

  #start(): void {
    const buffer = this.#free.pop()!;
    const position = this.position;
    const length = Math.min(PART, this.#file.size - position);
    this.position += length;
    const reading = this.#fill(buffer.subarray(0, length), position);
    // A failure is told when its turn comes.
    reading.catch(() => {});
    this.#underWay.push(reading);
  }

  #fill(bytes: Uint8Array, position: number): Promise<FilePart> {
    return new Promise((resolve, reject) => {
      read(this.#file.descriptor, bytes, 0, bytes.length, position, (error, count) => {
        // What could not be read so, and why, comes out the usual way.
        const done = error === null ? count : 0;
        try {
          if (done < bytes.length) this.#file.readInto(position + done, bytes.subarray(done));
          resolve({ position, bytes });
        } catch (failure) {
          reject(failure);
        }
      });
    });
  }
}
