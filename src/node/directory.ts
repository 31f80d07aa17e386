import {
  accessSync,
  type BigIntStats,
  constants,
  lstatSync,
  readdirSync,
  readlinkSync,
  statSync,
} from "node:fs";
import { resolve } from "node:path";
import { checkArgument } from "../arguments/index.ts";
import { appendAll, compareBytes, printable } from "../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../errors.ts";
import { type CancelSignal, eventLoopTurn, type FileContent } from "../extents/index.ts";
import {
  type ContentOrigin,
  type Device,
  fileMode,
  type RowAttributes,
  type Tree,
  TreeBuilder,
} from "../tree/index.ts";
import { directoryOptionsKind, hostPathKind } from "./arguments.ts";
import { FileReader } from "./file-reader.ts";
import { reasonOf } from "./host-error.ts";
import { joinPath, withReachable } from "./host-path.ts";
import { dataRanges, maybeSparse } from "./sparse.ts";
import { stampOf } from "./stamp.ts";
import { type XattrOptions, type XattrScan, xattrScan } from "./xattrs.ts";

/** What {@link directory} can be told. */
export interface DirectoryOptions extends XattrOptions {
  /** Leaves an entry out, and all that is below it. The path starts at the root of the tree: `/etc/x`. */
  readonly exclude?: ((path: string) => boolean) | undefined;
  readonly signal?: CancelSignal | undefined;
  /** Called now and then with the number of entries found so far. */
  readonly onProgress?: ((entries: number) => void) | undefined;
}

/** A directory that has been found, but not looked into. */
interface Pending {
  readonly row: number;
  readonly path: Buffer;
}

const ENTRIES_BETWEEN_TURNS = 4096;

/**
 * Some entries of a directory of the host, of any type, as a tree whose root holds them under their own names, and
 * is implied. A symlink is not followed. Of a directory there is what lies in it, too.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`.
 */
export async function entries(
  path: string,
  names: readonly Buffer[],
  options: DirectoryOptions = {},
): Promise<Tree> {
  checkArgument("path", path, hostPathKind);
  checkArgument("options", options, directoryOptionsKind);
  return await new Scan(path, options, await xattrScan(options), names).run();
}

/**
 * Scans a directory of the host into a tree: names as bytes, modes, owners, nanosecond times, device
 * numbers, hard links, holes, extended attributes. No symlink is followed, except that `path` itself may be one.
 * No content is read, but for files that have fewer blocks than their size needs.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`, naming everything below `path` that cannot be read.
 */
export async function directory(path: string, options: DirectoryOptions = {}): Promise<Tree> {
  checkArgument("path", path, hostPathKind);
  checkArgument("options", options, directoryOptionsKind);
  return await new Scan(path, options, await xattrScan(options)).run();
}

class Scan {
  readonly #root: Buffer;
  readonly #options: DirectoryOptions;
  readonly #builder: TreeBuilder;
  readonly #origin: DirectoryOrigin;
  readonly #xattrs: XattrScan | undefined;
  readonly #problems: string[] = [];
  /** The row of the first name of files with several, by device and inode. */
  readonly #linked = new Map<string, number>();
  /** Files with fewer blocks than their size needs. */
  readonly #sparse: { readonly row: number; readonly path: Buffer; readonly size: number }[] = [];
  /** Only root reads everything, so only others need to ask whether they may. */
  readonly #mustAsk = process.geteuid !== undefined && process.geteuid() !== 0;
  #untilTurn = ENTRIES_BETWEEN_TURNS;
  /** The names in the root that are looked at. Default: all. */
  readonly #only: readonly Buffer[] | undefined;

  constructor(
    path: string,
    options: DirectoryOptions,
    xattrs: XattrScan | undefined,
    only?: readonly Buffer[],
  ) {
    this.#only = only;
    this.#root = Buffer.from(resolve(path));
    this.#options = options;
    this.#xattrs = xattrs;
    let status: BigIntStats;
    try {
      status = statSync(this.#root, { bigint: true });
    } catch (error) {
      throw new DiskwrightError("SOURCE_UNREADABLE", `${path}: ${reasonOf(error)}`, { path, cause: error });
    }
    if (!status.isDirectory())
      throw new DiskwrightError("SOURCE_UNREADABLE", `${path}: not a directory`, { path });
    const attributes = attributesOf(status);
    // The one symlink that is followed: what lies behind it is meant.
    const inside = joinPath(this.#root, Buffer.from("."));
    this.#trying(this.#root, () => this.#addXattrs(attributes, this.#root, inside, true));
    this.#builder = new TreeBuilder(attributes);
    this.#origin = new DirectoryOrigin(this.#root);
  }

  async run(): Promise<Tree> {
    const pending: Pending[] = [{ row: 0, path: this.#root }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const found = this.#lookInto(next);
      appendAll(pending, found.reverse());
      if (this.#untilTurn <= 0) await this.#turn();
    }
    await this.#findHoles();
    throwProblems(
      "SOURCE_UNREADABLE",
      "the source cannot be read (--exclude leaves paths out)",
      this.#problems,
    );
    if (this.#only !== undefined) this.#builder.imply(0);
    for (const warning of this.#xattrs?.warnings ?? []) this.#options.onWarning?.(warning);
    const tree = this.#builder.finish([this.#origin]);
    this.#origin.tree = tree;
    return tree;
  }

  /** Looks for the holes of files that must have some. It takes long, so it comes after all that is quick. */
  async #findHoles(): Promise<void> {
    for (const { row, path, size } of this.#sparse) {
      try {
        const data = await dataRanges(path, size, () => this.#turn());
        if (data !== undefined) this.#builder.setData(row, data);
      } catch (error) {
        if (error instanceof DiskwrightError) throw error;
        this.#problems.push(`${printable(path)}: ${reasonOf(error)}`);
      }
    }
  }

  async #turn(): Promise<void> {
    this.#untilTurn = ENTRIES_BETWEEN_TURNS;
    this.#options.onProgress?.(this.#builder.length);
    await eventLoopTurn(this.#options.signal);
  }

  /** Adds what a directory holds; returns the directories among it. */
  #lookInto({ row, path }: Pending): Pending[] {
    const directories: Pending[] = [];
    this.#trying(path, () =>
      withReachable(path, (reachable) => {
        const names =
          row === 0 && this.#only !== undefined
            ? this.#only
            : readdirSync(reachable, { encoding: "buffer" }).sort(compareBytes);
        for (const name of names) {
          const child = joinPath(path, name);
          if (this.#isExcluded(child)) continue;
          this.#trying(child, () => {
            const near = reachable === path ? child : joinPath(reachable, name);
            const childRow = this.#add(row, name, child, near);
            if (childRow !== undefined) directories.push({ row: childRow, path: child });
          });
        }
        this.#untilTurn -= names.length;
      }),
    );
    return directories;
  }

  /** Adds one entry; returns its row when it is a directory. */
  #add(parent: number, name: Buffer, path: Buffer, reachable: Buffer): number | undefined {
    const status = lstatSync(reachable, { bigint: true });
    if (status.isDirectory()) {
      const attributes = attributesOf(status);
      this.#addXattrs(attributes, path, reachable, true);
      return this.#builder.add(parent, name, attributes);
    }
    const link = status.nlink > 1n ? `${status.dev}:${status.ino}` : undefined;
    const primary = link === undefined ? undefined : this.#linked.get(link);
    if (primary !== undefined) {
      this.#builder.addLink(parent, name, primary);
      return undefined;
    }
    if (this.#mustAsk && status.isFile()) accessSync(reachable, constants.R_OK);
    const attributes = attributesOf(status);
    this.#addXattrs(attributes, path, reachable, false);
    let row: number;
    if (status.isFile()) {
      if (maybeSparse(status))
        this.#sparse.push({ row: this.#builder.length, path, size: Number(status.size) });
      const key = this.#origin.add(this.#builder.length, Number(status.size), stampOf(status));
      attributes.size = Number(status.size);
      attributes.key = key;
      row = this.#builder.add(parent, name, attributes);
    } else if (status.isSymbolicLink()) {
      attributes.target = readlinkSync(reachable, { encoding: "buffer" });
      row = this.#builder.add(parent, name, attributes);
    } else {
      if (status.isCharacterDevice() || status.isBlockDevice()) attributes.device = deviceOf(status.rdev);
      row = this.#builder.add(parent, name, attributes);
    }
    if (link !== undefined) {
      this.#linked.set(link, row);
      this.#builder.setLinkKey(row, link);
    }
    return undefined;
  }

  #addXattrs(
    attributes: Writable<RowAttributes>,
    path: Buffer,
    reachable: Buffer,
    isDirectory: boolean,
  ): void {
    if (this.#xattrs === undefined) return;
    const own = { host: path, tree: () => this.#treePath(path) };
    const xattrs = this.#xattrs.read(reachable, isDirectory, own);
    if (xattrs !== undefined) attributes.xattrs = xattrs;
  }

  #isExcluded(path: Buffer): boolean {
    const { exclude } = this.#options;
    return exclude?.(this.#treePath(path)) ?? false;
  }

  /** A path of the host as one that starts at the root of the tree. */
  #treePath(path: Buffer): string {
    return `/${path.subarray(this.#root.length).toString().replace(/^\/+/, "")}`;
  }

  /** Notes what the system refuses and goes on, so that everything is told at once. */
  #trying(path: Buffer, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error instanceof DiskwrightError && error.code !== "INVALID_TREE") throw error;
      this.#problems.push(`${printable(path)}: ${reasonOf(error)}`);
    }
  }
}

/** The files of a scanned directory: how to find and recognise each, without keeping its path. */
class DirectoryOrigin implements ContentOrigin {
  readonly reader: FileReader = new FileReader();
  readonly #root: Uint8Array;
  /** The scanned tree, whose rows give the paths. */
  tree: Tree | undefined;
  #rows = new Uint32Array(16);
  #sizes = new Float64Array(16);
  #stamps = new Float64Array(16);
  #count = 0;

  constructor(root: Uint8Array) {
    // "/" itself is the one directory whose paths need no slash between.
    this.#root = root.length === 1 ? new Uint8Array(0) : root;
  }

  /** Keeps a file, and returns its key. */
  add(row: number, size: number, stamp: number): number {
    if (this.#count === this.#rows.length) {
      this.#rows = doubled(this.#rows);
      this.#sizes = doubled(this.#sizes);
      this.#stamps = doubled(this.#stamps);
    }
    this.#rows[this.#count] = row;
    this.#sizes[this.#count] = size;
    this.#stamps[this.#count] = stamp;
    return this.#count++;
  }

  content(key: number): FileContent {
    const path = this.tree!.path(this.#rows[key]!, this.#root);
    return { type: "file", path, size: this.#sizes[key]!, stamp: this.#stamps[key]! };
  }
}

function doubled<Column extends Uint32Array | Float64Array>(column: Column): Column {
  const Type = column.constructor as new (length: number) => Column;
  const larger = new Type(2 * column.length);
  larger.set(column);
  return larger;
}

type Writable<Value> = { -readonly [Name in keyof Value]: Value[Name] };

const NANOSECONDS = 1_000_000_000n;

function attributesOf(status: BigIntStats): Writable<RowAttributes> {
  const { mtimeNs } = status;
  // BigInt division rounds towards zero, times before 1970 towards the past.
  const seconds = mtimeNs >= 0n ? mtimeNs / NANOSECONDS : (mtimeNs - NANOSECONDS + 1n) / NANOSECONDS;
  return {
    mode: Number(status.mode) & (fileMode.TYPE_MASK | fileMode.PERMISSION_MASK),
    uid: Number(status.uid),
    gid: Number(status.gid),
    mtimeSeconds: Number(seconds),
    mtimeNanoseconds: Number(mtimeNs - seconds * NANOSECONDS),
  };
}

/** The two parts of a device number, as Linux packs them (`makedev(3)`). */
function deviceOf(packed: bigint): Device {
  return {
    major: Number(((packed >> 8n) & 0xfffn) | ((packed >> 32n) & ~0xfffn)),
    minor: Number((packed & 0xffn) | ((packed >> 12n) & 0xffffff00n)),
  };
}
