import { closeSync, ftruncateSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { checkArgument } from "../arguments/index.ts";
import { appendAll } from "../bytes/index.ts";
import { type Disk, isZeros, rawDisk } from "../container/index.ts";
import { DiskwrightError, type ErrorCode } from "../errors.ts";
import {
  type ByteSource,
  type CancelSignal,
  contentSource,
  eventLoopTurn,
  type ProgressListener,
  progressMeter,
} from "../extents/index.ts";
import { formatOfName, openDisk, READABLE_FORMATS, type ReadableFormat } from "../formats/index.ts";
import { fileMode } from "../tree/index.ts";
import { tarArchive } from "./archive.ts";
import { hostPathKind, openImageKind } from "./arguments.ts";
import { type Compression, compressionOf, MAGIC_SIZE } from "./compression.ts";
import { FileReader } from "./file-reader.ts";
import { descriptorSource, type FileSource, fileSource, isNamed } from "./file-source.ts";
import { reasonOf } from "./host-error.ts";
import { RawFileDisk } from "./raw-file-disk.ts";
import { openUnnamed } from "./unnamed-file.ts";
import { writeAll } from "./write-all.ts";

/** What {@link openImage} can be told. */
export interface OpenImageOptions {
  /** The format, where the first bytes are not to be believed. Default: what they say, else raw. */
  readonly format?: ReadableFormat | undefined;
  /** Whether disks below a difference may be opened: their names come from the image. Default: they are not. */
  readonly isBackingAllowed?: boolean | undefined;
  /** Where what a compressed image holds is kept meanwhile. Default: beside it. */
  readonly spoolDirectory?: string | undefined;
  /** Stops the unpacking of a compressed image. */
  readonly signal?: CancelSignal | undefined;
  /** Told how far the unpacking of a compressed image is, in bytes of its file. */
  readonly onProgress?: ProgressListener | undefined;
}

/** A disk that is open, until it is closed. */
export interface OpenedImage {
  readonly disk: Disk;
  close(): void;
}

/** Disks below disks: more than anybody has, and few enough to notice a circle. */
const DEEPEST_BACKING = 16;

/**
 * Opens the disk in a file of the host, whatever the format. One that is packed as a whole (gzip, zstd, xz) is
 * unpacked into a file without a name.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`, `CORRUPT` or `UNSUPPORTED_IMAGE`, with the path; `OUTPUT` where there
 *   is no room for what is unpacked; `ABORTED` on request.
 */
export async function openImage(path: string, options: OpenImageOptions = {}): Promise<OpenedImage> {
  checkArgument("path", path, hostPathKind);
  checkArgument("options", options, openImageKind);
  const files: FileSource[] = [];
  const close = (): void => {
    for (const file of files.splice(0)) file.close();
  };
  try {
    const disk = await aboutImage(path, () => openAt(path, { ...options, depth: 0, files }));
    return { disk: disk instanceof RawFileDisk ? disk : watched(disk, files), close };
  } catch (error) {
    try {
      // What looks damaged may have been written to.
      for (const file of files) file.verify();
    } finally {
      close();
    }
    throw error;
  }
}

/** A disk whose files must be the same, and still be there, when all that they store was read. */
function watched(disk: Disk, files: readonly FileSource[]): Disk {
  const verify = (): void => {
    for (const file of files) file.verify();
  };
  return {
    ...disk,
    async *stored(signal) {
      try {
        yield* disk.stored(signal);
      } catch (error) {
        verify();
        throw error;
      }
      verify();
    },
  };
}

/** Does some work with an image, and names it in errors that say what is wrong with it and not where. */
export async function aboutImage<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const isAboutIt =
      error instanceof DiskwrightError && error.path === undefined && ABOUT_IMAGES.has(error.code);
    if (!isAboutIt) throw error;
    throw new DiskwrightError(error.code, `${path}: ${error.message}`, { path, cause: error });
  }
}

/** One of several disks, each below the other, and how it is opened. */
interface Level extends OpenImageOptions {
  /** The disk above does not say what format this one has. */
  readonly isUndeclared?: boolean | undefined;
  /** How many disks are above it. */
  readonly depth: number;
  /** What is closed at the end: everything that was opened for any of them. */
  readonly files: FileSource[];
}

const ABOUT_IMAGES: ReadonlySet<ErrorCode> = new Set(["CORRUPT", "UNSUPPORTED_IMAGE", "SOURCE_CHANGED"]);

async function openAt(path: string, level: Level): Promise<Disk> {
  if (level.depth > DEEPEST_BACKING) {
    throw new DiskwrightError(
      "CORRUPT",
      `${path}: the disks below it are more than ${DEEPEST_BACKING}, or go in a circle`,
    );
  }
  const file = fileSource(path);
  level.files.push(file);
  if (level.format !== undefined) return openContent(path, file, level);
  const compression = compressionAtStart(file);
  let content: FileSource = file;
  if (compression !== undefined) {
    content = await unpackedFile(file, compression, level);
    level.files.push(content);
  }
  return isTar(content) ? openArchived(content, level) : openContent(path, content, level);
}

/**
 * How a file of the host is compressed as a whole, as its first bytes tell.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`.
 */
export function fileCompression(path: string): Compression | undefined {
  const file = fileSource(path);
  try {
    return compressionAtStart(file);
  } finally {
    file.close();
  }
}

function compressionAtStart(file: FileSource): Compression | undefined {
  return compressionOf(file.read(0, Math.min(file.size, MAGIC_SIZE)));
}

/** The magic of every tar since POSIX.1-1988, and of GNU tar. */
function isTar(file: FileSource): boolean {
  return file.size >= 512 && Buffer.from(file.read(257, 5)).toString("latin1") === "ustar";
}

/** The disk in an archive, as Google's cloud exports it: the file `disk.raw`. */
async function openArchived({ descriptor, path }: FileSource, { signal }: Level): Promise<Disk> {
  const tree = await tarArchive({ descriptor, name: path }, { signal });
  const row = tree.find("/disk.raw");
  const type = row === undefined ? undefined : fileMode.typeOfMode(tree.attributes(row).mode);
  if (row === undefined || type !== "file") {
    const what = row === undefined ? "that holds no disk.raw" : `whose disk.raw is a ${type}, not a file`;
    throw new DiskwrightError(
      "UNSUPPORTED_IMAGE",
      `it is a tar ${what}: unpack it, or build an image of it (diskwright build --root), or take the bytes of the tar for those of a disk (--from raw)`,
    );
  }
  return { ...rawDisk(contentSource(tree.content(row), new FileReader())), format: "gce" };
}

async function openContent(path: string, file: FileSource, level: Level): Promise<Disk> {
  const { format, isBackingAllowed = false, isUndeclared = false } = level;
  const problemsBelow: string[] = [];
  const backing = async (name: string, declared: string | undefined): Promise<ByteSource> => {
    if (isUndeclared) {
      throw new DiskwrightError(
        "UNSUPPORTED_IMAGE",
        `${path} is below another disk, which does not say its format, and looks like a difference to ${JSON.stringify(name)}: if it is one, say so in the one above (qemu-img rebase -u -F qcow2 -b …)`,
      );
    }
    const below = isAbsolute(name) ? name : resolve(dirname(path), name);
    const disk = await aboutImage(below, () => openAt(below, levelBelow(level, below, declared)));
    appendAll(
      problemsBelow,
      disk.problems.map((problem) => `${below}: ${problem}`),
    );
    return disk;
  };
  const disk = await openDisk(file, {
    format,
    unpackers: async () => (await import("./native-packing.ts")).nativeUnpackers(),
    ...(isBackingAllowed ? { backing } : {}),
  });
  if (disk.format !== "raw") return { ...disk, problems: [...disk.problems, ...problemsBelow] };
  const problems = format === undefined ? [...disk.problems, ...nameProblems(path)] : disk.problems;
  // A raw disk in a file that has a name is read in a way of its own.
  return isNamed(file) ? new RawFileDisk(file, problems) : { ...disk, problems };
}

/** What is to be said of the name of a raw disk. */
function nameProblems(path: string): string[] {
  const named = formatOfName(path);
  const isOther = named !== undefined && named !== "raw" && READABLE_FORMATS.some((known) => known === named);
  return isOther ? [`its name says ${named}, but it is none: it is taken as a raw disk`] : [];
}

/**
 * A disk below is opened as what the one above says that it is: who could write to a raw disk can make it look like
 * any other. Where that is not said, what it looks like may name no further files.
 */
function levelBelow(above: Level, path: string, declared: string | undefined): Level {
  const depth = above.depth + 1;
  if (declared === undefined) return { ...above, depth, format: undefined, isUndeclared: true };
  const format = READABLE_FORMATS.find((known) => known === declared);
  if (format === undefined) {
    throw new DiskwrightError(
      "UNSUPPORTED_IMAGE",
      `the disk below, ${path}, is said to be of format "${declared}": ${READABLE_FORMATS.join(", ")} are read`,
    );
  }
  return { ...above, depth, format, isUndeclared: false };
}

/** Zeros of this length are left out, in bytes. */
const HOLE = 64 * 1024;

/** How much of a compressed file is read at once, in bytes. */
const PIECE = 256 * 1024;

/** What a compressed file holds, in a file without a name; zeros are holes. */
async function unpackedFile(
  file: FileSource,
  compression: Compression,
  { spoolDirectory, signal, onProgress }: Level,
): Promise<FileSource> {
  const { path } = file;
  const meter = onProgress && progressMeter(() => [{ position: 0, length: file.size }], onProgress);
  const directory = spoolDirectory ?? dirname(resolve(path));
  // Most images are not compressed: what unpacks them is loaded when it is needed.
  const { decompressed } = await import("./decompress.ts");
  const kept = <Result>(action: () => Result): Result => {
    try {
      return action();
    } catch (error) {
      throw new DiskwrightError(
        "OUTPUT",
        `${directory}: what ${path} holds is kept there: ${reasonOf(error)}; name a directory with room (--spool)`,
        { path: directory, cause: error },
      );
    }
  };
  const { descriptor } = kept(() => openUnnamed(directory));
  try {
    let size = 0;
    let untilTurn = BETWEEN_TURNS;
    for await (const piece of decompressed(piecesOf(file, meter?.reached), compression, path)) {
      for (let at = 0; at < piece.length; at += HOLE) {
        const part = piece.subarray(at, at + HOLE);
        if (!isZeros(part)) kept(() => writeAll(descriptor, part, size + at));
      }
      size += piece.length;
      untilTurn -= piece.length;
      if (untilTurn > 0) continue;
      untilTurn = BETWEEN_TURNS;
      await eventLoopTurn(signal);
    }
    file.verify();
    kept(() => ftruncateSync(descriptor, size));
    meter?.finished();
    return descriptorSource({ descriptor, size, path });
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** How much is unpacked between two looks at the signal, in bytes. */
const BETWEEN_TURNS = 16 * 1024 * 1024;

/** A file, piece by piece; `onRead` takes the end of each that was used. */
async function* piecesOf(file: FileSource, onRead?: (end: number) => void): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.size; at += PIECE) {
    yield file.read(at, Math.min(PIECE, file.size - at));
    onRead?.(at + PIECE);
  }
}
