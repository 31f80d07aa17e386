import { printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import {
  type ContentOrigin,
  type DataRange,
  type Device,
  enlarged,
  fileMode,
  type RowAttributes,
  XattrTable,
} from "../tree/index.ts";

/** The mode of a hard link: its inode is described by another entry. */
const HARD_LINK = 0;

/** The widest number that the column of starts holds. */
const MOST_PATH_BYTES = 2 ** 32 - 1;

/**
 * The entries of an archive, in its order, each as the archive describes it. What they make depends on what they are
 * laid over: a hard link or a path through a symlink can lead to a layer below. Columns: some 45 bytes and the path
 * for each entry.
 */
export class Layer {
  /** One line for each entry that cannot be stored; whoever lays the layer passes them on. */
  readonly problems: string[] = [];
  /** Where the content of all files comes from. */
  readonly origin: ContentOrigin;
  #length = 0;
  #start = new Uint32Array(1024);
  #pathLength = new Uint32Array(1024);
  #mode = new Uint16Array(1024);
  #uid: Uint32Array = new Uint32Array(1024);
  #gid: Uint32Array = new Uint32Array(1024);
  #mtimeSeconds = new Float64Array(1024);
  #mtimeNanoseconds = new Uint32Array(1024);
  #size = new Float64Array(1024);
  #key = new Uint32Array(1024);
  /** Each path, and behind it the target of a hard link. */
  #bytes = new Uint8Array(32 * 1024);
  #used = 0;
  #links = 0;
  readonly #targets = new Map<number, Uint8Array>();
  readonly #devices = new Map<number, Device>();
  readonly #data = new Map<number, readonly DataRange[]>();
  #xattrs = new XattrTable();

  constructor(origin: ContentOrigin) {
    this.origin = origin;
  }

  /** Entries so far. */
  get length(): number {
    return this.#length;
  }

  /** How many of them are hard links. */
  get links(): number {
    return this.#links;
  }

  /** Owners and groups by entry; those of hard links mean nothing. */
  get uid(): Uint32Array {
    return this.#uid;
  }

  get gid(): Uint32Array {
    return this.#gid;
  }

  /** Numbers of devices, by entry. */
  get devices(): ReadonlyMap<number, Device> {
    return this.#devices;
  }

  get xattrs(): XattrTable {
    return this.#xattrs;
  }

  /** Gives all entries other owners, groups, and extended attributes, by entry. */
  setOwners(uid: Uint32Array, gid: Uint32Array, xattrs: XattrTable): void {
    this.#uid = uid;
    this.#gid = gid;
    this.#xattrs = xattrs;
  }

  /** Adds an entry. The origin in its attributes is that of the layer, whatever they say. */
  add(path: Uint8Array, attributes: RowAttributes): void {
    const index = this.#append(path, NO_BYTES);
    this.#mode[index] = attributes.mode;
    this.#uid[index] = attributes.uid;
    this.#gid[index] = attributes.gid;
    this.#mtimeSeconds[index] = attributes.mtimeSeconds;
    this.#mtimeNanoseconds[index] = attributes.mtimeNanoseconds;
    this.#size[index] = attributes.size ?? 0;
    this.#key[index] = attributes.key ?? 0;
    if (attributes.target !== undefined) this.#targets.set(index, attributes.target.slice());
    if (attributes.device !== undefined) this.#devices.set(index, attributes.device);
    if (attributes.data !== undefined) this.#data.set(index, attributes.data);
    if (attributes.xattrs !== undefined) this.#xattrs.set(index, attributes.xattrs);
  }

  /** Adds a hard link to the path `target`. */
  addLink(path: Uint8Array, target: Uint8Array): void {
    this.#mode[this.#append(path, target)] = HARD_LINK;
    this.#links++;
  }

  isLink(index: number): boolean {
    return this.#mode[index] === HARD_LINK;
  }

  isDirectory(index: number): boolean {
    return (this.#mode[index]! & fileMode.TYPE_MASK) === fileMode.DIRECTORY;
  }

  isSymlink(index: number): boolean {
    return (this.#mode[index]! & fileMode.TYPE_MASK) === fileMode.SYMLINK;
  }

  /** The path of an entry, as the archive writes it. A view, not to be kept while entries are added. */
  path(index: number): Uint8Array {
    const start = this.#start[index]!;
    return this.#bytes.subarray(start, start + this.#pathLength[index]!);
  }

  /** An entry's path for messages. */
  displayPath(index: number): string {
    return printable(this.path(index));
  }

  /** What a hard link names, from the root of the archive. A view, as {@link path}. */
  linkTarget(index: number): Uint8Array {
    const end = index + 1 < this.#length ? this.#start[index + 1]! : this.#used;
    return this.#bytes.subarray(this.#start[index]! + this.#pathLength[index]!, end);
  }

  /** What an entry that is no hard link describes; `origin` is the number of the layer's origin in a tree. */
  attributes(index: number, origin: number): RowAttributes {
    return {
      mode: this.#mode[index]!,
      uid: this.#uid[index]!,
      gid: this.#gid[index]!,
      mtimeSeconds: this.#mtimeSeconds[index]!,
      mtimeNanoseconds: this.#mtimeNanoseconds[index]!,
      size: this.#targets.get(index)?.length ?? this.#size[index]!,
      origin,
      key: this.#key[index]!,
      target: this.#targets.get(index),
      device: this.#devices.get(index),
      data: this.#data.get(index),
      xattrs: this.#xattrs.get(index),
    };
  }

  #append(path: Uint8Array, target: Uint8Array): number {
    const needed = this.#used + path.length + target.length;
    if (needed > MOST_PATH_BYTES) {
      throw new DiskwrightError(
        "INVALID_TREE",
        `the paths of the archive have more than ${MOST_PATH_BYTES} bytes: divide it into several archives`,
      );
    }
    if (this.#length === this.#start.length) this.#grow();
    while (needed > this.#bytes.length) this.#bytes = enlarged(this.#bytes);
    const index = this.#length++;
    this.#start[index] = this.#used;
    this.#pathLength[index] = path.length;
    this.#bytes.set(path, this.#used);
    this.#bytes.set(target, this.#used + path.length);
    this.#used = needed;
    return index;
  }

  #grow(): void {
    this.#start = enlarged(this.#start);
    this.#pathLength = enlarged(this.#pathLength);
    this.#mode = enlarged(this.#mode);
    this.#uid = enlarged(this.#uid);
    this.#gid = enlarged(this.#gid);
    this.#mtimeSeconds = enlarged(this.#mtimeSeconds);
    this.#mtimeNanoseconds = enlarged(this.#mtimeNanoseconds);
    this.#size = enlarged(this.#size);
    this.#key = enlarged(this.#key);
  }
}

const NO_BYTES = new Uint8Array(0);
