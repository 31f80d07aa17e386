import { appendAll, formatBytes, printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { Awaitable } from "../extents/index.ts";
import type { DataRange, Device, EntryType, Xattrs } from "../tree/index.ts";
import {
  deviceOf,
  hasRightSum,
  headerPath,
  isPosixHeader,
  isZero,
  numberOf,
  timeOf,
  typeflag,
  untilNul,
} from "./header.ts";
import { fieldNumber, type TarTime } from "./numbers.ts";
import { type PaxRecord, type PaxRecords, paxRecords } from "./pax.ts";
import {
  gnuMap,
  gnuMapExtension,
  MOST_PARTS,
  paxMap,
  readMap10,
  type SparseMap,
  sparseFormat,
  sparseProblem,
  withoutEmpty,
} from "./sparse.ts";
import { BLOCK, headerField, TYPE } from "./structures.ts";
import { isXattrKeyword, memberXattrs } from "./xattrs.ts";

/** Where an archive is read from, once from start to end. */
export interface TarInput {
  /**
   * The next bytes, up to `length`, and at least a block of 512 as long as there are so many. They may be
   * reused by the next call.
   */
  read(length: number): Awaitable<Uint8Array>;
  /** Passes over bytes; returns how many there were. */
  skip(length: number): Awaitable<number>;
}

/** One thing in an archive. */
export interface TarMember {
  /** As it is in the archive: it can begin with a slash, or hold `..`. */
  readonly path: Uint8Array;
  readonly type: EntryType;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: TarTime;
  /** Bytes of the file, holes among them. */
  readonly size: number;
  /** Where its content starts in the archive, and how much of it is there. */
  readonly position: number;
  readonly stored: number;
  /** What a symlink points to, or the path of what a hard link names; else empty. */
  readonly target: Uint8Array;
  readonly device: Device | undefined;
  /** The parts of a sparse file that are in the archive, one behind the other. */
  readonly data: readonly DataRange[] | undefined;
  readonly xattrs: Xattrs | undefined;
  /** Where the header lies in the archive, for messages. */
  readonly offset: number;
}

/** Longer extended headers and names, of one member together, are an attack, not a file. */
const LARGEST_EXTENSIONS = 1024 * 1024;

/** Records for all members are copied for each of them; a few say something, such as a comment of git. */
const MOST_GLOBALS = 256;

const LARGEST_ID = 2 ** 32 - 1;
const PERMISSIONS = 0o7777;
const SPECIAL_PERMISSIONS = 0o7000;

/** What a member gets from headers before its own. */
interface Extensions {
  records: Map<string, Uint8Array>;
  repeated: readonly PaxRecord[];
  name: Uint8Array | undefined;
  link: Uint8Array | undefined;
  /** Bytes of all these headers. */
  size: number;
  /** Where the first of them lies that needs a member behind it. */
  start: number | undefined;
}

/**
 * Reads an archive member by member: POSIX ustar and pax, and GNU tar, with what came before them. Everything is
 * told in bytes: names need not be UTF-8. Reading stops at the end mark; what follows it is not looked at, such as
 * further archives.
 */
export class TarReader {
  readonly #input: TarInput;
  readonly #warn: (warning: string) => void;
  #position = 0;
  /** Bytes that were looked at before it was their turn. */
  #ahead: Uint8Array | undefined;
  /** Whose content is next, for messages. */
  #member: Uint8Array = NO_BYTES;
  /** Bytes of the current member that have not been read, and the padding behind them. */
  #unread = 0;
  #padding = 0;
  readonly #globals = new Map<string, Uint8Array>();
  #isPax = false;
  #isAtEnd = false;

  constructor(input: TarInput, warn: (warning: string) => void = () => {}) {
    this.#input = input;
    this.#warn = warn;
  }

  /**
   * The next member, or `undefined` at the end. What has not been read of the one before is passed over.
   *
   * @throws DiskwrightError `CORRUPT` when the archive breaks its format, with the place.
   */
  async next(): Promise<TarMember | undefined> {
    await this.#finishMember();
    const extensions: Extensions = {
      records: new Map(this.#globals),
      repeated: [],
      name: undefined,
      link: undefined,
      size: 0,
      start: undefined,
    };
    while (!this.#isAtEnd) {
      const offset = this.#position;
      const block = await this.#block();
      if (block === undefined || isZero(block)) {
        if (extensions.start !== undefined)
          throw corrupt(extensions.start, "nothing follows an extended header: the archive is incomplete");
        await this.#end(block, offset);
        return undefined;
      }
      if (!hasRightSum(block)) {
        throw offset === 0
          ? corrupt(0, "it is no tar archive")
          : corrupt(offset, "a header is damaged: its checksum does not match");
      }
      if (await this.#extend(block, extensions, offset)) continue;
      return await this.#take(block, extensions, offset);
    }
    return undefined;
  }

  /** Hands on what is stored of the current member, in parts that may be reused afterwards. */
  async content(sink: (bytes: Uint8Array) => Awaitable<void>): Promise<void> {
    while (this.#unread > 0) {
      const bytes = await this.#read(Math.min(this.#unread, CHUNK));
      if (bytes.length === 0) throw this.#cutOff();
      this.#position += bytes.length;
      this.#unread -= bytes.length;
      const taken = sink(bytes);
      if (taken !== undefined) await taken;
    }
  }

  async #finishMember(): Promise<void> {
    const left = this.#unread + this.#padding;
    if (left === 0) return;
    const ahead = this.#ahead === undefined ? 0 : this.#takeAhead(left).length;
    const missing = left - ahead - (await this.#input.skip(left - ahead));
    this.#position += left - missing;
    // Some programs leave the last padding out.
    if (missing > this.#padding) throw this.#cutOff();
    this.#unread = 0;
    this.#padding = 0;
  }

  /** Two blocks of zeros are the end mark; archives with half of one, or none, are told of. */
  async #end(block: Uint8Array | undefined, offset: number): Promise<void> {
    this.#isAtEnd = true;
    if (block === undefined) {
      if (offset === 0) throw corrupt(0, "the archive is empty: it has not even an end mark");
      this.#warn("the archive ends without an end mark: it may be incomplete");
      return;
    }
    const second = await this.#read(BLOCK);
    if (second.length === BLOCK && isZero(second)) return;
    this.#warn(
      `the archive ends with half an end mark at byte ${offset}: it may be damaged, what follows is not read`,
    );
  }

  async #block(): Promise<Uint8Array | undefined> {
    const bytes = await this.#read(BLOCK);
    if (bytes.length === 0) return undefined;
    if (bytes.length < BLOCK) {
      const start = this.#position;
      throw start === 0
        ? corrupt(0, "it is no tar archive")
        : corrupt(start, `the archive ends at byte ${start + bytes.length} in the middle of a header`);
    }
    this.#position += BLOCK;
    return bytes;
  }

  #read(length: number): Awaitable<Uint8Array> {
    return this.#ahead === undefined ? this.#input.read(length) : this.#takeAhead(length);
  }

  #takeAhead(length: number): Uint8Array {
    const taken = this.#ahead!.subarray(0, length);
    this.#ahead = taken.length === this.#ahead!.length ? undefined : this.#ahead!.subarray(taken.length);
    return taken;
  }

  #cutOff(): DiskwrightError {
    return new DiskwrightError(
      "CORRUPT",
      `the archive ends at byte ${this.#position} in the middle of ${shownName(this.#member)}`,
    );
  }

  /** Takes in a header that describes the member behind it; false when it is a member's own. */
  async #extend(header: Uint8Array, extensions: Extensions, offset: number): Promise<boolean> {
    const flag = typeflag(header);
    switch (flag) {
      case TYPE.paxGlobal:
        for (const { keyword, value } of await this.#records(header, extensions, offset)) {
          setRecord(this.#globals, keyword, value);
          setRecord(extensions.records, keyword, value);
        }
        this.#checkGlobals(offset);
        return true;
      case TYPE.paxHeader:
      case TYPE.solarisHeader:
        extensions.start ??= offset;
        extensions.repeated = await this.#records(header, extensions, offset);
        for (const { keyword, value } of extensions.repeated) setRecord(extensions.records, keyword, value);
        return true;
      case TYPE.gnuLongName:
        extensions.start ??= offset;
        extensions.name = untilNul(await this.#extension(header, extensions, offset));
        return true;
      case TYPE.gnuLongLink:
        extensions.start ??= offset;
        extensions.link = untilNul(await this.#extension(header, extensions, offset));
        return true;
      case TYPE.gnuVolumeLabel:
        return true;
      case TYPE.gnuMultiVolume:
        throw corrupt(offset, "the archive continues another volume: join the volumes first");
      default:
        return false;
    }
  }

  async #records(header: Uint8Array, extensions: Extensions, offset: number): Promise<readonly PaxRecord[]> {
    this.#isPax = true;
    const bytes = await this.#extension(header, extensions, offset);
    return (
      paxRecords(bytes) ??
      fail(corrupt(offset, `${shownName(this.#member)}: the extended header cannot be read`))
    );
  }

  #checkGlobals(offset: number): void {
    let size = 0;
    for (const [keyword, value] of this.#globals) size += keyword.length + value.length;
    if (this.#globals.size > MOST_GLOBALS || size > LARGEST_EXTENSIONS) {
      throw corrupt(
        offset,
        `the global headers have ${this.#globals.size} records of ${formatBytes(size)}, ` +
          `the limit is ${MOST_GLOBALS} of ${formatBytes(LARGEST_EXTENSIONS)}`,
      );
    }
  }

  /** The content of a header's own, which is kept in memory. */
  async #extension(header: Uint8Array, extensions: Extensions, offset: number): Promise<Uint8Array> {
    const name = headerPath(header);
    const size = fieldNumber(headerField(header, "size"));
    if (size === undefined || size < 0)
      throw corrupt(offset, `${shownName(name)}: the size of an extended header is no number`);
    extensions.size += size;
    if (extensions.size > LARGEST_EXTENSIONS) {
      throw corrupt(
        offset,
        `${shownName(name)}: the extended headers of a member have ${formatBytes(extensions.size)}, ` +
          `the limit is ${formatBytes(LARGEST_EXTENSIONS)}`,
      );
    }
    const bytes = new Uint8Array(size);
    let done = 0;
    this.#begin(name, size);
    await this.content((part) => {
      bytes.set(part, done);
      done += part.length;
    });
    await this.#finishMember();
    return bytes;
  }

  #begin(member: Uint8Array, stored: number): void {
    this.#member = member;
    this.#unread = stored;
    this.#padding = (BLOCK - (stored % BLOCK)) % BLOCK;
  }

  async #take(header: Uint8Array, extensions: Extensions, offset: number): Promise<TarMember> {
    const { records } = extensions;
    const flag = typeflag(header);
    const path =
      extensions.name ?? records.get("GNU.sparse.name") ?? records.get("path") ?? headerPath(header);
    const at = (what: string): DiskwrightError => corrupt(offset, `${shownName(path)}: ${what}`);
    if (path.length === 0) throw corrupt(offset, "a member has no name");
    if (path.includes(0)) throw at("its name holds a NUL");
    if (records.has("GNU.volume.offset")) throw at("it continues another volume: join the volumes first");
    const type = this.#typeOf(flag, path);
    const target =
      type === "hardlink" || type === "symlink"
        ? untilNul(extensions.link ?? records.get("linkpath") ?? headerField(header, "linkName"))
        : NO_BYTES;
    const number = (name: "uid" | "gid" | "size", what: string): number =>
      numberOf(records.get(name), headerField(header, name)) ??
      fail(at(`its ${what} is no number below 2^53`));
    const mode = fieldNumber(headerField(header, "mode")) ?? fail(at("its mode is no number"));
    const uid = number("uid", "owner");
    const gid = number("gid", "group");
    if (uid < 0 || uid > LARGEST_ID || gid < 0 || gid > LARGEST_ID)
      throw at(`its owner ${uid}:${gid} is not within 0 … ${LARGEST_ID}`);
    const size = number("size", "size");
    if (size < 0) throw at("its size is negative");
    const mtime =
      timeOf(records.get("mtime"), headerField(header, "mtime")) ??
      fail(at("its time is no number of seconds below 2^53"));
    const device =
      type === "character" || type === "block"
        ? (deviceOf(header, records) ?? fail(at("its device number is not within 0 … 4095 : 0 … 1048575")))
        : undefined;
    // The header's bytes are gone as soon as the next block is read.
    const head = flag === TYPE.gnuSparse || flag === TYPE.hardlink ? header.slice() : header;
    const holds = this.#holdsContent(flag, size);
    this.#begin(path, (typeof holds === "boolean" ? holds : await holds) ? size : 0);
    const map = type === "file" ? await this.#sparseMap(head, extensions, at) : undefined;
    const stored = this.#unread;
    const problem = map && sparseProblem(map, stored);
    if (problem !== undefined) throw at(problem);
    const { xattrs, permissions } = memberXattrs(records, (warning) =>
      this.#warn(`${shownName(path)}: ${warning}`),
    );
    return {
      path,
      type,
      mode: permissions === undefined ? mode & PERMISSIONS : (mode & SPECIAL_PERMISSIONS) | permissions,
      uid,
      gid,
      mtime,
      size: map?.size ?? stored,
      position: this.#position,
      stored,
      target,
      device,
      data: map && withoutEmpty(map.data),
      xattrs,
      offset,
    };
  }

  #typeOf(flag: number, path: Uint8Array): EntryType {
    switch (flag) {
      case TYPE.hardlink:
        return "hardlink";
      case TYPE.symlink:
        return "symlink";
      case TYPE.character:
        return "character";
      case TYPE.block:
        return "block";
      case TYPE.directory:
      case TYPE.gnuDumpDirectory:
        return "directory";
      case TYPE.fifo:
        return "fifo";
      case TYPE.oldFile:
      case TYPE.file:
        // Before POSIX, directories were told by their names; no file can have such a one.
        return path.at(-1) === SLASH ? "directory" : "file";
      case TYPE.contiguous:
      case TYPE.gnuSparse:
        return "file";
      default:
        this.#warn(
          `${shownName(path)}: its type "${printable(Uint8Array.of(flag))}" is unknown: taken for a file`,
        );
        return "file";
    }
  }

  /** Whether content of the header's size follows. Links, directories and devices have a size for show only. */
  #holdsContent(flag: number, size: number): Awaitable<boolean> {
    switch (flag) {
      case TYPE.hardlink:
        return size > 0 && this.#linkHoldsContent();
      case TYPE.symlink:
      case TYPE.character:
      case TYPE.block:
      case TYPE.directory:
      case TYPE.fifo:
        return false;
      default:
        return true;
    }
  }

  /**
   * Whether the content of a hard link with a size follows. In pax it may, with every name of a file; programs
   * that keep the size of the file but no content are as common, so what comes next decides.
   */
  async #linkHoldsContent(): Promise<boolean> {
    const next = (await this.#read(BLOCK)).slice();
    if (next.length === 0) return false;
    this.#ahead = next;
    if (next.length < BLOCK) return true;
    // Zeros can be the end mark. Taken for content of an archive that ends there, they are an error, not a loss.
    return isZero(next) ? this.#isPax : !hasRightSum(next);
  }

  /** The map of a sparse file, by whichever way it is told. */
  async #sparseMap(
    header: Uint8Array,
    { records, repeated }: Extensions,
    at: (what: string) => DiskwrightError,
  ): Promise<SparseMap | undefined> {
    if (typeflag(header) === TYPE.gnuSparse) return await this.#gnuSparseMap(header, at);
    const map = await this.#paxSparseMap(records, repeated);
    return typeof map === "string" ? fail(at(map)) : map;
  }

  async #paxSparseMap(
    records: PaxRecords,
    repeated: readonly PaxRecord[],
  ): Promise<SparseMap | string | undefined> {
    switch (sparseFormat(records)) {
      case undefined:
        return undefined;
      case "0":
        return paxMap(records, repeated);
      case "1.0":
        return await readMap10(records, async () => {
          if (this.#unread < BLOCK) return undefined;
          this.#unread -= BLOCK;
          return await this.#block();
        });
      case "unknown":
        return "it is sparse in a format that is not known (0.0, 0.1 and 1.0 are)";
    }
  }

  async #gnuSparseMap(header: Uint8Array, at: (what: string) => DiskwrightError): Promise<SparseMap> {
    // The headers of star, which are POSIX headers, have their maps elsewhere.
    if (isPosixHeader(header)) throw at("it is sparse in the way of star, which is not read");
    const first = gnuMap(header) ?? fail(at("the map of its sparse parts cannot be read"));
    const data = [...first.map.data];
    for (let { isExtended } = first; isExtended; ) {
      const more = await this.#block();
      const extension = more && gnuMapExtension(more);
      if (extension === undefined) throw at("the map of its sparse parts cannot be read");
      appendAll(data, extension.data);
      if (data.length > MOST_PARTS) throw at(`the map of its sparse parts has more than ${MOST_PARTS}`);
      isExtended = extension.isExtended;
    }
    return { size: first.map.size, data };
  }
}

const NO_BYTES = new Uint8Array(0);
const SLASH = 0x2f;

/** How much content is handed on at once. */
const CHUNK = 256 * 1024;

/** Keeps a record. One without a value takes away what was said before, but an attribute can be empty. */
function setRecord(records: Map<string, Uint8Array>, keyword: string, value: Uint8Array): void {
  if (value.length === 0 && !isXattrKeyword(keyword)) records.delete(keyword);
  else records.set(keyword, value);
}

function shownName(path: Uint8Array): string {
  return printable(path.length > 256 ? path.subarray(0, 256) : path);
}

function corrupt(offset: number, what: string): DiskwrightError {
  return new DiskwrightError("CORRUPT", `${what} (byte ${offset} of the archive)`);
}

function fail(error: DiskwrightError): never {
  throw error;
}
