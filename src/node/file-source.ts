import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { DiskwrightError } from "../errors.ts";
import type { ByteSource } from "../extents/index.ts";
import { reasonOf } from "./host-error.ts";

/** A file that is open for reading. */
export interface FileSource extends ByteSource {
  close(): void;
}

/**
 * Opens a file of the host, such as an image, to read at any position.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`.
 */
export function fileSource(path: string): FileSource {
  const unreadable = (error: unknown): DiskwrightError =>
    new DiskwrightError("SOURCE_UNREADABLE", `${path}: ${reasonOf(error)}`, { path, cause: error });
  let descriptor: number;
  try {
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw unreadable(error);
  }
  const status = fstatSync(descriptor);
  if (!status.isFile()) {
    closeSync(descriptor);
    const kind = status.isDirectory() ? "a directory" : "a device or a pipe";
    throw new DiskwrightError("SOURCE_UNREADABLE", `${path}: is ${kind}, not a file that holds an image`, {
      path,
    });
  }
  return {
    size: status.size,
    read(position, length): Uint8Array {
      const bytes = new Uint8Array(length);
      try {
        for (let done = 0; done < length; ) {
          const count = readSync(descriptor, bytes, done, length - done, position + done);
          if (count === 0) throw new DiskwrightError("CORRUPT", `${path} ended while it was read`, { path });
          done += count;
        }
      } catch (error) {
        throw error instanceof DiskwrightError ? error : unreadable(error);
      }
      return bytes;
    },
    close: () => closeSync(descriptor),
  };
}
