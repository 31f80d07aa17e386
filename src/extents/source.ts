import { bytes as bytesKind, checkArgument } from "../arguments/index.ts";
import { DiskwrightError } from "../errors.ts";
import { byteCount, contentKind, readerKind, sourceKind } from "./arguments.ts";
import {
  type Awaitable,
  type Content,
  type ContentReader,
  type FunctionContent,
  fillFrom,
} from "./content.ts";

/** Something that holds bytes and can be read at any position: a file, a block of memory, a window. */
export interface ByteSource {
  /** Bytes that it holds. */
  readonly size: number;
  /** Exactly `length` bytes from `position`. The caller stays within `size`. */
  read(position: number, length: number): Awaitable<Uint8Array>;
  /** The same into memory of the caller, where that saves a copy. */
  readInto?(position: number, into: Uint8Array): Awaitable<void>;
  /** Bytes that it takes where it lies, which can be fewer than its size. */
  readonly room?: number | undefined;
}

/** A source over bytes that are in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  checkArgument("bytes", bytes, bytesKind);
  return { size: bytes.length, read: (position, length) => bytes.subarray(position, position + length) };
}

/** A part of a source, such as a partition of a disk, with positions of its own. */
export function sourceWindow(source: ByteSource, start: number, size: number): ByteSource {
  checkArgument("source", source, sourceKind);
  checkArgument("start", start, byteCount);
  checkArgument("size", size, byteCount);
  return {
    size,
    read: (position, length) => source.read(start + position, length),
    readInto: (position, into) => readInto(source, start + position, into),
  };
}

/** Fills `into` with what a source holds from `position` on. */
export function readInto(source: ByteSource, position: number, into: Uint8Array): Awaitable<void> {
  if (source.readInto !== undefined) return source.readInto(position, into);
  const bytes = source.read(position, into.length);
  if (bytes instanceof Uint8Array) return into.set(bytes);
  return bytes.then((read) => into.set(read));
}

/** Some content as a source, which `reader` opens. */
export function contentSource(content: Content, reader: ContentReader): ByteSource {
  checkArgument("content", content, contentKind);
  checkArgument("reader", reader, readerKind);
  return {
    size: content.size,
    readInto: (position, into) => fillFrom(content, position, into, reader),
    async read(position, length): Promise<Uint8Array> {
      const bytes = new Uint8Array(length);
      await fillFrom(content, position, bytes, reader);
      return bytes;
    },
  };
}

/** The content of a source, for the extents of an image. */
export function sourceContent(source: ByteSource): FunctionContent {
  checkArgument("source", source, sourceKind);
  return {
    type: "function",
    size: source.size,
    read(offset, into): Awaitable<number> {
      const wanted = into.subarray(0, Math.max(0, source.size - offset));
      const reading = wanted.length === 0 ? undefined : readInto(source, offset, wanted);
      return reading === undefined ? wanted.length : reading.then(() => wanted.length);
    },
  };
}

/**
 * Reads `length` bytes and checks that they are there, so that a truncated image is told as such.
 *
 * @throws DiskwrightError `CORRUPT` when the source ends before them; `what` names them in the message.
 */
export async function readExactly(
  source: ByteSource,
  position: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
  if (position < 0 || length < 0 || position + length > source.size) {
    throw new DiskwrightError(
      "CORRUPT",
      `${what} should lie at bytes ${position} to ${position + length}, but the image ends at ${source.size}`,
    );
  }
  return await source.read(position, length);
}
