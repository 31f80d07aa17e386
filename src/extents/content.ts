/** A value now or later: synchronous sources stay cheap, asynchronous ones stay possible. */
export type Awaitable<Value> = Value | Promise<Value>;

/**
 * Where the bytes of a file come from. A reference is data wherever it can be, so that it can cross to a
 * worker thread; only {@link FunctionContent} is tied to the thread of its maker. Sizes are in bytes.
 */
export type Content = BytesContent | FileContent | FunctionContent;

/** Bytes that are in memory. */
export interface BytesContent {
  readonly type: "bytes";
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** A file of the host, which a {@link ContentReader} opens. */
export interface FileContent {
  readonly type: "file";
  readonly size: number;
  /** The path on the host, as the bytes that the system uses. */
  readonly path: Uint8Array;
  /** What the scan saw of the file's identity (inode, size, times), folded into one number. */
  readonly stamp: number;
}

/** Bytes from a function of the caller. */
export interface FunctionContent {
  readonly type: "function";
  readonly size: number;
  /** Fills `into` from `offset` and returns how many bytes it wrote; 0 means the end. */
  read(offset: number, into: Uint8Array): Awaitable<number>;
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
  return { type: "bytes", size: bytes.length, bytes };
}
