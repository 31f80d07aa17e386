import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { DiskwrightError } from "../errors.ts";
import type { ByteSource, FileStamp } from "../extents/index.ts";
import { shownPath } from "../tree/index.ts";
import { changedSource, checkUnchanged } from "./changed.ts";
import { reasonOf } from "./host-error.ts";
import { stampOf } from "./stamp.ts";

/** A file that is open for reading. */
export interface FileSource extends ByteSource, SourceFile {
  readonly size: number;
  readInto(position: number, into: Uint8Array): void;
  read(position: number, length: number): Uint8Array;
  /**
   * Checks that the file is as it was when it was opened, and still there.
   *
   * @throws DiskwrightError `SOURCE_CHANGED` otherwise.
   */
  verify(): void;
  close(): void;
}

/** A file that can be opened again by its path. */
export interface NamedFileSource extends FileSource {
  readonly stamp: FileStamp;
}

/** Whether a file can be opened again by its path. */
export function isNamed(file: FileSource): file is NamedFileSource {
  return file.stamp !== undefined;
}

/**
 * Opens a file of the host, such as an image, to read at any position.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`.
 */
export function fileSource(path: string): NamedFileSource {
  let descriptor: number;
  try {
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw unreadable(path, error);
  }
  const status = fstatSync(descriptor, { bigint: true });
  if (!status.isFile()) {
    closeSync(descriptor);
    const kind = status.isDirectory() ? "a directory" : "a device or a pipe";
    throw new DiskwrightError(
      "SOURCE_UNREADABLE",
      `${shownPath(path)}: is ${kind}, not a file that holds an image`,
      { path },
    );
  }
  const stamp = stampOf(status);
  const room = 512 * Number(status.blocks);
  const source = descriptorSource({ descriptor, size: stamp.size, room, path, stamp });
  return { ...source, stamp, verify: () => checkNamed(path, descriptor, status, stamp) };
}

function checkNamed(path: string, descriptor: number, opened: BigIntStats, stamp: FileStamp): void {
  const bytes = Buffer.from(path);
  checkUnchanged(descriptor, bytes, stamp);
  // What had no name when it was opened, such as /dev/fd/3, can lose none.
  if (opened.nlink > 0n && fstatSync(descriptor).nlink === 0)
    throw changedSource(bytes, "it was removed or replaced");
}

/** A file that is open for reading, and its name in messages. */
export interface SourceFile {
  readonly descriptor: number;
  readonly size: number;
  readonly room?: number | undefined;
  readonly path: string;
  /** What the file was when it was opened; `undefined` for one that nobody else can reach. */
  readonly stamp?: FileStamp | undefined;
}

/** Reads a file that is open already. */
export function descriptorSource({ descriptor, size, room, path, stamp }: SourceFile): FileSource {
  function readInto(position: number, into: Uint8Array): void {
    try {
      for (let done = 0; done < into.length; ) {
        const count = readSync(descriptor, into, done, into.length - done, position + done);
        if (count === 0) {
          throw changedSource(Buffer.from(path), `it had ${size} bytes, and ended at ${position + done}`);
        }
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
    stamp,
    readInto,
    read(position, length): Uint8Array {
      const bytes = new Uint8Array(length);
      readInto(position, bytes);
      return bytes;
    },
    verify(): void {},
    close: () => closeSync(descriptor),
  };
}

function unreadable(path: string, error: unknown): DiskwrightError {
  return new DiskwrightError("SOURCE_UNREADABLE", `${shownPath(path)}: ${reasonOf(error)}`, {
    path,
    cause: error,
  });
}
