import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Readable } from "node:stream";
import { isatty } from "node:tty";
import { printable } from "../bytes/index.ts";
import { Layer, layLayer } from "../compose/index.ts";
import { DiskwrightError } from "../errors.ts";
import { type CancelSignal, eventLoopTurn, type FileContent } from "../extents/index.ts";
import { type TarInput, type TarMember, TarReader } from "../tar/index.ts";
import {
  type ContentOrigin,
  climbs,
  type DataRange,
  fileMode,
  pathNames,
  type RowAttributes,
  type Tree,
  TreeDraft,
  type Xattrs,
  xattrProblems,
} from "../tree/index.ts";
import { checkUnchanged } from "./changed.ts";
import { compressionOf, MAGIC_SIZE } from "./compression.ts";
import { decompressed } from "./decompress.ts";
import { FileReader } from "./file-reader.ts";
import { reasonOf } from "./host-error.ts";
import { Spool } from "./spool.ts";
import { stampOf } from "./stamp.ts";
import { FileTarInput, StreamTarInput } from "./tar-input.ts";
import { chunksOf, openStream, peeked } from "./tar-stream.ts";
import { type XattrFilter, type XattrOptions, xattrFilter } from "./xattrs.ts";
import { DataFinder } from "./zero-blocks.ts";

/**
 * An archive: the path of a file, or one that is open already, such as standard input. A plain tar in a file must
 * stay open as long as its tree is in use; everything else is closed when it has been read.
 */
export type TarSource = string | { readonly descriptor: number; readonly name: string };

/** What `tarArchive` can be told. */
export interface TarOptions extends Pick<XattrOptions, "xattrs" | "onWarning"> {
  /** Leaves an entry out, and all that is below it. The path starts at the root of the tree: `/etc/x`. */
  readonly exclude?: ((path: string) => boolean) | undefined;
  /** Where content is kept that cannot be read twice. Default: the system's directory for such files. */
  readonly spoolDirectory?: string | undefined;
  /** `detect`: blocks of zeros become holes in every file, not only in those that the archive has as sparse. */
  readonly holes?: "keep" | "detect" | undefined;
  readonly signal?: CancelSignal | undefined;
  /** Called now and then with the number of entries found so far. */
  readonly onProgress?: ((entries: number) => void) | undefined;
}

/** Reads a tar into a tree; see `tarArchive`. */
export async function unpack(source: TarSource, options: TarOptions): Promise<Tree> {
  const name = typeof source === "string" ? source : source.name;
  const layer = await readLayer(source, options);
  const draft = new TreeDraft({ followsSymlinks: true });
  layLayer(draft, layer, {
    exclude: options.exclude,
    onReplaced: (path, before, now) =>
      options.onWarning?.(`${name}: ${path}: a later ${now} replaces the ${before}`),
  });
  return draft.finish(`${name} cannot become a tree (--exclude leaves paths out)`);
}

/**
 * Reads a tar into a layer, which is laid over other things: excluded paths are still in it. What is wrong with single
 * entries is in its problems.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`, or `CORRUPT` for what is no sound archive.
 */
export async function readLayer(source: TarSource, options: TarOptions): Promise<Layer> {
  const isOwn = typeof source === "string";
  const name = isOwn ? source : source.name;
  const descriptor = isOwn ? openArchive(source) : source.descriptor;
  let isStreamed = false;
  try {
    const status = statusOf(descriptor, name);
    const compression = status.isFile() ? compressionOf(firstBytes(descriptor, name)) : undefined;
    if (status.isFile() && compression === undefined)
      return await readPlain(descriptor, isOwn, status, name, options);
    isStreamed = true;
    return await readStream(openStream(descriptor, status), name, options);
  } finally {
    // A stream closes what it reads.
    if (isOwn && !isStreamed) closeSync(descriptor);
  }
}

function openArchive(path: string): number {
  return attempt(path, () => openSync(path, constants.O_RDONLY));
}

function statusOf(descriptor: number, name: string): BigIntStats {
  const status = attempt(name, () => fstatSync(descriptor, { bigint: true }));
  if (status.isDirectory()) {
    throw new DiskwrightError("SOURCE_UNREADABLE", `${name}: is a directory, not a tar`, { path: name });
  }
  if (isatty(descriptor)) {
    throw new DiskwrightError(
      "SOURCE_UNREADABLE",
      `${name}: is a terminal: pass a tar through a pipe, or name a file`,
      { path: name },
    );
  }
  return status;
}

function firstBytes(descriptor: number, name: string): Uint8Array {
  const start = new Uint8Array(MAGIC_SIZE);
  attempt(name, () => readSync(descriptor, start, 0, MAGIC_SIZE, 0));
  return start;
}

function attempt<Result>(name: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw new DiskwrightError("SOURCE_UNREADABLE", `${name}: ${reasonOf(error)}`, {
      path: name,
      cause: error,
    });
  }
}

/** Reads a file that is plain: the tree refers to it. */
async function readPlain(
  descriptor: number,
  isOwn: boolean,
  status: BigIntStats,
  name: string,
  options: TarOptions,
): Promise<Layer> {
  const stamp = stampOf(status);
  const file = {
    type: "file",
    path: Buffer.from(name),
    descriptor: isOwn ? undefined : descriptor,
    stamp,
  } as const;
  const place: Place = (start, size, stored) => ({ ...file, start, size, stored });
  const input = new FileTarInput(descriptor, Number(status.size), name);
  try {
    return await new Unpacking(name, options, new TarOrigin(new FileReader(), place)).run(input);
  } finally {
    // What looks damaged, or like another tree, may have been written to meanwhile.
    checkUnchanged(descriptor, file.path, stamp);
  }
}

/** Reads what comes only once: its content is kept in a spool. */
async function readStream(stream: Readable, name: string, options: TarOptions): Promise<Layer> {
  const spool = new Spool(options.spoolDirectory ?? tmpdir());
  const place: Place = (start, size, stored) => spool.content(start, size, stored);
  let isDone = false;
  try {
    const [start, whole] = await peeked(chunksOf(stream, name, options.signal), MAGIC_SIZE);
    const compression = compressionOf(start);
    const input = new StreamTarInput(
      compression === undefined ? whole : decompressed(whole, compression, name),
    );
    const layer = await new Unpacking(name, options, new TarOrigin(new FileReader(), place), spool).run(
      input,
    );
    await input.drain();
    isDone = true;
    return layer;
  } finally {
    if (!isDone) {
      stream.destroy();
      spool.discard();
    }
  }
}

/** How content is read again that starts at a place of the archive, or of the file that keeps it. */
type Place = (start: number, size: number, stored: FileContent["stored"]) => FileContent;

const ENTRIES_BETWEEN_TURNS = 4096;
const BYTES_BETWEEN_TURNS = 64 * 1024 * 1024;

/** An archive that is being read. */
class Unpacking {
  readonly #name: string;
  readonly #options: TarOptions;
  readonly #spool: Spool | undefined;
  readonly #keepsXattr: XattrFilter | undefined;
  readonly #layer: Layer;
  readonly #origin: TarOrigin;
  /** Members whose names begin with a slash. */
  #absolute = 0;
  #entries = 0;
  #bytesUntilTurn = BYTES_BETWEEN_TURNS;

  constructor(name: string, options: TarOptions, origin: TarOrigin, spool?: Spool) {
    this.#name = name;
    this.#options = options;
    this.#spool = spool;
    this.#keepsXattr = xattrFilter(options.xattrs);
    this.#origin = origin;
    this.#layer = new Layer(origin);
  }

  async run(input: TarInput): Promise<Layer> {
    const archive = new TarReader(input, (warning) => this.#options.onWarning?.(`${this.#name}: ${warning}`));
    try {
      for (let member = await archive.next(); member !== undefined; member = await archive.next()) {
        await this.#take(member, archive);
        if (++this.#entries % ENTRIES_BETWEEN_TURNS === 0 || this.#bytesUntilTurn <= 0) await this.#turn();
      }
    } catch (error) {
      throw error instanceof DiskwrightError ? withName(error, this.#name) : error;
    }
    this.#spool?.finish();
    if (this.#absolute > 0) {
      this.#options.onWarning?.(
        `${this.#name}: ${this.#absolute} ${this.#absolute === 1 ? "name begins" : "names begin"} with a slash: it is taken for the root of the tree`,
      );
    }
    return this.#layer;
  }

  async #take(member: TarMember, archive: TarReader): Promise<void> {
    const { path, type, target } = member;
    if (path[0] === SLASH) this.#absolute++;
    if (climbs(path)) {
      if (!this.#isExcluded(path)) this.#layer.problems.push(`${printable(path)}: ".." would leave the tree`);
      return;
    }
    if (type === "hardlink") {
      // What it names may be left out as well, or not be there.
      if (this.#isExcluded(path)) return;
      if (climbs(target)) {
        this.#layer.problems.push(
          `${printable(path)}: hard link to ${printable(target)}: ".." would leave the tree`,
        );
      } else this.#layer.addLink(path, target);
      return;
    }
    const attributes = this.#attributes(member);
    if (type === "file") await this.#addContent(member, attributes, archive);
    if (type === "symlink" && target.length === 0) {
      if (!this.#isExcluded(path)) this.#layer.problems.push(`${printable(path)}: a symlink needs a target`);
      return;
    }
    this.#layer.add(path, attributes);
  }

  /** Whether a path, or one above it, is to be left out. */
  #isExcluded(path: Uint8Array): boolean {
    const { exclude } = this.#options;
    if (exclude === undefined) return false;
    let at = "";
    return Buffer.from(path)
      .toString()
      .split("/")
      .filter((name) => name !== "" && name !== ".")
      .some((name) => exclude((at += `/${name}`)));
  }

  #attributes(member: TarMember): Writable<RowAttributes> {
    const { type, mode, uid, gid, mtime, target, device } = member;
    return {
      mode: fileMode.typeBits(type as Exclude<TarMember["type"], "hardlink">) | mode,
      uid,
      gid,
      mtimeSeconds: mtime.seconds,
      mtimeNanoseconds: mtime.nanoseconds,
      target: type === "symlink" ? target : undefined,
      device,
      xattrs: this.#xattrs(member),
    };
  }

  #xattrs({ xattrs, path }: TarMember): Xattrs | undefined {
    const keeps = this.#keepsXattr;
    if (xattrs === undefined || keeps === undefined) return undefined;
    const shown = `/${(pathNames(path) ?? []).map((name) => Buffer.from(name).toString()).join("/")}`;
    const kept = new Map([...xattrs].filter(([name]) => keeps(name, shown)));
    for (const problem of xattrProblems(kept)) this.#layer.problems.push(`${printable(path)}: ${problem}`);
    return kept.size === 0 ? undefined : kept;
  }

  /** Keeps what a file holds where it can be read again, and finds its holes. */
  async #addContent(
    member: TarMember,
    attributes: Writable<RowAttributes>,
    archive: TarReader,
  ): Promise<void> {
    const { size, data } = member;
    const finder = data !== undefined || this.#options.holes === "detect" ? new DataFinder(size) : undefined;
    const start = this.#spool?.position ?? member.position;
    if (this.#spool !== undefined || finder !== undefined) {
      const cursor = new StoredCursor(data, member.stored);
      await archive.content((bytes) => {
        this.#spool?.append(bytes);
        this.#bytesUntilTurn -= bytes.length;
        if (finder !== undefined) cursor.advance(bytes, (offset, part) => finder.see(offset, part));
        return this.#bytesUntilTurn <= 0 ? this.#turn() : undefined;
      });
    }
    attributes.size = size;
    attributes.key = this.#origin.add(member, start);
    attributes.data = finder?.ranges();
  }

  async #turn(): Promise<void> {
    this.#bytesUntilTurn = BYTES_BETWEEN_TURNS;
    this.#options.onProgress?.(this.#entries);
    await eventLoopTurn(this.#options.signal);
  }
}

type Writable<Value> = { -readonly [Name in keyof Value]: Value[Name] };

const SLASH = 0x2f;

/** Follows what is stored of a sparse file to where it lies in the file. */
class StoredCursor {
  readonly #parts: readonly DataRange[];
  #part = 0;
  #within = 0;

  constructor(data: readonly DataRange[] | undefined, stored: number) {
    this.#parts = data ?? [{ offset: 0, length: stored }];
  }

  advance(bytes: Uint8Array, see: (offset: number, bytes: Uint8Array) => void): void {
    for (let at = 0; at < bytes.length; ) {
      const { offset, length } = this.#parts[this.#part]!;
      const count = Math.min(bytes.length - at, length - this.#within);
      see(offset + this.#within, bytes.subarray(at, at + count));
      at += count;
      this.#within += count;
      if (this.#within < length) continue;
      this.#part++;
      this.#within = 0;
    }
  }
}

/** The files of an archive: where the content of each starts, and its size. */
class TarOrigin implements ContentOrigin {
  readonly reader: FileReader;
  readonly #place: Place;
  readonly #starts: number[] = [];
  readonly #sizes: number[] = [];
  readonly #stored = new Map<number, readonly DataRange[]>();

  constructor(reader: FileReader, place: Place) {
    this.reader = reader;
    this.#place = place;
  }

  add({ size, data }: TarMember, start: number): number {
    const key = this.#starts.push(start) - 1;
    this.#sizes.push(size);
    if (data !== undefined) this.#stored.set(key, data);
    return key;
  }

  content(key: number): FileContent {
    return this.#place(this.#starts[key]!, this.#sizes[key]!, this.#stored.get(key));
  }
}

function withName(error: DiskwrightError, name: string): DiskwrightError {
  if (error.path !== undefined || error.code === "ABORTED") return error;
  return new DiskwrightError(error.code, `${name}: ${error.message}`, {
    path: name,
    problems: error.problems,
    cause: error,
  });
}
