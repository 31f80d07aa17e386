import { closeSync, ftruncateSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, isAbsolute, resolve } from "node:path";
import { type Disk, isZeros, rawDisk } from "../container/index.ts";
import { DiskwrightError, type ErrorCode } from "../errors.ts";
import { type ByteSource, contentSource } from "../extents/index.ts";
import { formatOfName, openDisk, READABLE_FORMATS, type ReadableFormat } from "../formats/index.ts";
import { tarArchive } from "./archive.ts";
import { type Compression, compressionOf, MAGIC_SIZE } from "./compression.ts";
import { FileReader } from "./file-reader.ts";
import { descriptorSource, type FileSource, fileSource } from "./file-source.ts";
import { reasonOf } from "./host-error.ts";
import { RawFileDisk } from "./sparse-disk.ts";
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
 * @throws DiskwrightError `SOURCE_UNREADABLE`, `CORRUPT` or `UNSUPPORTED_IMAGE`, with the path.
 */
export async function openImage(path: string, options: OpenImageOptions = {}): Promise<OpenedImage> {
  const files: FileSource[] = [];
  const close = (): void => {
    for (const file of files) file.close();
  };
  try {
    return { disk: await aboutImage(path, () => openAt(path, options, files, 0)), close };
  } catch (error) {
    close();
    throw error;
  }
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

/** How one of several disks, each below the other, is opened. */
interface LevelOptions extends OpenImageOptions {
  /** The disk above does not say what format this one has. */
  readonly isUndeclared?: boolean | undefined;
}

const ABOUT_IMAGES: ReadonlySet<ErrorCode> = new Set(["CORRUPT", "UNSUPPORTED_IMAGE", "SOURCE_CHANGED"]);

async function openAt(
  path: string,
  options: LevelOptions,
  files: FileSource[],
  depth: number,
): Promise<Disk> {
  if (depth > DEEPEST_BACKING) {
    throw new DiskwrightError(
      "CORRUPT",
      `${path}: the disks below it are more than ${DEEPEST_BACKING}, or go in a circle`,
    );
  }
  const file = fileSource(path);
  files.push(file);
  if (options.format !== undefined) return openContent(path, file, options, files, depth);
  const spoolDirectory = options.spoolDirectory ?? dirname(resolve(path));
  const compression = compressionOf(file.read(0, Math.min(file.size, MAGIC_SIZE)));
  if (compression === undefined) {
    return isTar(file) ? openArchived(path, spoolDirectory) : openContent(path, file, options, files, depth);
  }
  const unpacked = await unpackedFile(path, compression, spoolDirectory);
  files.push(unpacked);
  return isTar(unpacked)
    ? openArchived(path, spoolDirectory)
    : openContent(
        path,
        unpacked,
        { isBackingAllowed: options.isBackingAllowed, isUndeclared: options.isUndeclared },
        files,
        depth,
      );
}

/** The magic of every tar since POSIX.1-1988, and of GNU tar. */
function isTar(file: FileSource): boolean {
  return file.size >= 512 && Buffer.from(file.read(257, 5)).toString("latin1") === "ustar";
}

/** The disk in an archive, as Google's cloud exports it: the file `disk.raw`. */
async function openArchived(path: string, spoolDirectory: string): Promise<Disk> {
  const tree = await tarArchive(path, { spoolDirectory });
  const row = tree.find("/disk.raw");
  if (row === undefined) {
    throw new DiskwrightError(
      "UNSUPPORTED_IMAGE",
      "it is a tar that holds no disk.raw: unpack it, or build an image of it (diskwright build --root)",
    );
  }
  return { ...rawDisk(contentSource(tree.content(row), new FileReader())), format: "gce" };
}

async function openContent(
  path: string,
  file: FileSource,
  { format, isBackingAllowed = false, isUndeclared = false }: LevelOptions,
  files: FileSource[],
  depth: number,
): Promise<Disk> {
  const backing = async (name: string, declared: string | undefined): Promise<ByteSource> => {
    if (isUndeclared) {
      throw new DiskwrightError(
        "UNSUPPORTED_IMAGE",
        `${path} is below another disk, which does not say its format, and looks like a difference to ${JSON.stringify(name)}: if it is one, say so in the one above (qemu-img rebase -u -F qcow2 -b …)`,
      );
    }
    const below = isAbsolute(name) ? name : resolve(dirname(path), name);
    return openAt(below, belowOptions(below, declared), files, depth + 1);
  };
  const disk = await openDisk(file, {
    format,
    unpackers: async () => (await import("./native-packing.ts")).nativeUnpackers(),
    ...(isBackingAllowed ? { backing } : {}),
  });
  if (disk.format !== "raw" || format !== undefined) return fromFile(disk, file, disk.problems);
  const named = formatOfName(path);
  const isOther = named !== undefined && named !== "raw" && READABLE_FORMATS.some((known) => known === named);
  const problem = `its name says ${named}, but it is none: it is taken as a raw disk`;
  return fromFile(disk, file, isOther ? [...disk.problems, problem] : disk.problems);
}

/** A raw disk in a file that has a name is read in a way of its own. */
function fromFile(disk: Disk, file: FileSource, problems: readonly string[]): Disk {
  return disk.format === "raw" && file.isNamed ? new RawFileDisk(file, problems) : disk;
}

/**
 * A disk below is opened as what the one above says that it is: who could write to a raw disk can make it look like
 * any other. Where that is not said, what it looks like may name no further files.
 */
function belowOptions(path: string, declared: string | undefined): LevelOptions {
  if (declared === undefined) return { isBackingAllowed: true, isUndeclared: true };
  const format = READABLE_FORMATS.find((known) => known === declared);
  if (format === undefined) {
    throw new DiskwrightError(
      "UNSUPPORTED_IMAGE",
      `the disk below, ${path}, is said to be of format "${declared}": ${READABLE_FORMATS.join(", ")} are read`,
    );
  }
  return { format, isBackingAllowed: true };
}

const CHUNK = 64 * 1024;

/** What a compressed file holds, in a file without a name; zeros are holes. */
async function unpackedFile(path: string, compression: Compression, directory: string): Promise<FileSource> {
  // Most images are not compressed: what unpacks them is loaded when it is needed.
  const { decompressed } = await import("./decompress.ts");
  const { descriptor } = openUnnamed(directory);
  let size = 0;
  try {
    const source = await open(path);
    for await (const piece of decompressed(source.createReadStream(), compression, path)) {
      for (let at = 0; at < piece.length; at += CHUNK) {
        const part = piece.subarray(at, at + CHUNK);
        if (!isZeros(part)) writeAll(descriptor, part, size + at);
      }
      size += piece.length;
    }
    ftruncateSync(descriptor, size);
  } catch (error) {
    closeSync(descriptor);
    if (error instanceof DiskwrightError) throw error;
    throw new DiskwrightError(
      "OUTPUT",
      `${directory}: what ${path} holds is kept there: ${reasonOf(error)}`,
      {
        path: directory,
        cause: error,
      },
    );
  }
  return descriptorSource({ descriptor, size, path });
}
