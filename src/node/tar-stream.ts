import { type BigIntStats, createReadStream } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { DiskwrightError } from "../errors.ts";
import type { CancelSignal } from "../extents/index.ts";
import { reasonOf } from "./host-error.ts";

/** How much of a file is read at once. */
const CHUNK = 256 * 1024;

/**
 * An archive as a stream. A pipe is waited for by the event loop: a read in a thread of its own cannot be called
 * off, and would hold the process until whoever writes to the pipe is done. The descriptor is closed with the stream.
 */
export function openStream(descriptor: number, status: BigIntStats): Readable {
  // Bun's sockets take no descriptor: nothing ever comes of them.
  const isBun = "bun" in process.versions;
  if (!isBun && (status.isFIFO() || status.isSocket())) {
    return new Socket({ fd: descriptor, readable: true, writable: false });
  }
  const start = status.isFile() ? { start: 0 } : {};
  return createReadStream("", { fd: descriptor, highWaterMark: CHUNK, ...start });
}

/**
 * What comes out of a stream, with errors that name the archive. A signal that can be listened to ends the wait
 * for more.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`, `ABORTED`.
 */
export async function* chunksOf(
  stream: Readable,
  name: string,
  signal: CancelSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const stop = (): void => void stream.destroy();
  const heard = signal instanceof AbortSignal ? signal : undefined;
  heard?.addEventListener("abort", stop, { once: true });
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    if (signal?.aborted) throw new DiskwrightError("ABORTED", "stopped on request");
    throw new DiskwrightError("SOURCE_UNREADABLE", `${name}: ${reasonOf(error)}`, {
      path: name,
      cause: error,
    });
  } finally {
    heard?.removeEventListener("abort", stop);
  }
}

/** The first bytes of what comes, `length` of them if there are so many, and all that comes. */
export async function peeked(
  source: AsyncIterable<Uint8Array>,
  length: number,
): Promise<[start: Uint8Array, whole: AsyncIterable<Uint8Array>]> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  for (let total = 0; total < length; ) {
    const { value, done } = await iterator.next();
    if (done) break;
    chunks.push(value);
    total += value.length;
  }
  const start = Buffer.concat(chunks);
  async function* whole(): AsyncGenerator<Uint8Array> {
    if (start.length > 0) yield start;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return [start, whole()];
}
