import { isUtf8 } from "node:buffer";
import { accessSync, type BigIntStats, constants, lstatSync, readlinkSync } from "node:fs";
import { resolve } from "node:path";
import { checkArgument } from "../arguments/index.ts";
import { compareBytes, printable } from "../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../errors.ts";
import { type CancelSignal, eventLoopTurn, type FileContent, type FileStamp } from "../extents/index.ts";
import {
  type ContentOrigin,
  type Device,
  fileMode,
  type RowAttributes,
  shownPath,
  type Tree,
  TreeBuilder,
} from "../tree/index.ts";
import { directoryOptionsKind, hostPathKind } from "./arguments.ts";
import { changeBehind, changedSource } from "./changed.ts";
import { FileReader } from "./file-reader.ts";
import { reasonOf } from "./host-error.ts";
import { joinPath, LONGEST_PATH } from "./host-path.ts";
import { type OpenedDirectory, withDirectory } from "./opened-directory.ts";
import { isSettled, type SeenDirectory, Witnesses } from "./settled.ts";
import { dataRanges, maybeSparse } from "./sparse.ts";
import { modifiedAt, stampOf } from "./stamp.ts";
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
  readonly seen: SeenDirectory;
  /** Whether a change of any directory above it, since it was found, will be seen in the end. */
  readonly isPathWatched: boolean;
  /** Whether the same is true for its own entries. */
  readonly isWatched: boolean;
}

/** The directory whose entries are being added. */
interface Parent {
  readonly row: number;
  /** Its path on the host. */
  readonly path: Buffer;
  /** How its entries are reached. */
  readonly opened: Pick<OpenedDirectory, "child">;
  /** Its path on the host as text, where that leads to it as well. */
  readonly text: string | undefined;
  /** Its path in the tree, without a slash at the end. */
  readonly treePath: string;
  readonly isWatched: boolean;
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
  return await scan(path, options, names);
}

/**
 * Scans a directory of the host into a tree: names as bytes, modes, owners, nanosecond times, device
 * numbers, hard links, holes, extended attributes. No symlink is followed, except that `path` itself may be one.
 * No content is read, but for files that have fewer blocks than their size needs.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`, naming everything below `path` that cannot be read; `SOURCE_CHANGED`,
 *   naming what was removed or replaced meanwhile.
 */
export async function directory(path: string, options: DirectoryOptions = {}): Promise<Tree> {
  checkArgument("path", path, hostPathKind);
  checkArgument("options", options, directoryOptionsKind);
  return await scan(path, options);
}

async function scan(path: string, options: DirectoryOptions, only?: readonly Buffer[]): Promise<Tree> {
  const tree = await new Scan(path, options, await xattrScan(options), "watched", only).run();
  if (tree !== undefined) return tree;
  // Something changes directories meanwhile: all entries are reached over open directories instead.
  return (await new Scan(path, options, await xattrScan(options), "opened", only).run())!;
}

class Scan {
  readonly #root: Buffer;
  readonly #options: DirectoryOptions;
  readonly #builder: TreeBuilder;
  readonly #origin: DirectoryOrigin;
  readonly #rootStatus: SeenDirectory;
  /** How directories may be reached: by their paths, where changes of them would be seen, or only when they are open. */
  readonly #way: "watched" | "opened";
  readonly #witnesses = new Witnesses();
  readonly #xattrs: XattrScan | undefined;
  readonly #problems: string[] = [];
  /** What was removed or replaced while it was scanned. */
  readonly #changes: string[] = [];
  /** The row of the first name of files with several, by device and inode. */
  readonly #linked = new Map<string, number>();
  /** Files with fewer blocks than their size needs. */
  readonly #sparse: { readonly row: number; readonly path: Buffer; readonly stamp: FileStamp }[] = [];
  /** Only root reads everything, so only others need to ask whether they may. */
  readonly #mustAsk = process.geteuid !== undefined && process.geteuid() !== 0;
  #untilTurn = ENTRIES_BETWEEN_TURNS;
  /** The names in the root that are looked at. Default: all. */
  readonly #only: readonly Buffer[] | undefined;

  constructor(
    path: string,
    options: DirectoryOptions,
    xattrs: XattrScan | undefined,
    way: "watched" | "opened",
    only?: readonly Buffer[],
  ) {
    this.#only = only;
    this.#way = way;
    this.#root = Buffer.from(resolve(path));
    this.#options = options;
    this.#xattrs = xattrs;
    try {
      // The one symlink that is followed: what lies behind it is meant.
      const { builder, status } = withDirectory(
        this.#root,
        { followsLink: true, byPath: only !== undefined },
        (opened) => {
          const attributes = attributesOf(opened.status);
          const inside = opened.child(Buffer.from("."));
          this.#trying(this.#root, () => {
            const entry = { reachable: inside, isDirectory: true, host: () => this.#root, tree: () => "/" };
            const xattrs = this.#xattrs?.read(entry);
            if (xattrs !== undefined) attributes.xattrs = xattrs;
          });
          return { builder: new TreeBuilder(attributes), status: opened.status };
        },
      );
      this.#builder = builder;
      this.#rootStatus = status;
    } catch (error) {
      if (error instanceof DiskwrightError) throw error;
      throw new DiskwrightError("SOURCE_UNREADABLE", `${shownPath(path)}: ${reasonOf(error)}`, {
        path,
        cause: error,
      });
    }
    this.#origin = new DirectoryOrigin(this.#root);
  }

  /** The tree; `undefined` when directories were changed by whose paths others were reached. */
  async run(): Promise<Tree | undefined> {
    const pending: Pending[] = [this.#rootDirectory()];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const found = this.#lookInto(next);
      for (let index = found.length - 1; index >= 0; index--) pending.push(found[index]!);
      if (this.#untilTurn <= 0) await this.#turn();
    }
    const isTrusted = this.#witnesses.areUnchanged;
    if (!isTrusted && this.#changes.length === 0) return undefined;
    if (isTrusted) await this.#findHoles();
    throwProblems(
      "SOURCE_CHANGED",
      "the source changed while it was read: run this again when nothing writes to it",
      this.#changes.length === 0 ? [] : [...this.#changes, ...this.#problems],
    );
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
    for (const { row, path, stamp } of this.#sparse) {
      try {
        const data = await dataRanges(path, stamp, () => this.#turn());
        if (data !== undefined) this.#builder.setData(row, data);
      } catch (error) {
        this.#note(path, error);
      }
    }
  }

  async #turn(): Promise<void> {
    this.#untilTurn = ENTRIES_BETWEEN_TURNS;
    this.#options.onProgress?.(this.#builder.length);
    await eventLoopTurn(this.#options.signal);
  }

  /**
   * The root as a directory to look into. Who can replace a directory above it could have done so before: the path of
   * the source is the caller's, and is not watched.
   */
  #rootDirectory(): Pending {
    const seen = this.#rootStatus;
    const isWatched = this.#way === "watched" && this.#only === undefined && isSettled(seen);
    return { row: 0, path: this.#root, seen, isPathWatched: this.#way === "watched", isWatched };
  }

  /** Adds what a directory holds; returns the directories among it. */
  #lookInto({ row, path, seen, isPathWatched, isWatched }: Pending): Pending[] {
    const directories: Pending[] = [];
    const parent = { row, path, treePath: this.#treePath(path).replace(/^\/$/, ""), isWatched };
    const only = row === 0 ? this.#only : undefined;
    // Whoever names entries means those that the path leads to, in a directory that need not be readable.
    const byPath = (isPathWatched || only !== undefined) && path.length <= LONGEST_PATH;
    this.#trying(path, () =>
      withDirectory(path, { expected: seen, followsLink: row === 0, byPath }, (opened) => {
        const text = byPath ? undefined : textOf(path);
        const names = only ?? opened.names().sort(compareBytes);
        this.#addAll({ ...parent, opened, text }, names, directories);
      }),
    );
    if (isWatched && directories.length > 0) this.#witnesses.add(path, seen, row === 0);
    return directories;
  }

  #addAll(parent: Parent, names: readonly Buffer[], directories: Pending[]): void {
    const { exclude } = this.#options;
    for (const name of names) {
      if (exclude?.(`${parent.treePath}/${name}`)) continue;
      try {
        const directory = this.#add(parent, name);
        if (directory !== undefined) directories.push(directory);
      } catch (error) {
        this.#note(joinPath(parent.path, name), error);
      }
    }
    this.#untilTurn -= names.length;
  }

  /** Adds one entry; returns it when it is a directory. */
  #add(parent: Parent, name: Buffer): Pending | undefined {
    const reachable = parent.opened.child(name);
    const status = lstatSync(reachable, { bigint: true });
    const attributes = attributesOf(status);
    if (status.isDirectory()) {
      this.#addXattrsOf(attributes, parent, name, reachable, status);
      const path = joinPath(parent.path, name);
      const row = this.#builder.add(parent.row, name, attributes);
      const isPathWatched = parent.isWatched;
      const { dev, ino, ctimeNs } = status;
      const isWatched = isPathWatched && isSettled(status);
      return { row, path, seen: { dev, ino, ctimeNs }, isPathWatched, isWatched };
    }
    const link = status.nlink > 1n ? `${status.dev}:${status.ino}` : undefined;
    const primary = link === undefined ? undefined : this.#linked.get(link);
    if (primary !== undefined) {
      this.#builder.addLink(parent.row, name, primary);
      return undefined;
    }
    if (this.#mustAsk && status.isFile()) accessSync(reachable, constants.R_OK);
    this.#addXattrsOf(attributes, parent, name, reachable, status);
    let row: number;
    if (status.isFile()) {
      if (maybeSparse(status)) {
        const path = joinPath(parent.path, name);
        this.#sparse.push({ row: this.#builder.length, path, stamp: stampOf(status) });
      }
      attributes.size = Number(status.size);
      attributes.key = this.#origin.add(this.#builder.length, status);
      row = this.#builder.add(parent.row, name, attributes);
    } else if (status.isSymbolicLink()) {
      attributes.target = readlinkSync(reachable, { encoding: "buffer" });
      row = this.#builder.add(parent.row, name, attributes);
    } else {
      if (status.isCharacterDevice() || status.isBlockDevice()) attributes.device = deviceOf(status.rdev);
      row = this.#builder.add(parent.row, name, attributes);
    }
    if (link !== undefined) {
      this.#linked.set(link, row);
      this.#builder.setLinkKey(row, link);
    }
    return undefined;
  }

  #addXattrsOf(
    attributes: Writable<RowAttributes>,
    { path, text, treePath }: Parent,
    name: Buffer,
    reachable: Buffer,
    status: BigIntStats,
  ): void {
    if (this.#xattrs === undefined) return;
    const isDirectory = status.isDirectory();
    const quick = text !== undefined && isUtf8(name) ? `${text}/${name}` : undefined;
    const host = (): Buffer => joinPath(path, name);
    const xattrs = this.#xattrs.read({
      quick,
      reachable,
      isDirectory,
      host,
      tree: () => `${treePath}/${name}`,
    });
    if (xattrs === undefined) return;
    // They belong to whatever had the name by then.
    const { dev, ino } = lstatSync(reachable, { bigint: true });
    if (dev !== status.dev || ino !== status.ino) throw changedSource(host(), "it was replaced");
    attributes.xattrs = xattrs;
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
      this.#note(path, error);
    }
  }

  #note(path: Buffer, error: unknown): void {
    if (error instanceof DiskwrightError && error.code === "SOURCE_CHANGED") {
      this.#changes.push(error.message);
      return;
    }
    if (error instanceof DiskwrightError && error.code !== "INVALID_TREE") throw error;
    // An entry that was asked for was not found before: it may never have been there.
    const isNamed = this.#only?.some((name) => path.equals(joinPath(this.#root, name))) ?? false;
    const change = isNamed ? undefined : changeBehind(error);
    if (change !== undefined) this.#changes.push(`${printable(path)}: ${change}`);
    else this.#problems.push(`${printable(path)}: ${reasonOf(error)}`);
  }
}

/** A path as text, where the system takes it, and takes text for it. */
function textOf(path: Buffer): string | undefined {
  return path.length <= LONGEST_PATH && isUtf8(path) ? path.toString() : undefined;
}

/** The files of a scanned directory: how to find and recognise each, without keeping its path. */
class DirectoryOrigin implements ContentOrigin {
  readonly reader: FileReader = new FileReader();
  readonly #root: Uint8Array;
  /** The scanned tree, whose rows give the paths, sizes and times. */
  tree: Tree | undefined;
  #rows = new Uint32Array(16);
  #inodes = new BigUint64Array(16);
  /** Indices into the list of devices: a tree lies on few. */
  #deviceOf = new Uint32Array(16);
  readonly #devices: bigint[] = [];
  #count = 0;

  constructor(root: Uint8Array) {
    // "/" itself is the one directory whose paths need no slash between.
    this.#root = root.length === 1 ? new Uint8Array(0) : root;
  }

  /** Keeps a file, and returns its key. */
  add(row: number, { dev, ino }: BigIntStats): number {
    if (this.#count === this.#rows.length) {
      this.#rows = doubled(this.#rows);
      this.#inodes = doubled(this.#inodes);
      this.#deviceOf = doubled(this.#deviceOf);
    }
    this.#rows[this.#count] = row;
    this.#inodes[this.#count] = ino;
    const device = this.#devices.indexOf(dev);
    this.#deviceOf[this.#count] = device >= 0 ? device : this.#devices.push(dev) - 1;
    return this.#count++;
  }

  content(key: number): FileContent {
    const row = this.#rows[key]!;
    const { size, mtimeSeconds, mtimeNanoseconds } = this.tree!.columns;
    const stamp: FileStamp = {
      device: this.#devices[this.#deviceOf[key]!]!,
      inode: this.#inodes[key]!,
      size: size[row]!,
      mtimeSeconds: mtimeSeconds[row]!,
      mtimeNanoseconds: mtimeNanoseconds[row]!,
    };
    return { type: "file", path: this.tree!.path(row, this.#root), size: size[row]!, stamp };
  }
}

function doubled<Column extends Uint32Array | BigUint64Array>(column: Column): Column {
  const Type = column.constructor as new (length: number) => Column;
  const larger = new Type(2 * column.length);
  larger.set(column as never);
  return larger;
}

type Writable<Value> = { -readonly [Name in keyof Value]: Value[Name] };

function attributesOf(status: BigIntStats): Writable<RowAttributes> {
  const { seconds, nanoseconds } = modifiedAt(status);
  return {
    mode: Number(status.mode) & (fileMode.TYPE_MASK | fileMode.PERMISSION_MASK),
    uid: Number(status.uid),
    gid: Number(status.gid),
    mtimeSeconds: seconds,
    mtimeNanoseconds: nanoseconds,
  };
}

/** The two parts of a device number, as Linux packs them (`makedev(3)`). */
function deviceOf(packed: bigint): Device {
  return {
    major: Number(((packed >> 8n) & 0xfffn) | ((packed >> 32n) & ~0xfffn)),
    minor: Number((packed & 0xffn) | ((packed >> 12n) & 0xffffff00n)),
  };
}
