import { closeSync, constants, createReadStream, fstatSync, openSync, readSync } from "node:fs";
import { tmpdir } from "node:os";
import { printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { CancelSignal, FileContent } from "../extents/index.ts";
import { type TarInput, type TarMember, TarReader } from "../tar/index.ts";
import {
  type ContentOrigin,
  climbs,
  type DataRange,
  fileMode,
  type RowAttributes,
  type Tree,
  TreeDraft,
  type Xattrs,
  xattrProblems,
} from "../tree/index.ts";
import { type Compression, compressionOf, decompressed, MAGIC_SIZE } from "./decompress.ts";
import { FileReader } from "./file-reader.ts";
import { reasonOf } from "./host-error.ts";
import { Spool } from "./spool.ts";
import { stampOf } from "./stamp.ts";
import { FileTarInput, StreamTarInput } from "./tar-input.ts";
import { type XattrFilter, type XattrOptions, xattrFilter } from "./xattrs.ts";
import { DataFinder } from "./zero-blocks.ts";

/** An archive: the path of a file, or one that is open already, such as standard input. */
export type TarSource = string | { readonly descriptor: number; readonly name: string };

/** What {@link tarArchive} can be told. */
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

/**
 * Reads a tar into a tree: plain, or compressed by gzip, zstd or xz, as its first bytes tell. Of a plain one in a
 * file, the tree refers to the file; else what its files hold is kept in a file without a name. An entry that
 * comes again replaces the one before.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`, `CORRUPT` for what is no sound archive, `INVALID_TREE` naming every
 *   entry that cannot be in a tree.
 */
export async function tarArchive(source: TarSource, options: TarOptions = {}): Promise<Tree> {
  const name = typeof source === "string" ? source : source.name;
  const descriptor = typeof source === "string" ? openArchive(source) : source.descriptor;
  try {
    return await readArchive(descriptor, source, name, options);
  } finally {
    if (typeof source === "string") closeSync(descriptor);
  }
}

function openArchive(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY);
  } catch (error) {
    throw new DiskwrightError("SOURCE_UNREADABLE", `${path}: ${reasonOf(error)}`, { path, cause: error });
  }
}

async function readArchive(
  descriptor: number,
  source: TarSource,
  name: string,
  options: TarOptions,
): Promise<Tree> {
  const status = fstatSync(descriptor, { bigint: true });
  if (status.isDirectory()) {
    throw new DiskwrightError("SOURCE_UNREADABLE", `${name}: is a directory, not a tar`, { path: name });
  }
  if (status.isFile()) {
    const start = new Uint8Array(MAGIC_SIZE);
    readSync(descriptor, start, 0, MAGIC_SIZE, 0);
    const compression = compressionOf(start);
    if (compression === undefined) {
      const path = Buffer.from(name);
      const own = typeof source === "string" ? undefined : descriptor;
      const stamp = stampOf(status);
      const place: Place = (start, size, stored) => ({
        type: "file",
        path,
        descriptor: own,
        start,
        size,
        stored,
        stamp,
      });
      const input = new FileTarInput(descriptor, Number(status.size), name);
      return await new Unpacking(name, options, new TarOrigin(new FileReader(), place)).run(input);
    }
    const stream = createReadStream("", { fd: descriptor, start: 0, autoClose: false, highWaterMark: CHUNK });
    return await readStream(stream, compression, name, options);
  }
  const stream = createReadStream("", { fd: descriptor, autoClose: false, highWaterMark: CHUNK });
  const [start, whole] = await peeked(stream, name);
  return await readStream(whole, compressionOf(start), name, options);
}

const CHUNK = 256 * 1024;

/** The first bytes of a stream, and a stream with all of them. */
async function peeked(
  stream: AsyncIterable<Uint8Array>,
  name: string,
): Promise<[start: Uint8Array, whole: AsyncIterable<Uint8Array>]> {
  const iterator = stream[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < MAGIC_SIZE) {
    const { value, done } = await attempt(name, () => iterator.next());
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  const start = Buffer.concat(chunks);
  async function* whole(): AsyncGenerator<Uint8Array> {
    if (start.length > 0) yield start;
    for (;;) {
      const { value, done } = await attempt(name, () => iterator.next());
      if (done) return;
      yield value;
    }
  }
  return [start, whole()];
}

async function attempt<Result>(name: string, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    throw new DiskwrightError("SOURCE_UNREADABLE", `${name}: ${reasonOf(error)}`, {
      path: name,
      cause: error,
    });
  }
}

async function readStream(
  stream: AsyncIterable<Uint8Array>,
  compression: Compression | undefined,
  name: string,
  options: TarOptions,
): Promise<Tree> {
  const input = new StreamTarInput(
    compression === undefined ? stream : decompressed(stream, compression, name),
  );
  const spool = new Spool(options.spoolDirectory ?? tmpdir());
  const place: Place = (start, size, stored) => spool.content(start, size, stored);
  const tree = await new Unpacking(name, options, new TarOrigin(new FileReader(), place), spool).run(input);
  await input.drain();
  return tree;
}

/** How content is read again that starts at a place of the archive, or of the file that keeps it. */
type Place = (start: number, size: number, stored: FileContent["stored"]) => FileContent;

const ENTRIES_BETWEEN_TURNS = 4096;
const BYTES_BETWEEN_TURNS = 64 * 1024 * 1024;

/** An archive that is becoming a tree. */
class Unpacking {
  readonly #name: string;
  readonly #options: TarOptions;
  readonly #spool: Spool | undefined;
  readonly #keepsXattr: XattrFilter | undefined;
  readonly #draft = new TreeDraft();
  readonly #origin: TarOrigin;
  readonly #originNumber: number;
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
    this.#originNumber = this.#draft.addOrigin(this.#origin);
  }

  async run(input: TarInput): Promise<Tree> {
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
    this.#leaveOut();
    if (this.#absolute > 0) {
      this.#options.onWarning?.(
        `${this.#name}: ${this.#absolute} names begin with a slash: it is taken for the root of the tree`,
      );
    }
    return this.#draft.finish(`${this.#name} cannot become a tree`);
  }

  async #take(member: TarMember, archive: TarReader): Promise<void> {
    const { path, type, target } = member;
    if (path[0] === SLASH) this.#absolute++;
    if (climbs(path)) {
      this.#draft.problems.push(`${printable(path)}: ".." would leave the tree`);
      return;
    }
    if (type === "hardlink") {
      if (climbs(target)) {
        this.#draft.problems.push(
          `${printable(path)}: hard link to ${printable(target)}: ".." would leave the tree`,
        );
      } else this.#draft.putLink(path, target);
      return;
    }
    const attributes = this.#attributes(member);
    if (type === "file") await this.#addContent(member, attributes, archive);
    if (type === "symlink" && target.length === 0) {
      this.#draft.problems.push(`${printable(path)}: a symlink needs a target`);
      return;
    }
    this.#draft.put(path, attributes);
  }

  #attributes(member: TarMember): Writable<RowAttributes> {
    const { type, mode, uid, gid, mtime, target, device } = member;
    return {
      mode: fileMode.typeBits(type as Exclude<TarMember["type"], "hardlink">) | mode,
      uid,
      gid,
      mtimeSeconds: mtime.seconds,
      mtimeNanoseconds: mtime.nanoseconds,
      origin: this.#originNumber,
      target: type === "symlink" ? target : undefined,
      device,
      xattrs: this.#xattrs(member),
    };
  }

  #xattrs({ xattrs, path }: TarMember): Xattrs | undefined {
    const keeps = this.#keepsXattr;
    if (xattrs === undefined || keeps === undefined) return undefined;
    const shown = `/${Buffer.from(path)
      .toString()
      .replace(/^[./]*\//, "")}`;
    const kept = new Map([...xattrs].filter(([name]) => keeps(name, shown)));
    for (const problem of xattrProblems(kept)) this.#draft.problems.push(`${printable(path)}: ${problem}`);
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

  /** Excluded names go when all is read: a hard link that is kept can name what they named. */
  #leaveOut(): void {
    const { exclude } = this.#options;
    if (exclude === undefined) return;
    const pending = [0];
    for (let row = pending.pop(); row !== undefined; row = pending.pop()) {
      for (const child of [...this.#draft.children(row)]) {
        if (exclude(Buffer.from(this.#draft.path(child)).toString())) this.#draft.remove(child);
        else if (this.#draft.isDirectory(child)) pending.push(child);
      }
    }
  }

  async #turn(): Promise<void> {
    this.#bytesUntilTurn = BYTES_BETWEEN_TURNS;
    this.#options.onProgress?.(this.#entries);
    await new Promise<void>((resolve) => void setImmediate(resolve));
    if (this.#options.signal?.aborted) throw new DiskwrightError("ABORTED", "stopped on request");
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
