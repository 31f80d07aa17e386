import { printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { Awaitable, Content, ContentReader } from "./content.ts";
import type { Extent } from "./extent.ts";
import { type CancelSignal, eventLoopTurn } from "./signal.ts";

/** What the writing of an image can be told, and tells. */
export interface SweepOptions {
  /** Opens host files. Needed when an extent refers to one. */
  readonly reader?: ContentReader | undefined;
  /** Stops the sweep with the error code `ABORTED`. */
  readonly signal?: CancelSignal | undefined;
  /** Called with the bytes that have left so far, at most once for each buffer. */
  readonly onProgress?: ((written: number) => void) | undefined;
}

/** Larger buffers fall out of a core's L2 cache and are slower: measured, see CONTRIBUTING.md. */
const BUFFER_SIZE = 256 * 1024;

/** A gap that holds no whole block of this size would not be a hole in a sparse file, so it is written. */
const HOLE_SIZE = 4096;

/** How much work is done between two turns of the event loop: some tens of milliseconds. */
const BYTES_BETWEEN_TURNS = 32 * 1024 * 1024;
const EXTENTS_BETWEEN_TURNS = 2048;

/**
 * Sends extents out in one ascending pass: resolves content, joins neighbours in one reused buffer, and
 * calls `write` with each filled buffer. Holes are passed over. The event loop gets a turn now and then.
 *
 * @throws DiskwrightError `SOURCE_CHANGED` when content ends before its planned size; `ABORTED` on request.
 */
export async function sweep(
  extents: Iterable<Extent>,
  write: (position: number, bytes: Uint8Array) => Awaitable<void>,
  options: SweepOptions = {},
): Promise<void> {
  const buffer = new Uint8Array(BUFFER_SIZE);
  let start = 0;
  let filled = 0;
  let written = 0;
  let bytesUntilTurn = BYTES_BETWEEN_TURNS;
  let extentsUntilTurn = EXTENTS_BETWEEN_TURNS;

  async function flush(): Promise<void> {
    if (filled === 0) return;
    const writing = write(start, buffer.subarray(0, filled));
    if (writing !== undefined) await writing;
    written += filled;
    bytesUntilTurn -= filled;
    start += filled;
    filled = 0;
    options.onProgress?.(written);
  }

  async function turn(): Promise<void> {
    extentsUntilTurn = EXTENTS_BETWEEN_TURNS;
    bytesUntilTurn = BYTES_BETWEEN_TURNS;
    await eventLoopTurn(options.signal);
  }

  for (const { position, length, source, offset } of extents) {
    const end = start + filled;
    if (position < end) throw new RangeError(`an extent at ${position} overlaps what ends at ${end}`);
    if (position > end) {
      const gapIsHole = Math.floor(position / HOLE_SIZE) > Math.ceil(end / HOLE_SIZE);
      if (filled > 0 && !gapIsHole && position - start < BUFFER_SIZE) {
        buffer.fill(0, filled, position - start);
        filled = position - start;
      } else {
        await flush();
        start = position;
      }
    }
    for (let done = 0; done < length; ) {
      if (filled === BUFFER_SIZE) {
        await flush();
        if (bytesUntilTurn <= 0) await turn();
      }
      const room = Math.min(length - done, BUFFER_SIZE - filled);
      const into = buffer.subarray(filled, filled + room);
      const reading = fill(into, source, offset + done, options.reader);
      const count = typeof reading === "number" ? reading : await reading;
      if (count === 0) throw endedEarly(source, offset + done, offset + length);
      filled += count;
      done += count;
    }
    if (--extentsUntilTurn <= 0 || bytesUntilTurn <= 0) await turn();
  }
  await flush();
  await options.reader?.verify();
  await turn();
}

function fill(
  into: Uint8Array,
  source: Uint8Array | Content,
  offset: number,
  reader: ContentReader | undefined,
): Awaitable<number> {
  if (source instanceof Uint8Array) return copy(into, source, offset);
  switch (source.type) {
    case "bytes":
      return copy(into, source.bytes, offset);
    case "function":
      return source.read(offset, into);
    case "file":
      if (reader === undefined) throw new TypeError("the content of host files needs the option `reader`");
      return reader.read(source, offset, into);
  }
}

function copy(into: Uint8Array, from: Uint8Array, offset: number): number {
  const part = from.subarray(offset, offset + into.length);
  into.set(part);
  return part.length;
}

function endedEarly(source: Uint8Array | Content, got: number, planned: number): DiskwrightError {
  const path = !(source instanceof Uint8Array) && source.type === "file" ? printable(source.path) : undefined;
  return new DiskwrightError(
    "SOURCE_CHANGED",
    `${path ?? "a content source"} ended at byte ${got}, ${planned} were planned: it changed while it was read`,
    path === undefined ? {} : { path },
  );
}
