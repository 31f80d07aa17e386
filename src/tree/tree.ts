import { compareBytes, printable, utf8 } from "../bytes/index.ts";
import type { Content, ContentReader } from "../extents/index.ts";
import type { RowAttributes } from "./builder.ts";
import type { DataRange, Device, Entry } from "./entry.ts";
import * as mode from "./mode.ts";
import { pathBytes } from "./path.ts";
import { resolvedRow } from "./resolve.ts";
import type { Xattrs, XattrTable } from "./xattrs.ts";

/** Where the content of some entries comes from: one origin for each source that a tree was made from. */
export interface ContentOrigin {
  /** The content that the source knows as `key`. Called when it is needed, not before. */
  content(key: number): Content;
  /** What opens this origin's content, when it consists of files of the host. */
  readonly reader?: ContentReader;
}

/**
 * The columns of a tree: one row for each entry, about 65 bytes and the name. Row 0 is the root. The
 * children of a directory are consecutive rows, sorted by the bytes of their names, and everything below a
 * directory is one consecutive range of rows. So the order of a source never reaches an image.
 */
export interface TreeColumns {
  readonly length: number;
  /** Row of the parent directory; the root is its own parent. */
  readonly parent: Uint32Array;
  readonly nameStart: Uint32Array;
  readonly nameLength: Uint8Array;
  /** Type and permission bits, as stat(2) has them. */
  readonly mode: Uint16Array;
  readonly uid: Uint32Array;
  readonly gid: Uint32Array;
  readonly mtimeSeconds: Float64Array;
  readonly mtimeNanoseconds: Uint32Array;
  /** Bytes of a file or of a symlink's target. */
  readonly size: Float64Array;
  /** Row of the first child, and how many there are. */
  readonly firstChild: Uint32Array;
  readonly childCount: Uint32Array;
  /** The first row of a set of hard links; the row itself elsewhere. */
  readonly primary: Uint32Array;
  /** Which origin a file's content comes from, and the origin's key for it. */
  readonly origin: Uint16Array;
  readonly key: Uint32Array;
  /** The bytes of all names. */
  readonly names: Uint8Array;
}

/** What few entries have, kept beside the columns by row. */
export interface TreeExtras {
  readonly targets: ReadonlyMap<number, Uint8Array>;
  readonly devices: ReadonlyMap<number, Device>;
  readonly data: ReadonlyMap<number, readonly DataRange[]>;
  readonly xattrs: XattrTable;
  /** How many names the first row of a set of hard links has, itself included. */
  readonly linkCounts: ReadonlyMap<number, number>;
  /**
   * What names the inode of files that have further names outside of the tree, as other trees of the same
   * source have it too.
   */
  readonly linkKeys?: ReadonlyMap<number, string>;
  /** Directories that no source told of, but for the paths of what lies in them. */
  readonly implied?: ReadonlySet<number>;
}

/** What to store: directories, files and all else, with their metadata, and references to their content. */
export class Tree {
  readonly columns: TreeColumns;
  readonly extras: TreeExtras;
  readonly origins: readonly ContentOrigin[];

  constructor(columns: TreeColumns, extras: TreeExtras, origins: readonly ContentOrigin[]) {
    this.columns = columns;
    this.extras = extras;
    this.origins = origins;
  }

  /** What opens the files of the host that the tree refers to; one reader serves all of a host's files. */
  get reader(): ContentReader | undefined {
    return this.origins.find(({ reader }) => reader !== undefined)?.reader;
  }

  /** Entries, the root included. Rows run from 0 to `length - 1`. */
  get length(): number {
    return this.columns.length;
  }

  /** The bytes of an entry's name; empty for the root. A view, not to be changed. */
  name(row: number): Uint8Array {
    const start = this.columns.nameStart[row]!;
    return this.columns.names.subarray(start, start + this.columns.nameLength[row]!);
  }

  /** The type bits of an entry, one of the constants of `mode.ts`. */
  typeBits(row: number): number {
    return this.columns.mode[row]! & mode.TYPE_MASK;
  }

  isDirectory(row: number): boolean {
    return this.typeBits(row) === mode.DIRECTORY;
  }

  isFile(row: number): boolean {
    return this.typeBits(row) === mode.FILE;
  }

  isSymlink(row: number): boolean {
    return this.typeBits(row) === mode.SYMLINK;
  }

  /** Whether the row is a further name of an entry whose first name is an earlier row. */
  isFurtherLink(row: number): boolean {
    return this.columns.primary[row] !== row;
  }

  /** How many names a non-directory has. */
  linkCount(row: number): number {
    return this.extras.linkCounts.get(this.columns.primary[row]!) ?? 1;
  }

  /** What a symlink points to. */
  target(row: number): Uint8Array {
    return this.extras.targets.get(this.columns.primary[row]!) ?? new Uint8Array(0);
  }

  /** The number of a device entry. */
  device(row: number): Device | undefined {
    return this.extras.devices.get(this.columns.primary[row]!);
  }

  /** The parts of a sparse file that hold data, or `undefined` when all of it does. */
  data(row: number): readonly DataRange[] | undefined {
    return this.extras.data.get(this.columns.primary[row]!);
  }

  /** Extended attributes, or `undefined` when there are none. Entries with equal ones share one object. */
  xattrs(row: number): Xattrs | undefined {
    return this.extras.xattrs.get(this.columns.primary[row]!);
  }

  /** Whether a directory is only known from the paths of what lies in it. */
  isImplied(row: number): boolean {
    return this.extras.implied?.has(row) ?? false;
  }

  /** What a row describes, as a {@link TreeBuilder} takes it. */
  attributes(row: number): RowAttributes {
    const { columns } = this;
    const primary = columns.primary[row]!;
    return {
      mode: columns.mode[primary]!,
      uid: columns.uid[primary]!,
      gid: columns.gid[primary]!,
      mtimeSeconds: columns.mtimeSeconds[primary]!,
      mtimeNanoseconds: columns.mtimeNanoseconds[primary]!,
      size: columns.size[primary]!,
      origin: columns.origin[primary]!,
      key: columns.key[primary]!,
      target: this.extras.targets.get(primary),
      device: this.extras.devices.get(primary),
      data: this.extras.data.get(primary),
      xattrs: this.extras.xattrs.get(primary),
    };
  }

  /** A reference to what a file holds. */
  content(row: number): Content {
    const primary = this.columns.primary[row]!;
    return this.origins[this.columns.origin[primary]!]!.content(this.columns.key[primary]!);
  }

  /**
   * The bytes of an entry's path from the root: `/etc/passwd`; the root itself is `/`. With a prefix, such as
   * the directory that the tree was read from, the path behind it.
   */
  path(row: number, prefix: Uint8Array = NO_BYTES): Uint8Array {
    if (row === 0) return Uint8Array.from([...prefix, SLASH]);
    const { parent, nameStart, nameLength, names } = this.columns;
    let length = prefix.length;
    for (let at = row; at !== 0; at = parent[at]!) length += 1 + nameLength[at]!;
    const path = new Uint8Array(length);
    path.set(prefix);
    for (let at = row, end = length; at !== 0; at = parent[at]!) {
      const start = nameStart[at]!;
      for (let from = start + nameLength[at]! - 1; from >= start; from--) path[--end] = names[from]!;
      path[--end] = SLASH;
    }
    return path;
  }

  /** An entry's path for messages, with what is not printable escaped. */
  displayPath(row: number): string {
    return printable(this.path(row));
  }

  /** The row of the child of `directory` that has this name, by binary search. */
  child(directory: number, name: Uint8Array): number | undefined {
    let low = this.columns.firstChild[directory]!;
    let high = low + this.columns.childCount[directory]! - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = compareBytes(this.name(middle), name);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** The row of a path from the root, such as `/boot/grub`. Symlinks are not followed. */
  find(path: string): number | undefined {
    let row: number | undefined = 0;
    for (const name of path.split("/")) {
      if (name === "" || name === ".") continue;
      if (row === undefined || !this.isDirectory(row)) return undefined;
      row = this.child(row, utf8(name));
    }
    return row;
  }

  /**
   * The row that a path from the root leads to, over symlinks, none of which leads out of the tree. `undefined` when
   * it leads nowhere, or in a circle.
   */
  resolve(path: string | Uint8Array): number | undefined {
    return resolvedRow(
      {
        child: (directory, bytes, start, end) => this.child(directory, bytes.subarray(start, end)),
        parent: (row) => this.columns.parent[row]!,
        isDirectory: (row) => this.isDirectory(row),
        target: (row) => (this.isSymlink(row) ? this.target(row) : undefined),
      },
      pathBytes(path),
    );
  }

  /** The rows in a directory, in the order of their names. */
  *children(directory: number): Generator<number> {
    const first = this.columns.firstChild[directory]!;
    for (let row = first; row < first + this.columns.childCount[directory]!; row++) yield row;
  }

  /** The range of rows below a directory, itself left out: from `start` up to, not including, `end`. */
  descendants(directory: number): { readonly start: number; readonly end: number } {
    const start = this.columns.firstChild[directory]!;
    let end = start + this.columns.childCount[directory]!;
    // The rows of a child's own children follow, so the last child that has any leads to the end.
    for (let first = start, at = end - 1; at >= first; at--) {
      if (this.columns.childCount[at] === 0) continue;
      first = this.columns.firstChild[at]!;
      end = at = first + this.columns.childCount[at]!;
    }
    return { start, end };
  }

  /** The entries as plain objects, parents before children. */
  *entries(): Generator<Entry> {
    for (let row = 0; row < this.length; row++) yield this.entry(row);
  }

  /** One entry as a plain object. */
  entry(row: number): Entry {
    const { columns } = this;
    const path = this.path(row);
    if (this.isFurtherLink(row)) return { path, type: "hardlink", target: this.path(columns.primary[row]!) };
    const type = mode.typeOfMode(columns.mode[row]!)!;
    const data = this.data(row);
    const device = this.device(row);
    const xattrs = this.xattrs(row);
    return {
      path,
      type,
      mode: columns.mode[row]! & mode.PERMISSION_MASK,
      uid: columns.uid[row]!,
      gid: columns.gid[row]!,
      mtime: BigInt(columns.mtimeSeconds[row]!) * 1_000_000_000n + BigInt(columns.mtimeNanoseconds[row]!),
      ...(type === "file" ? { content: this.content(row) } : {}),
      ...(type === "symlink" ? { target: this.target(row) } : {}),
      ...(data === undefined ? {} : { data }),
      ...(device === undefined ? {} : { device }),
      ...(xattrs === undefined ? {} : { xattrs }),
    };
  }
}

const SLASH = 0x2f;
const NO_BYTES = new Uint8Array(0);
