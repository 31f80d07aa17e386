import { printable } from "../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../errors.ts";
import type { Content } from "../extents/index.ts";
import { nameProblem, PLAIN_DIRECTORY, type RowAttributes, TreeBuilder } from "./builder.ts";
import type { DataRange, Device } from "./entry.ts";
import { DIRECTORY, FILE, TYPE_MASK, typeOfMode } from "./mode.ts";
import { enlarged, NameTable } from "./name-table.ts";
import { climbs, lastName, nameRanges } from "./path.ts";
import { type DeadEnd, followPath, type PathSpace } from "./resolve.ts";
import type { ContentOrigin, Tree } from "./tree.ts";
import { XattrTable } from "./xattrs.ts";

/** How a tree is laid over what is there. */
export interface LayOptions {
  /** The row of the tree that gets the path; what lies below it comes along. Default: the root. */
  readonly from?: number;
  /** Rows of the tree that are left out, with all below them. */
  readonly skip?: (row: number) => boolean;
  /** Told of each row that was put or merged. */
  readonly onLaid?: (row: number) => void;
  /**
   * Names of one inode in several trees, by what they have in common there: as long as the same map is given,
   * they stay hard links of each other.
   */
  readonly links?: Map<string, number>;
  /** Called when a directory takes the place of something else, or the other way round. */
  readonly onReplaced?: OnReplaced | undefined;
}

/** Receives the path, and the types of the entry that was there and of the one that takes its place. */
export type OnReplaced = (path: string, before: string, now: string) => void;

/** What a draft starts with. */
export interface DraftOptions {
  /** The root's attributes. Without them it is implied until it is put. */
  readonly root?: RowAttributes;
  /**
   * Paths that go through symlinks to directories lead into those directories, and a directory that is put over
   * such a symlink is the one that it leads to. Without it, a symlink on the way of a path is a problem.
   */
  readonly followsSymlinks?: boolean;
}

/** A hard link whose target was not there yet. */
interface PendingLink {
  readonly row: number;
  readonly target: Uint8Array;
}

/** No row, in columns of rows where 0 is one. */
const NONE = 0xffffffff;

/** The widest number that a column of origins holds. */
const MOST_ORIGINS = 0xffff;

/**
 * A tree that is being composed: entries come in any order, replace each other, and go. Paths are bytes, from
 * the root; a leading slash, `.` and empty names in them mean nothing, and `..` is for the caller to refuse.
 *
 * A row is a name. What it stands for, an inode, is named by the row that had it first, so that a name can go
 * while others still lead to what it named. About 80 bytes and the name for each row.
 */
export class TreeDraft {
  /** One line for each thing that cannot be stored; {@link finish} throws them all at once. */
  readonly problems: string[] = [];
  readonly #names = new NameTable();
  readonly #origins: ContentOrigin[] = [];
  /** For each row: the row whose columns describe what it stands for. */
  #inode = new Uint32Array(1024);
  #isLive = new Uint8Array(1024);
  #firstChild = new Uint32Array(1024);
  #nextSibling = new Uint32Array(1024);
  #mode = new Uint16Array(1024);
  #uid = new Uint32Array(1024);
  #gid = new Uint32Array(1024);
  #mtimeSeconds = new Float64Array(1024);
  #mtimeNanoseconds = new Uint32Array(1024);
  #size = new Float64Array(1024);
  #origin = new Uint16Array(1024);
  #key = new Uint32Array(1024);
  readonly #targets = new Map<number, Uint8Array>();
  readonly #devices = new Map<number, Device>();
  readonly #data = new Map<number, readonly DataRange[]>();
  readonly #xattrs = new XattrTable();
  /** Directories that are only known from the paths of others. */
  readonly #implied = new Set<number>();
  readonly #pendingLinks: PendingLink[] = [];
  readonly #followsSymlinks: boolean;
  readonly #space: PathSpace = {
    child: (directory, path, start, end) => this.#names.find(directory, path, start, end),
    parent: (row) => (row === 0 ? 0 : this.#names.parent(row)),
    isDirectory: (row) => this.isDirectory(row),
    target: (row) => this.#targets.get(this.#inode[row]!),
  };
  /** The same, with implied directories where a name is missing. */
  readonly #growingSpace: PathSpace = {
    ...this.#space,
    make: (directory, path, start, end) => this.#imply(directory, path, start, end),
  };
  /** The directory that was asked for last: entries mostly come directory by directory. */
  #lastDirectory: { readonly path: Uint8Array; readonly row: number } | undefined;

  constructor({ root, followsSymlinks = false }: DraftOptions = {}) {
    this.#followsSymlinks = followsSymlinks;
    this.#append(0, NO_BYTES, 0, 0, root ?? PLAIN_DIRECTORY);
    if (root === undefined) this.#implied.add(0);
  }

  /** Rows so far, those that are gone among them: the next one has this number. */
  get length(): number {
    return this.#names.length;
  }

  /** Adds a source of content; the number is what {@link RowAttributes.origin} refers to. */
  addOrigin(origin: ContentOrigin): number {
    const known = this.#origins.indexOf(origin);
    if (known >= 0) return known;
    if (this.#origins.length > MOST_ORIGINS) {
      throw new DiskwrightError(
        "INVALID_TREE",
        `a tree can be composed of ${MOST_ORIGINS + 1} sources: put several of them into one directory or tar`,
      );
    }
    return this.#origins.push(origin) - 1;
  }

  /**
   * The row that has a path. The path goes through symlinks to directories where the draft follows them; a symlink
   * at its end is what is found.
   */
  find(path: Uint8Array): number | undefined {
    const last = lastName(path);
    if (last === undefined) return 0;
    const above = path.subarray(0, last.start);
    const parent = this.#followsSymlinks ? this.resolve(above) : this.#findPlainly(above);
    return parent === undefined ? undefined : this.#names.find(parent, path, last.start, last.end);
  }

  /**
   * The row that a path leads to, over all symlinks, none of which leads out of the tree. `undefined` when it leads
   * nowhere, or in a circle.
   */
  resolve(path: Uint8Array): number | undefined {
    const found = followPath(this.#space, path);
    return typeof found === "number" ? found : undefined;
  }

  /**
   * The directory that a path leads to, over all symlinks. What is missing of it is made, and is implied; so is what
   * is missing where a symlink points to. `undefined` when something else is in the way of `entry`, for which the
   * directory is, and which is noted in {@link problems}.
   */
  directoryAt(path: Uint8Array, entry = path): number | undefined {
    const found = followPath(this.#growingSpace, path);
    if (typeof found === "number" && this.isDirectory(found)) return found;
    this.#noteDeadEnd(entry, typeof found === "number" ? { reason: "no directory", row: found } : found);
    return undefined;
  }

  /**
   * Puts an entry. A directory over a directory changes its attributes only; everything else that has the path
   * goes, with all below it. Missing parents are made and are implied. Returns the row, or `undefined` when the
   * entry cannot be stored, which is noted in {@link problems}.
   */
  put(path: Uint8Array, attributes: RowAttributes, onReplaced?: OnReplaced): number | undefined {
    const last = lastName(path);
    if (last === undefined) return this.#putRoot(path, attributes);
    const parent = this.#parentOf(path, last.start);
    if (parent === undefined) return undefined;
    return this.#putBelow(parent, path, last.start, last.end, attributes, onReplaced);
  }

  /** Adds something that has no name, for hard links to it; returns its row. */
  putNameless(attributes: RowAttributes): number {
    const row = this.#append(0, NO_BYTES, 0, 0, attributes, true)!;
    this.#isLive[row] = 0;
    return row;
  }

  /**
   * Puts a further name for what has the path `target`: bound at once to what is there now, or else to what
   * is there when the links are bound. With `source`, it is bound to what that row stands for, whether or not the
   * row still has a name. Hard links to directories, to nothing and in circles are noted in {@link problems}.
   * Returns the row.
   */
  putLink(
    path: Uint8Array,
    target: Uint8Array,
    {
      source = this.find(target),
      onReplaced,
    }: { readonly source?: number | undefined; readonly onReplaced?: OnReplaced | undefined } = {},
  ): number | undefined {
    const last = lastName(path);
    if (last === undefined) {
      this.problems.push(`${shown(path)}: the root must be a directory`);
      return undefined;
    }
    const parent = this.#parentOf(path, last.start);
    if (parent === undefined) return undefined;
    const existing = this.#names.find(parent, path, last.start, last.end);
    if (source !== undefined && source === existing) return existing;
    if (source !== undefined && this.isDirectory(source)) {
      this.problems.push(`${shown(path)}: hard link to the directory ${shown(target)}`);
      return undefined;
    }
    const inode = source === undefined ? NONE : this.#inode[source]!;
    if (existing !== undefined) {
      if (this.isDirectory(existing)) onReplaced?.(this.displayPath(existing), "directory", "hardlink");
      this.remove(existing);
    }
    const row = this.#append(parent, path, last.start, last.end, undefined);
    if (row === undefined) return undefined;
    this.#inode[row] = inode;
    if (inode === NONE) this.#pendingLinks.push({ row, target: target.slice() });
    return row;
  }

  /**
   * Binds the hard links whose targets came later, over other such links if need be. `elsewhere` gives the row of a
   * target that has no name. What leads nowhere is noted in {@link problems}.
   */
  bindLinks(elsewhere?: (target: Uint8Array) => number | undefined): void {
    if (this.#pendingLinks.length === 0) return;
    const targetOf = new Map(this.#pendingLinks.map(({ row, target }) => [row, target]));
    for (const { row } of this.#pendingLinks) {
      if (this.#isLive[row] === 0 || this.#inode[row] !== NONE) continue;
      const inode = this.#followLinks(row, targetOf, elsewhere);
      if (inode !== undefined) this.#inode[row] = inode;
    }
    this.#pendingLinks.length = 0;
  }

  /**
   * What the file at a path holds; symlinks are followed within the tree. `undefined` when there is none.
   */
  contentAt(path: Uint8Array): Content | undefined {
    const row = this.resolve(path);
    if (row === undefined) return undefined;
    const inode = this.#inode[row]!;
    if (inode === NONE || (this.#mode[inode]! & TYPE_MASK) !== FILE) return undefined;
    return this.#origins[this.#origin[inode]!]!.content(this.#key[inode]!);
  }

  /** Takes a row out, with all below it. The root loses only what lies below it. */
  remove(row: number): void {
    const pending = [row];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      for (const child of this.children(at)) pending.push(child);
      if (at === 0) continue;
      this.#isLive[at] = 0;
      this.#names.drop(at);
    }
    if (row === 0) this.#firstChild[0] = 0;
    this.#lastDirectory = undefined;
  }

  /** The rows in a directory, in no particular order. */
  *children(row: number): Generator<number> {
    for (let child = this.#firstChild[row]!; child !== 0; child = this.#nextSibling[child]!) {
      if (this.#isLive[child] === 1) yield child;
    }
  }

  /** The bytes of a row's name; empty for the root. A view, not to be kept. */
  name(row: number): Uint8Array {
    return this.#names.name(row);
  }

  /** The bytes of a row's path: `/etc/passwd`; the root itself is `/`. */
  path(row: number): Uint8Array {
    if (row === 0) return Uint8Array.of(SLASH);
    const parts: Uint8Array[] = [];
    let length = 0;
    for (let at = row; at !== 0; at = this.#names.parent(at)) {
      const name = this.#names.name(at);
      parts.push(name);
      length += 1 + name.length;
    }
    const path = new Uint8Array(length);
    let end = 0;
    for (const name of parts.reverse()) {
      path[end] = SLASH;
      path.set(name, end + 1);
      end += 1 + name.length;
    }
    return path;
  }

  /** A row's path for messages. */
  displayPath(row: number): string {
    return printable(this.path(row));
  }

  isDirectory(row: number): boolean {
    const inode = this.#inode[row]!;
    return inode !== NONE && (this.#mode[inode]! & TYPE_MASK) === DIRECTORY;
  }

  /** Whether a directory is only known from the paths of others. */
  isImplied(row: number): boolean {
    return this.#implied.has(row);
  }

  /** What a row stands for. A hard link whose target has not come yet has no attributes: a plain file's. */
  attributes(row: number): RowAttributes {
    const inode = this.#inode[row]!;
    if (inode === NONE) return { ...PLAIN_DIRECTORY, mode: 0o100644 };
    return {
      mode: this.#mode[inode]!,
      uid: this.#uid[inode]!,
      gid: this.#gid[inode]!,
      mtimeSeconds: this.#mtimeSeconds[inode]!,
      mtimeNanoseconds: this.#mtimeNanoseconds[inode]!,
      size: this.#size[inode]!,
      origin: this.#origin[inode]!,
      key: this.#key[inode]!,
      target: this.#targets.get(inode),
      device: this.#devices.get(inode),
      data: this.#data.get(inode),
      xattrs: this.#xattrs.get(inode),
    };
  }

  /** Changes what a row stands for, under all its names. A directory with children must stay one. */
  setAttributes(row: number, attributes: RowAttributes): void {
    const inode = this.#inode[row]!;
    if (inode !== NONE) this.#setInode(inode, attributes);
    this.#implied.delete(row);
    // A symlink that now points elsewhere changes where paths lead.
    this.#lastDirectory = undefined;
  }

  /**
   * Lays a tree at a path, over what is there: directories are merged, with the attributes of the newer one
   * unless nothing but paths tells of it; everything else is replaced. A directory that is implied does not
   * replace what is no directory: that is noted in {@link problems}. Where the draft follows symlinks, a directory
   * over a symlink to one is merged into that one, and both the symlink and the attributes of the directory that it
   * leads to stay, as with `tar --keep-directory-symlink`; the path itself means the directory that it leads to.
   */
  lay(tree: Tree, path: Uint8Array, options: LayOptions = {}): void {
    const { from = 0, skip, onLaid, links, onReplaced } = options;
    const { columns } = tree;
    const origins = tree.origins.map((origin) => this.addOrigin(origin));
    /** The row here of each directory of the tree. */
    const rowOf = new Uint32Array(tree.length).fill(NONE);
    /** The inode here of each first name of the tree's hard links. */
    const inodeOf = new Map<number, number>();

    const layRow = (row: number, put: (attributes: RowAttributes) => number | undefined): void => {
      const primary = columns.primary[row]!;
      const key = links === undefined ? undefined : tree.extras.linkKeys?.get(primary);
      const before = inodeOf.get(primary) ?? (key === undefined ? undefined : links!.get(key));
      const attributes = { ...tree.attributes(primary), origin: origins[columns.origin[primary]!] ?? 0 };
      const at = put(attributes);
      if (at === undefined) return;
      rowOf[row] = at;
      if (before !== undefined) this.#inode[at] = before;
      else {
        if (tree.linkCount(row) > 1) inodeOf.set(primary, at);
        if (key !== undefined) links!.set(key, at);
      }
      onLaid?.(at);
    };

    layRow(from, (attributes) => this.#overlay(path, attributes, tree.isImplied(from), onReplaced));
    const { start, end } = tree.descendants(from);
    for (let row = start; row < end; row++) {
      const parent = rowOf[columns.parent[row]!]!;
      if (parent === NONE || skip?.(row)) continue;
      if (this.#isLive[parent] === 0) {
        // Two directories of the tree led to one here, and something else has replaced it.
        this.problems.push(
          `${tree.displayPath(row)}: the directory that it lies in was replaced by another entry`,
        );
        continue;
      }
      layRow(row, (attributes) =>
        this.#overlayBelow(parent, tree.name(row), attributes, tree.isImplied(row), onReplaced),
      );
    }
  }

  /**
   * The finished tree.
   *
   * @throws DiskwrightError `INVALID_TREE` with everything that cannot be stored.
   */
  finish(heading = "the tree cannot be stored"): Tree {
    this.bindLinks();
    throwProblems("INVALID_TREE", heading, this.problems);
    const builder = new TreeBuilder(this.attributes(0));
    if (this.#implied.has(0)) builder.imply(0);
    const builtRow = new Uint32Array(this.#names.length).fill(NONE);
    builtRow[0] = 0;
    const pending = [0];
    for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
      const children = [...this.children(parent)].sort((a, b) => this.#names.compare(a, b));
      for (const row of children) {
        const inode = this.#inode[row]!;
        const name = this.#names.name(row);
        const first = builtRow[inode]!;
        // The first name in the order of the tree holds the inode, whichever came first.
        if (first !== NONE) builder.addLink(builtRow[parent]!, name, first);
        else {
          builtRow[inode] = builder.add(builtRow[parent]!, name, this.attributes(row));
          if (this.#implied.has(row)) builder.imply(builtRow[inode]!);
        }
      }
      for (const row of children.reverse()) if (this.#firstChild[row] !== 0) pending.push(row);
    }
    return builder.finish(this.#origins);
  }

  #putRoot(path: Uint8Array, attributes: RowAttributes): number | undefined {
    if ((attributes.mode & TYPE_MASK) !== DIRECTORY) {
      this.problems.push(`${shown(path)}: the root must be a directory`);
      return undefined;
    }
    this.setAttributes(0, attributes);
    return 0;
  }

  #putBelow(
    parent: number,
    path: Uint8Array,
    start: number,
    end: number,
    attributes: RowAttributes,
    onReplaced?: OnReplaced,
  ): number | undefined {
    const existing = this.#names.find(parent, path, start, end);
    if (existing === undefined) return this.#append(parent, path, start, end, attributes);
    const isDirectory = (attributes.mode & TYPE_MASK) === DIRECTORY;
    const wasDirectory = this.isDirectory(existing);
    if (isDirectory && wasDirectory) {
      this.setAttributes(existing, attributes);
      return existing;
    }
    const behind = isDirectory ? this.#directoryBehind(existing) : undefined;
    if (behind !== undefined) return behind;
    if (isDirectory !== wasDirectory) {
      onReplaced?.(
        this.displayPath(existing),
        this.#kindOf(existing),
        typeOfMode(attributes.mode) ?? "entry",
      );
    }
    this.remove(existing);
    return this.#append(parent, path, start, end, attributes);
  }

  #overlay(
    path: Uint8Array,
    attributes: RowAttributes,
    isImplied: boolean,
    onReplaced: OnReplaced | undefined,
  ): number | undefined {
    const last = lastName(path);
    if (last === undefined) return isImplied ? 0 : this.#putRoot(path, attributes);
    const parent = this.#parentOf(path, last.start);
    if (parent === undefined) return undefined;
    const existing = this.#names.find(parent, path, last.start, last.end);
    const isDirectory = (attributes.mode & TYPE_MASK) === DIRECTORY;
    if (isDirectory && this.#followsSymlinks && existing !== undefined && this.#isSymlink(existing)) {
      // The path was given: it means the directory that it leads to.
      const directory = this.directoryAt(path);
      if (directory !== undefined && !isImplied) this.setAttributes(directory, attributes);
      return directory;
    }
    return this.#overlayBelow(parent, path.subarray(last.start, last.end), attributes, isImplied, onReplaced);
  }

  #overlayBelow(
    parent: number,
    name: Uint8Array,
    attributes: RowAttributes,
    isImplied: boolean,
    onReplaced: OnReplaced | undefined,
  ): number | undefined {
    const existing = isImplied ? this.#names.find(parent, name, 0, name.length) : undefined;
    if (existing !== undefined) {
      if (this.isDirectory(existing)) return existing;
      if (this.#followsSymlinks && this.#isSymlink(existing)) return this.directoryAt(this.path(existing));
      this.problems.push(
        `${this.displayPath(existing)}: is a ${this.#kindOf(existing)}, but a later source has entries below it`,
      );
      return undefined;
    }
    const row = this.#putBelow(parent, name, 0, name.length, attributes, onReplaced);
    if (isImplied && row !== undefined) this.#implied.add(row);
    return row;
  }

  #kindOf(row: number): string {
    const inode = this.#inode[row]!;
    return (inode === NONE ? undefined : typeOfMode(this.#mode[inode]!)) ?? "hardlink";
  }

  /** The directory of the names before `end`, made where it is missing. */
  #parentOf(path: Uint8Array, end: number): number | undefined {
    const last = this.#lastDirectory;
    if (last !== undefined && last.path.length === end && startsWith(path, last.path)) return last.row;
    const above = path.subarray(0, end);
    const row = this.#followsSymlinks ? this.directoryAt(above, path) : this.#makePlainly(above, path);
    if (row !== undefined) this.#lastDirectory = { path: above.slice(), row };
    return row;
  }

  /** The directory that has a path, for the sake of an entry below it. */
  #makePlainly(path: Uint8Array, entry: Uint8Array): number | undefined {
    let row: number | undefined = 0;
    for (const { start, end } of nameRanges(path)) {
      const child: number | undefined = this.#names.find(row, path, start, end);
      if (child !== undefined && !this.isDirectory(child)) {
        this.#noteDeadEnd(entry, { reason: "no directory", row: child });
        return undefined;
      }
      row = child ?? this.#imply(row, path, start, end);
      if (row === undefined) return undefined;
    }
    return row;
  }

  #findPlainly(path: Uint8Array): number | undefined {
    let row: number | undefined = 0;
    for (const { start, end } of nameRanges(path)) {
      row = this.#names.find(row, path, start, end);
      if (row === undefined) return undefined;
    }
    return row;
  }

  /** Makes a directory that is only known from the path of something else. */
  #imply(parent: number, path: Uint8Array, start: number, end: number): number | undefined {
    const row = this.#append(parent, path, start, end, PLAIN_DIRECTORY);
    if (row !== undefined) this.#implied.add(row);
    return row;
  }

  #isSymlink(row: number): boolean {
    return this.#targets.has(this.#inode[row]!);
  }

  /** The directory that a symlink leads to, where the draft follows symlinks. */
  #directoryBehind(row: number): number | undefined {
    if (!this.#followsSymlinks || !this.#isSymlink(row)) return undefined;
    const found = followPath(this.#space, this.path(row));
    return typeof found === "number" && this.isDirectory(found) ? found : undefined;
  }

  /** Notes why nothing can lie at a path. */
  #noteDeadEnd(path: Uint8Array, { reason, row }: DeadEnd): void {
    // A name that cannot be made has been noted already.
    if (reason === "missing") return;
    const place = this.displayPath(row);
    this.problems.push(
      reason === "circle"
        ? `${shown(path)}: the symlinks on the way lead in a circle, or are more than Linux follows: see ${place}`
        : `${place}: is a ${this.#kindOf(row)}, but other entries lie below it: ${shown(path)}`,
    );
  }

  /** A new row; `undefined` when no directory can hold the name. */
  #append(
    parent: number,
    path: Uint8Array,
    start: number,
    end: number,
    attributes: RowAttributes | undefined,
    isNameless = this.#names.length === 0,
  ): number | undefined {
    if (!isNameless) {
      const problem = nameProblem(path.subarray(start, end));
      if (problem !== undefined) {
        this.problems.push(`${shown(path)}: ${problem}`);
        return undefined;
      }
    }
    const row = this.#names.add(parent, path, start, end);
    if (row === this.#inode.length) this.#grow();
    this.#inode[row] = row;
    this.#isLive[row] = 1;
    this.#firstChild[row] = 0;
    if (row !== 0) {
      this.#nextSibling[row] = this.#firstChild[parent]!;
      this.#firstChild[parent] = row;
    }
    if (attributes !== undefined) this.#setInode(row, attributes);
    return row;
  }

  #setInode(inode: number, attributes: RowAttributes): void {
    this.#mode[inode] = attributes.mode;
    this.#uid[inode] = attributes.uid;
    this.#gid[inode] = attributes.gid;
    this.#mtimeSeconds[inode] = attributes.mtimeSeconds;
    this.#mtimeNanoseconds[inode] = attributes.mtimeNanoseconds;
    this.#size[inode] = attributes.size ?? attributes.target?.length ?? 0;
    this.#origin[inode] = attributes.origin ?? 0;
    this.#key[inode] = attributes.key ?? 0;
    keep(this.#targets, inode, attributes.target);
    keep(this.#devices, inode, attributes.device);
    keep(this.#data, inode, attributes.data);
    this.#xattrs.set(inode, attributes.xattrs ?? NO_XATTRS);
  }

  #followLinks(
    link: number,
    targetOf: ReadonlyMap<number, Uint8Array>,
    elsewhere: ((target: Uint8Array) => number | undefined) | undefined,
  ): number | undefined {
    const seen = new Set<number>();
    const target = shown(targetOf.get(link)!);
    let at: number | undefined = link;
    while (at !== undefined && this.#inode[at] === NONE) {
      if (seen.has(at)) {
        this.problems.push(`${this.displayPath(link)}: the hard links lead in a circle`);
        return undefined;
      }
      seen.add(at);
      const next: Uint8Array = targetOf.get(at)!;
      at = elsewhere?.(next) ?? (climbs(next) ? undefined : this.find(next));
    }
    if (at === undefined) {
      this.problems.push(`${this.displayPath(link)}: hard link to ${target}, which does not exist`);
      return undefined;
    }
    if (!this.isDirectory(at)) return this.#inode[at];
    this.problems.push(`${this.displayPath(link)}: hard link to the directory ${target}`);
    return undefined;
  }

  #grow(): void {
    this.#inode = enlarged(this.#inode);
    this.#isLive = enlarged(this.#isLive);
    this.#firstChild = enlarged(this.#firstChild);
    this.#nextSibling = enlarged(this.#nextSibling);
    this.#mode = enlarged(this.#mode);
    this.#uid = enlarged(this.#uid);
    this.#gid = enlarged(this.#gid);
    this.#mtimeSeconds = enlarged(this.#mtimeSeconds);
    this.#mtimeNanoseconds = enlarged(this.#mtimeNanoseconds);
    this.#size = enlarged(this.#size);
    this.#origin = enlarged(this.#origin);
    this.#key = enlarged(this.#key);
  }
}

const SLASH = 0x2f;
const NO_BYTES = new Uint8Array(0);
const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();

function startsWith(path: Uint8Array, prefix: Uint8Array): boolean {
  for (let index = 0; index < prefix.length; index++) if (path[index] !== prefix[index]) return false;
  return true;
}

function shown(path: Uint8Array): string {
  return printable(path);
}

function keep<Value>(map: Map<number, Value>, row: number, value: Value | undefined): void {
  if (value !== undefined) map.set(row, value);
  else if (map.size > 0) map.delete(row);
}
