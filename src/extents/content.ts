import { bytes as bytesKind, checkArgument, list, shownValue } from "../arguments/index.ts";
import { DiskwrightError } from "../errors.ts";
import { contentKind } from "./arguments.ts";

/** A value now or later: synchronous sources stay cheap, asynchronous ones stay possible. */
export type Awaitable<Value> = Value | Promise<Value>;

/**
 * Where the bytes of a file come from. A reference is data wherever it can be, so that it can cross to a
 * worker thread; only {@link FunctionContent} is tied to the thread of its maker. Sizes are in bytes.
 */
export type Content = BytesContent | FileContent | FunctionContent | JoinedContent;

/** Bytes that are in memory. */
export interface BytesContent {
  readonly type: "bytes";
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** A part of a file that holds data, in bytes. */
export interface StoredRange {
  readonly offset: number;
  readonly length: number;
}

/** A file of the host, or a part of one, which a {@link ContentReader} opens. */
export interface FileContent {
  readonly type: "file";
  readonly size: number;
  /** The path on the host, as the bytes that the system uses. Parts of one file share one object. */
  readonly path: Uint8Array;
  /** A file that is open already, and is read instead of the one that has the path. */
  readonly descriptor?: number | undefined;
  /** Where the content starts in the file, in bytes. Default 0. */
  readonly start?: number | undefined;
  /**
   * The parts of the content that are in the file, one behind the other from `start` on; elsewhere there are
   * zeros. Default: all of it.
   */
  readonly stored?: readonly StoredRange[] | undefined;
  /** What the scan saw of the file; `undefined` for a file that nobody else can reach. */
  readonly stamp: FileStamp | undefined;
}

/** What tells a file of the host from every other one, and from itself after a change. */
export interface FileStamp {
  readonly device: bigint;
  readonly inode: bigint;
  /** Bytes of the whole file. */
  readonly size: number;
  /** When its content was last changed: whole seconds since 1970, and nanoseconds after them. */
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
}

/** Bytes from a function of the caller. */
export interface FunctionContent {
  readonly type: "function";
  readonly size: number;
  /** Fills `into` from `offset` and returns how many bytes it wrote; 0 means the end. */
  read(offset: number, into: Uint8Array): Awaitable<number>;
}

/** Contents as one, each behind the one before. Made by {@link joinedContent}. */
export interface JoinedContent {
  readonly type: "joined";
  readonly size: number;
  readonly parts: readonly Content[];
}

/** Opens and reads the {@link FileContent} references of a system. Holds at most a few files open. */
export interface ContentReader {
  /**
   * Fills `into` from `offset` and returns how many bytes it wrote; 0 means the end.
   *
   * @throws DiskwrightError `SOURCE_CHANGED` when the file is not the one that was scanned.
   */
  read(content: FileContent, offset: number, into: Uint8Array): Awaitable<number>;
  /**
   * Checks that the file that was read last is still the one that was scanned.
   *
   * @throws DiskwrightError `SOURCE_CHANGED` otherwise.
   */
  verify(): Awaitable<void>;
  close(): Awaitable<void>;
}

/** Content that is in memory. */
export function bytesContent(bytes: Uint8Array): BytesContent {
  if (!(bytes instanceof Uint8Array)) checkArgument("bytes", bytes, bytesKind);
  return { type: "bytes", size: bytes.length, bytes };
}

/** Contents as one, each behind the one before: a few large ones, since a place in them is searched for. */
export function joinedContent(parts: readonly Content[]): JoinedContent {
  checkArgument("parts", parts, list(contentKind));
  return { type: "joined", size: parts.reduce((size, part) => size + part.size, 0), parts };
}

/**
 * Fills `into` with what some content holds from `offset` on, and gives how many bytes that were: some of them
 * at least, 0 at the end. `reader` opens the files of the host.
 *
 * @throws TypeError when the content is a file and there is no reader.
 */
export function readContent(
  content: Content,
  offset: number,
  into: Uint8Array,
  reader: ContentReader | undefined,
): Awaitable<number> {
  switch (content.type) {
    case "bytes": {
      const part = content.bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    }
    case "function":
      return checkedCount(content.read(offset, into), into);
    case "file":
      if (reader === undefined) throw new TypeError("the content of host files needs the option `reader`");
      return checkedCount(reader.read(content, offset, into), into);
    case "joined": {
      const place = placeIn(content, offset);
      if (place === undefined) return 0;
      const room = Math.min(into.length, place.content.size - place.offset);
      return readContent(place.content, place.offset, into.subarray(0, room), reader);
    }
    default:
      return unknownContent(content);
  }
}

function unknownContent(content: never): never {
  const { type } = content as { readonly type?: unknown };
  throw new TypeError(
    `content of the type ${shownValue(type)} cannot be read: use bytes, file, function or joined`,
  );
}

/** What a caller's code read, now or later: anything but a count would put other bytes into the image. */
function checkedCount(reading: Awaitable<number>, into: Uint8Array): Awaitable<number> {
  if (typeof reading === "object" && reading !== null)
    return reading.then((count) => checkCount(count, into));
  return checkCount(reading, into);
}

function checkCount(count: number, into: Uint8Array): number {
  if (Number.isInteger(count) && count >= 0 && count <= into.length) return count;
  throw new TypeError(
    `a content's read(offset, into) gave ${shownValue(count)}: it must give how many bytes it wrote, at most ${into.length}`,
  );
}

/** Which part of a joined content holds the byte at `offset`, and where in the part it lies. */
function placeIn({ parts }: JoinedContent, offset: number): { content: Content; offset: number } | undefined {
  let rest = offset;
  for (const content of parts) {
    if (rest < content.size) return { content, offset: rest };
    rest -= content.size;
  }
  return undefined;
}

/** The host file that the byte at `offset` comes from, for messages; `undefined` when it comes from elsewhere. */
export function fileAt(content: Content, offset: number): FileContent | undefined {
  if (content.type === "file") return content;
  const place = content.type === "joined" ? placeIn(content, offset) : undefined;
  return place === undefined ? undefined : fileAt(place.content, place.offset);
}

/**
 * All bytes of some content, for what has to be read before anything is planned.
 *
 * @throws DiskwrightError `SOURCE_CHANGED` when it ends early.
 */
export function contentBytes(content: Content, reader: ContentReader | undefined): Promise<Uint8Array> {
  return contentStart(content, reader, content.size);
}

/** The first bytes of some content: `length` of them, or fewer where it is shorter; see {@link contentBytes}. */
export async function contentStart(
  content: Content,
  reader: ContentReader | undefined,
  length: number,
): Promise<Uint8Array> {
  if (content.type === "bytes") return content.bytes.subarray(0, length);
  const bytes = new Uint8Array(Math.min(length, content.size));
  await fillFrom(content, 0, bytes, reader);
  return bytes;
}

/**
 * Fills all of `into` with what some content holds from `offset` on.
 *
 * @throws DiskwrightError `SOURCE_CHANGED` when it ends early.
 */
export async function fillFrom(
  content: Content,
  offset: number,
  into: Uint8Array,
  reader: ContentReader | undefined,
): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const count = await readContent(content, offset + done, into.subarray(done), reader);
    if (count === 0) throw new DiskwrightError("SOURCE_CHANGED", "a content source ended before its size");
    done += count;
  }
}
