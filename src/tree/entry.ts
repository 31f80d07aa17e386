import type { BlobLike, Content } from "../extents/index.ts";
import type { Xattrs } from "./xattrs.ts";

/** What an entry is. A `hardlink` is another name of an entry that is given elsewhere in the tree. */
export type EntryType =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "character"
  | "block"
  | "fifo"
  | "socket";

/** A device number (`mknod`): major 0 … 4095, minor 0 … 1048575 are what Linux knows. */
export interface Device {
  readonly major: number;
  readonly minor: number;
}

/** A part of a file that holds data, in bytes. */
export interface DataRange {
  readonly offset: number;
  readonly length: number;
}

/** One thing to store, as plain data. Any iterable of entries is a source of a tree. */
export interface Entry {
  /** Where it goes, from the root: text, or bytes when the name is not UTF-8. A leading slash is ignored. */
  readonly path: string | Uint8Array;
  readonly type: EntryType;
  /** Permission bits, 0 … 0o7777. Default 0o755 for directories, 0o777 for symlinks, else 0o644. */
  readonly mode?: number;
  /** Owner, 0 … 2^32 - 1. Default 0. */
  readonly uid?: number;
  /** Group, 0 … 2^32 - 1. Default 0. */
  readonly gid?: number;
  /**
   * Time of the last change, in nanoseconds since 1970-01-01 UTC: a BigInt, since a number holds them to some 200
   * nanoseconds only. `BigInt(seconds) * 1_000_000_000n` of seconds. Default 0.
   */
  readonly mtime?: bigint;
  /** What a file holds; bytes, text (stored as UTF-8), a `Blob` or `File`, or a reference. Default: empty. */
  readonly content?: Uint8Array | string | BlobLike | Content;
  /** The parts of a file that hold data, ascending; everything else is a hole. Default: all of it. */
  readonly data?: readonly DataRange[];
  /** Of a symlink: what it points to. Of a hardlink: the path of the entry that it names. */
  readonly target?: string | Uint8Array;
  /** Of a device: its number. */
  readonly device?: Device;
  /**
   * Extended attributes by full name (`user.comment`), 1 … 255 bytes each, and their values as getxattr(2) gives
   * them, 0 … 65,536 bytes. Those of a hardlink are those of the entry that it names.
   */
  readonly xattrs?: Xattrs;
}
