import { checkArgument, fields, optional, routine, shownValue } from "../arguments/index.ts";
import { printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { extentsKind, readerKind, signalKind } from "./arguments.ts";
import { type Awaitable, type Content, type ContentReader, fileAt, readContent } from "./content.ts";
import type { Extent } from "./extent.ts";
import { type CancelSignal, eventLoopTurn } from "./signal.ts";

/** How extents are sent out. */
export interface SweepOptions {
  /** Opens host files. Needed when an extent refers to one. */
  readonly reader?: ContentReader | undefined;
  /** Stops the sweep with the error code `ABORTED`. */
  readonly signal?: CancelSignal | undefined;
  /** Called after each write, with the position behind what was written. */
  readonly onWritten?: ((end: number) => void) | undefined;
}

/** Larger buffers fall out of a core's L2 cache and are slower: measured, see CONTRIBUTING.md. */
const BUFFER_SIZE = 256 * 1024;

/** A gap that holds no whole block of this size would not be a hole in a sparse file, so it is written. */
const HOLE_SIZE = 4096;

/** How much work is done between two turns of the event loop: some tens of milliseconds. */
const BYTES_BETWEEN_TURNS = 32 * 1024 * 1024;
const EXTENTS_BETWEEN_TURNS = 2048;

/** What takes the bytes of a sweep. They are valid until it returns, or its promise is kept. */
export type SweepWriter = (position: number, bytes: Uint8Array) => Awaitable<void>;

/**
 * Sends extents out in one ascending pass: resolves content, joins neighbours in one reused buffer, and
 * calls `write` with each filled buffer. Holes are passed over. The event loop gets a turn now and then.
 *
 * @throws DiskwrightError `SOURCE_CHANGED` when content ends before its planned size; `ABORTED` on request.
 */
export async function sweep(
  extents: Iterable<Extent>,
  write: SweepWriter,
  options: SweepOptions = {},
): Promise<void> {
  const broom = new Sweep(write, options);
  await broom.add(extents);
  await broom.end();
}

// More than these may be there: those of a whole disk are handed on as they are.
const SWEEP_OPTIONS = fields<SweepOptions>(
  "the options of a sweep",
  { reader: optional(readerKind), signal: optional(signalKind), onWritten: optional(routine) },
  { isOpen: true },
);

function notAnExtent(position: unknown, length: unknown, offset: unknown): TypeError {
  return new TypeError(
    `an extent lies at ${shownValue(position)}, with ${shownValue(length)} bytes from ${shownValue(offset)} on: give numbers from 0 on`,
  );
}

/** A {@link sweep} whose extents come in parts. */
export class Sweep {
  readonly #write: SweepWriter;
  readonly #options: SweepOptions;
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  /** Where the buffer lies in the image, and how much of it is filled. */
  #start = 0;
  #filled = 0;
  #bytesUntilTurn = BYTES_BETWEEN_TURNS;
  #extentsUntilTurn = EXTENTS_BETWEEN_TURNS;

  constructor(write: SweepWriter, options: SweepOptions = {}) {
    checkArgument("write", write, routine);
    checkArgument("options", options, SWEEP_OPTIONS);
    this.#write = write;
    this.#options = options;
  }

  /** Sends extents out that lie behind those of the calls before. */
  async add(extents: Iterable<Extent>): Promise<void> {
    checkArgument("extents", extents, extentsKind);
    const buffer = this.#buffer;
    for (const { position, length, source, offset } of extents) {
      if (!(position >= 0 && length >= 0 && offset >= 0)) throw notAnExtent(position, length, offset);
      if (position !== this.#start + this.#filled) await this.#moveTo(position);
      if (source instanceof Uint8Array && length >= BUFFER_SIZE) {
        if (offset + length > source.length) throw endedEarly(source, source.length, offset + length);
        await this.#pass(source.subarray(offset, offset + length));
        continue;
      }
      for (let done = 0; done < length; ) {
        if (this.#filled === BUFFER_SIZE) {
          await this.#flush();
          if (this.#bytesUntilTurn <= 0) await this.#turn();
        }
        const room = Math.min(length - done, BUFFER_SIZE - this.#filled);
        const into = buffer.subarray(this.#filled, this.#filled + room);
        const reading = fill(into, source, offset + done, this.#options.reader);
        const count = typeof reading === "number" ? reading : await reading;
        if (count === 0) throw endedEarly(source, offset + done, offset + length);
        this.#filled += count;
        done += count;
      }
      if (--this.#extentsUntilTurn <= 0 || this.#bytesUntilTurn <= 0) await this.#turn();
    }
  }

  /** Sends out what is left. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#options.reader?.verify();
    await this.#turn();
  }

  async #moveTo(position: number): Promise<void> {
    const end = this.#start + this.#filled;
    if (position < end) throw new RangeError(`an extent at ${position} overlaps what ends at ${end}`);
    const gapIsHole = Math.floor(position / HOLE_SIZE) > Math.ceil(end / HOLE_SIZE);
    if (this.#filled > 0 && !gapIsHole && position - this.#start < BUFFER_SIZE) {
      this.#buffer.fill(0, this.#filled, position - this.#start);
      this.#filled = position - this.#start;
      return;
    }
    await this.#flush();
    this.#start = position;
  }

  /** What is in memory and large needs no copy. */
  async #pass(bytes: Uint8Array): Promise<void> {
    await this.#flush();
    await this.#send(bytes);
    if (this.#bytesUntilTurn <= 0) await this.#turn();
  }

  async #flush(): Promise<void> {
    if (this.#filled === 0) return;
    const filled = this.#buffer.subarray(0, this.#filled);
    this.#filled = 0;
    await this.#send(filled);
  }

  /** Sends bytes out that lie where the buffer starts, which starts behind them afterwards. */
  async #send(bytes: Uint8Array): Promise<void> {
    const writing = this.#write(this.#start, bytes);
    if (writing !== undefined) await writing;
    this.#bytesUntilTurn -= bytes.length;
    this.#start += bytes.length;
    this.#options.onWritten?.(this.#start);
  }

  async #turn(): Promise<void> {
    this.#extentsUntilTurn = EXTENTS_BETWEEN_TURNS;
    this.#bytesUntilTurn = BYTES_BETWEEN_TURNS;
    await eventLoopTurn(this.#options.signal);
  }
}

function fill(
  into: Uint8Array,
  source: Uint8Array | Content,
  offset: number,
  reader: ContentReader | undefined,
): Awaitable<number> {
  if (!(source instanceof Uint8Array)) return readContent(source, offset, into, reader);
  const part = source.subarray(offset, offset + into.length);
  into.set(part);
  return part.length;
}

function endedEarly(source: Uint8Array | Content, got: number, planned: number): DiskwrightError {
  const file = source instanceof Uint8Array ? undefined : fileAt(source, got);
  const path = file === undefined ? undefined : printable(file.path);
  return new DiskwrightError(
    "SOURCE_CHANGED",
    `${path ?? "a content source"} ended at byte ${got}, ${planned} were planned: it changed while it was read`,
    path === undefined ? {} : { path },
  );
}
