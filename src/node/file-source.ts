import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { DiskwrightError } from "../errors.ts";
import type { ByteSource } from "../extents/index.ts";
import { reasonOf } from "./host-error.ts";

/** A file that is open for reading. */
export interface FileSource extends ByteSource, SourceFile {
  readonly size: number;
  /** Whether it can be opened again by its path. */
  readonly isNamed: boolean;
  readInto(position: number, into: Uint8Array): void;
  read(position: number, length: number): Uint8Array;
  close(): void;
}

/**
 * Opens a file of the host, such as an image, to read at any position.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`.
 */
export function fileSource(path: string): FileSource {
  let descriptor: number;
  try {
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw unreadable(path, error);
  }
  const status = fstatSync(descriptor);
  if (!status.isFile()) {
    closeSync(descriptor);
    const kind = status.isDirectory() ? "a directory" : "a device or a pipe";
    throw new DiskwrightError("SOURCE_UNREADABLE", `${path}: is ${kind}, not a file that holds an image`, {
      path,
    });
  }
  return descriptorSource({ descriptor, size: status.size, room: 512 * status.blocks, path }, true);
}

/** A file that is open for reading, and its name in messages. */
export interface SourceFile {
  readonly descriptor: number;
  readonly size: number;
  readonly room?: number | undefined;
  readonly path: string;
}

/** Reads a file that is open already. */
export function descriptorSource({ descriptor, size, room, path }: SourceFile, isNamed = false): FileSource {
  function readInto(position: number, into: Uint8Array): void {
    try {
      for (let done = 0; done < into.length; ) {
        const count = readSync(descriptor, into, done, into.length - done, position + done);
        if (count === 0) throw new DiskwrightError("CORRUPT", `${path} ended while it was read`, { path });
        done += count;
      }
    } catch (error) {
      throw error instanceof DiskwrightError ? error : unreadable(path, error);
    }
  }
  return {
    size,
    room,
    descriptor,
    path,
    isNamed,
    readInto,
    read(position, length): Uint8Array {
      const bytes = new Uint8Array(length);
      readInto(position, bytes);
      return bytes;
    },
    close: () => closeSync(descriptor),
  };
}

function unreadable(path: string, error: unknown): DiskwrightError {
  return new DiskwrightError("SOURCE_UNREADABLE", `${path}: ${reasonOf(error)}`, { path, cause: error });
}
