import { DiskwrightError } from "../errors.ts";
import type { Awaitable } from "./content.ts";

/** Something that holds bytes and can be read at any position: a file, a block of memory, a window. */
export interface ByteSource {
  /** Bytes that it holds. */
  readonly size: number;
  /** Exactly `length` bytes from `position`. The caller stays within `size`. */
  read(position: number, length: number): Awaitable<Uint8Array>;
}

/** A source over bytes that are in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (position, length) => bytes.subarray(position, position + length) };
}

/** A part of a source, such as a partition of a disk, with positions of its own. */
export function sourceWindow(source: ByteSource, start: number, size: number): ByteSource {
  return { size, read: (position, length) => source.read(start + position, length) };
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
