import { compareBytes, printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { DataRange, Device } from "./entry.ts";
import { DIRECTORY } from "./mode.ts";
import { enlarged } from "./name-table.ts";
import { type ContentOrigin, Tree, type TreeColumns, type TreeExtras } from "./tree.ts";
import { type Xattrs, XattrTable } from "./xattrs.ts";

/** The metadata of one row. */
export interface RowAttributes {
  /** Type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970, and nanoseconds from 0 to 999,999,999 after them. */
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** Bytes of a file. */
  readonly size?: number | undefined;
  /** Origin and key of a file's content. */
  readonly origin?: number | undefined;
  readonly key?: number | undefined;
  readonly target?: Uint8Array | undefined;
  readonly device?: Device | undefined;
  readonly data?: readonly DataRange[] | undefined;
  readonly xattrs?: Xattrs | undefined;
}

type Growable<Columns> = { -readonly [Name in keyof Columns]: Columns[Name] };

/** The longest name that ext4, and most other filesystems, can hold. */
export const LONGEST_NAME = 255;

/**
 * Makes a tree row by row, in the order that {@link TreeColumns} has. The root comes first; then, for each
 * directory, its children in one go, sorted, before the children of any of them.
 */
export class TreeBuilder {
  readonly #columns: Growable<TreeColumns>;
  readonly #targets = new Map<number, Uint8Array>();
  readonly #devices = new Map<number, Device>();
  readonly #data = new Map<number, readonly DataRange[]>();
  readonly #xattrs = new XattrTable();
  readonly #linkCounts = new Map<number, number>();
  readonly #linkKeys = new Map<number, string>();
  readonly #implied = new Set<number>();
  /** Few: of rules that copy one file each there can be many. */
  #capacity = 16;
  #nameBytes = 0;

  constructor(root: RowAttributes) {
    this.#columns = {
      length: 0,
      parent: new Uint32Array(this.#capacity),
      nameStart: new Uint32Array(this.#capacity),
      nameLength: new Uint8Array(this.#capacity),
      mode: new Uint16Array(this.#capacity),
      uid: new Uint32Array(this.#capacity),
      gid: new Uint32Array(this.#capacity),
      mtimeSeconds: new Float64Array(this.#capacity),
      mtimeNanoseconds: new Uint32Array(this.#capacity),
      size: new Float64Array(this.#capacity),
      firstChild: new Uint32Array(this.#capacity),
      childCount: new Uint32Array(this.#capacity),
      primary: new Uint32Array(this.#capacity),
      origin: new Uint16Array(this.#capacity),
      key: new Uint32Array(this.#capacity),
      names: new Uint8Array(16 * this.#capacity),
    };
    this.#append(0, new Uint8Array(0), root);
  }

  /** Rows so far. */
  get length(): number {
    return this.#columns.length;
  }

  /**
   * Adds a child of the directory in row `parent`, and returns its row.
   *
   * @throws DiskwrightError `INVALID_TREE` when the name is one that no directory can hold.
   */
  add(parent: number, name: Uint8Array, attributes: RowAttributes): number {
    const columns = this.#columns;
    checkName(name, () => this.#displayPath(parent));
    const count = columns.childCount[parent]!;
    if (count === 0) columns.firstChild[parent] = columns.length;
    else {
      if (columns.firstChild[parent]! + count !== columns.length) {
        throw new RangeError("the children of a directory must be added in one go");
      }
      const last = columns.length - 1;
      const lastStart = columns.nameStart[last]!;
      if (compareBytes(columns.names.subarray(lastStart, lastStart + columns.nameLength[last]!), name) >= 0) {
        throw new RangeError(
          "the children of a directory must be added in the order of their names, each once",
        );
      }
    }
    columns.childCount[parent] = count + 1;
    return this.#append(parent, name, attributes);
  }

  /** Adds a further name for the non-directory in the earlier row `primary`, and returns its row. */
  addLink(parent: number, name: Uint8Array, primary: number): number {
    const columns = this.#columns;
    const row = this.add(parent, name, {
      mode: columns.mode[primary]!,
      uid: columns.uid[primary]!,
      gid: columns.gid[primary]!,
      mtimeSeconds: columns.mtimeSeconds[primary]!,
      mtimeNanoseconds: columns.mtimeNanoseconds[primary]!,
      size: columns.size[primary]!,
      origin: columns.origin[primary]!,
      key: columns.key[primary]!,
    });
    columns.primary[row] = primary;
    this.#linkCounts.set(primary, (this.#linkCounts.get(primary) ?? 1) + 1);
    return row;
  }

  /** Says which parts of the file in a row hold data, when that is known only later. */
  setData(row: number, data: readonly DataRange[]): void {
    this.#data.set(row, data);
  }

  /** Says what names the inode in a row where it has further names outside of the tree. */
  setLinkKey(row: number, key: string): void {
    this.#linkKeys.set(row, key);
  }

  /** Says that the directory in a row is only known from the paths of others. */
  imply(row: number): void {
    this.#implied.add(row);
  }

  /** The finished tree. The builder must not be used afterwards. */
  finish(origins: readonly ContentOrigin[]): Tree {
    const columns = this.#columns;
    const extras: TreeExtras = {
      targets: this.#targets,
      devices: this.#devices,
      data: this.#data,
      xattrs: this.#xattrs,
      linkCounts: this.#linkCounts,
      linkKeys: this.#linkKeys,
      implied: this.#implied,
    };
    return new Tree(columns, extras, origins);
  }

  #append(parent: number, name: Uint8Array, attributes: RowAttributes): number {
    const columns = this.#columns;
    const row = columns.length;
    if (row === this.#capacity) this.#grow();
    if (this.#nameBytes + name.length > columns.names.length) columns.names = enlarged(columns.names);
    columns.names.set(name, this.#nameBytes);
    columns.parent[row] = parent;
    columns.nameStart[row] = this.#nameBytes;
    columns.nameLength[row] = name.length;
    columns.mode[row] = attributes.mode;
    columns.uid[row] = attributes.uid;
    columns.gid[row] = attributes.gid;
    columns.mtimeSeconds[row] = attributes.mtimeSeconds;
    columns.mtimeNanoseconds[row] = attributes.mtimeNanoseconds;
    columns.size[row] = attributes.size ?? attributes.target?.length ?? 0;
    columns.primary[row] = row;
    columns.origin[row] = attributes.origin ?? 0;
    columns.key[row] = attributes.key ?? 0;
    if (attributes.target !== undefined) this.#targets.set(row, attributes.target);
    if (attributes.device !== undefined) this.#devices.set(row, attributes.device);
    if (attributes.data !== undefined) this.#data.set(row, attributes.data);
    if (attributes.xattrs !== undefined) this.#xattrs.set(row, attributes.xattrs);
    this.#nameBytes += name.length;
    columns.length++;
    return row;
  }

  #grow(): void {
    this.#capacity *= 2;
    const columns = this.#columns as unknown as Record<string, number | Uint8Array>;
    for (const [name, column] of Object.entries(columns)) {
      if (typeof column !== "number" && name !== "names") columns[name] = enlarged(column as Uint8Array);
    }
  }

  #displayPath(row: number): string {
    const columns = this.#columns;
    let path = "";
    for (let at = row; at !== 0; at = columns.parent[at]!) {
      const start = columns.nameStart[at]!;
      path = `/${printable(columns.names.subarray(start, start + columns.nameLength[at]!))}${path}`;
    }
    return path === "" ? "/" : path;
  }
}

/** A directory's attributes when nothing is known of it: 0755, root:root, 1970. */
export const PLAIN_DIRECTORY: RowAttributes = {
  mode: DIRECTORY | 0o755,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
};

const SLASH = 0x2f;
const DOT = 0x2e;

function checkName(name: Uint8Array, parentPath: () => string): void {
  const problem = nameProblem(name);
  if (problem === undefined) return;
  const parent = parentPath();
  throw new DiskwrightError("INVALID_TREE", `"${printable(name)}" in ${parent}: ${problem}`, {
    path: parent,
  });
}

/** What keeps a name from being one of a directory, or `undefined`. */
export function nameProblem(name: Uint8Array): string | undefined {
  if (name.length === 0) return "a name cannot be empty";
  if (name.length > LONGEST_NAME)
    return `the name has ${name.length} bytes, a filesystem holds ${LONGEST_NAME}: shorten it`;
  if (name.includes(0)) return "a name cannot contain a NUL byte";
  if (name.includes(SLASH)) return "a name cannot contain a slash";
  if (name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT))) {
    return 'the names "." and ".." are those of a directory itself and its parent';
  }
  return undefined;
}
