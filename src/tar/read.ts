import { byteKey, formatBytes, printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { Awaitable } from "../extents/index.ts";
import type { DataRange, Device, EntryType, Xattrs } from "../tree/index.ts";
import { decimalNumber, fieldNumber, paxTime, type TarTime } from "./numbers.ts";
import { type PaxRecord, paxRecords } from "./pax.ts";
import {
  gnuMap,
  gnuMapExtension,
  MOST_PARTS,
  paxMap,
  readMap10,
  type SparseMap,
  sparseProblem,
  withoutEmpty,
} from "./sparse.ts";
import { BLOCK, headerField, TYPE, tarHeader } from "./structures.ts";
import { memberXattrs } from "./xattrs.ts";

/** Where an archive is read from, once from start to end. */
export interface TarInput {
  /** The next bytes: `length` of them, or fewer where the input ends. They may be reused by the next call. */
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
  /** What a symlink points to, or the path of what a hard link names. */
  readonly target: Uint8Array;
  readonly device: Device | undefined;
  /** The parts of a sparse file that are in the archive, one behind the other. */
  readonly data: readonly DataRange[] | undefined;
  readonly xattrs: Xattrs | undefined;
  /** Where the header lies in the archive, for messages. */
  readonly offset: number;
}

/** Longer extended headers and names are an attack, not a file. */
const LARGEST_EXTENSION = 1024 * 1024;

const LARGEST_ID = 2 ** 32 - 1;
const PERMISSIONS = 0o7777;

/** What a member gets from headers before its own. */
interface Extensions {
  records: Map<string, Uint8Array>;
  repeated: readonly PaxRecord[];
  isPax: boolean;
  name: Uint8Array | undefined;
  link: Uint8Array | undefined;
}

/**
 * Reads an archive member by member: POSIX ustar and pax, and GNU tar, with what came before them. Everything is
 * told in bytes: names need not be UTF-8. Reading stops at the end mark; what follows it is not looked at.
 */
export class TarReader {
  readonly #input: TarInput;
  readonly #warn: (warning: string) => void;
  #position = 0;
  /** Bytes of the current member that have not been read, and the padding behind them. */
  #unread = 0;
  #padding = 0;
  readonly #globals = new Map<string, Uint8Array>();
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
      isPax: this.#globals.size > 0,
      name: undefined,
      link: undefined,
    };
    while (!this.#isAtEnd) {
      const offset = this.#position;
      const block = await this.#block();
      if (block === undefined) {
        if (offset === 0) throw corrupt(0, "the archive is empty: it has not even an end mark");
        this.#warn("the archive ends without an end mark: it may be incomplete");
        this.#isAtEnd = true;
      } else if (isZero(block)) {
        this.#isAtEnd = true;
      } else {
        checkSum(block, offset);
        if (await this.#extend(block, extensions, offset)) continue;
        return await this.#member(block, extensions, offset);
      }
    }
    return undefined;
  }

  /** Hands on what is stored of the current member, in parts that may be reused afterwards. */
  async content(sink: (bytes: Uint8Array) => Awaitable<void>): Promise<void> {
    while (this.#unread > 0) {
      const bytes = await this.#input.read(Math.min(this.#unread, CHUNK));
      if (bytes.length === 0) throw corrupt(this.#position, "the archive ends in the middle of a file");
      this.#position += bytes.length;
      this.#unread -= bytes.length;
      const taken = sink(bytes);
      if (taken !== undefined) await taken;
    }
  }

  async #finishMember(): Promise<void> {
    const left = this.#unread + this.#padding;
    if (left === 0) return;
    const missing = left - (await this.#input.skip(left));
    this.#position += left - missing;
    // Some programs leave the last padding out.
    if (missing > this.#padding) throw corrupt(this.#position, "the archive ends in the middle of a file");
    this.#unread = 0;
    this.#padding = 0;
  }

  async #block(): Promise<Uint8Array | undefined> {
    const bytes = await this.#input.read(BLOCK);
    if (bytes.length === 0) return undefined;
    if (bytes.length < BLOCK) throw corrupt(this.#position, "the archive ends in the middle of a header");
    this.#position += BLOCK;
    return bytes;
  }

  /** Takes in a header that describes the member behind it; false when it is a member's own. */
  async #extend(header: Uint8Array, extensions: Extensions, offset: number): Promise<boolean> {
    const flag = typeflag(header);
    switch (flag) {
      case TYPE.paxHeader:
      case TYPE.solarisHeader:
      case TYPE.paxGlobal: {
        const records = paxRecords(await this.#extension(header, offset));
        if (records === undefined) throw corrupt(offset, "the extended header cannot be read");
        const isGlobal = flag === TYPE.paxGlobal;
        for (const { keyword, value } of records) {
          if (isGlobal) this.#globals.set(keyword, value);
          extensions.records.set(keyword, value);
        }
        if (!isGlobal) extensions.repeated = records;
        extensions.isPax = true;
        return true;
      }
      case TYPE.gnuLongName:
        extensions.name = untilNul(await this.#extension(header, offset));
        return true;
      case TYPE.gnuLongLink:
        extensions.link = untilNul(await this.#extension(header, offset));
        return true;
      case TYPE.gnuVolumeLabel:
        return true;
      case TYPE.gnuMultiVolume:
        throw corrupt(offset, "the archive continues another volume: join the volumes first");
      default:
        return false;
    }
  }

  /** The content of a header's own, which is kept in memory. */
  async #extension(header: Uint8Array, offset: number): Promise<Uint8Array> {
    const size = fieldNumber(headerField(header, "size"));
    if (size === undefined || size < 0) throw corrupt(offset, "the size of an extended header is no number");
    if (size > LARGEST_EXTENSION) {
      throw corrupt(
        offset,
        `an extended header has ${formatBytes(size)}, the limit is ${formatBytes(LARGEST_EXTENSION)}`,
      );
    }
    const bytes = new Uint8Array(size);
    let done = 0;
    this.#begin(size);
    await this.content((part) => {
      bytes.set(part, done);
      done += part.length;
    });
    await this.#finishMember();
    return bytes;
  }

  #begin(stored: number): void {
    this.#unread = stored;
    this.#padding = (BLOCK - (stored % BLOCK)) % BLOCK;
  }

  async #member(header: Uint8Array, extensions: Extensions, offset: number): Promise<TarMember> {
    const { records } = extensions;
    const flag = typeflag(header);
    const isPosix = isPosixHeader(header);
    const path =
      extensions.name ?? records.get("GNU.sparse.name") ?? records.get("path") ?? headerPath(header, isPosix);
    const at = (what: string): DiskwrightError => corrupt(offset, `${shownName(path)}: ${what}`);
    if (path.length === 0) throw at("a member has no name");
    if (path.includes(0)) throw at("its name holds a NUL");
    const type = this.#typeOf(flag, path, isPosix);
    const target = untilNul(extensions.link ?? records.get("linkpath") ?? headerField(header, "linkName"));
    const number = (name: "uid" | "gid" | "size", what: string): number =>
      numberOf(records.get(name), headerField(header, name)) ?? fail(at(`its ${what} is no number`));
    const mode = fieldNumber(headerField(header, "mode")) ?? fail(at("its mode is no number"));
    const uid = number("uid", "owner");
    const gid = number("gid", "group");
    if (uid < 0 || uid > LARGEST_ID || gid < 0 || gid > LARGEST_ID)
      throw at(`its owner ${uid}:${gid} is not within 0 … ${LARGEST_ID}`);
    const size = number("size", "size");
    if (size < 0) throw at("its size is negative");
    const mtime =
      timeOf(records.get("mtime"), headerField(header, "mtime")) ?? fail(at("its time is no number"));
    const device = type === "character" || type === "block" ? this.#device(header, records, at) : undefined;
    this.#begin(holdsContent(flag, extensions) ? size : 0);
    // The header's bytes are gone as soon as the next block is read.
    const map = await this.#sparseMap(header, extensions, at);
    const stored = this.#unread;
    const problem = map && sparseProblem(map, stored);
    if (problem !== undefined) throw at(problem);
    return {
      path,
      type,
      mode: mode & PERMISSIONS,
      uid,
      gid,
      mtime,
      size: map?.size ?? stored,
      position: this.#position,
      stored,
      target,
      device,
      data: map && withoutEmpty(map.data),
      xattrs: memberXattrs(records, (warning) => this.#warn(`${shownName(path)}: ${warning}`)),
      offset,
    };
  }

  #typeOf(flag: number, path: Uint8Array, isPosix: boolean): EntryType {
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
        // Before POSIX, directories were told by their names.
        return !isPosix && path.at(-1) === SLASH ? "directory" : "file";
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

  #device(
    header: Uint8Array,
    records: ReadonlyMap<string, Uint8Array>,
    at: (what: string) => DiskwrightError,
  ): Device {
    const major = numberOf(records.get("SCHILY.devmajor"), headerField(header, "major"));
    const minor = numberOf(records.get("SCHILY.devminor"), headerField(header, "minor"));
    if (
      major === undefined ||
      minor === undefined ||
      major < 0 ||
      minor < 0 ||
      major > 0xfff ||
      minor > 0xfffff
    )
      throw at("its device number is not within 0 … 4095 : 0 … 1048575");
    return { major, minor };
  }

  /** The map of a sparse file, by whichever way it is told. */
  async #sparseMap(
    header: Uint8Array,
    extensions: Extensions,
    at: (what: string) => DiskwrightError,
  ): Promise<SparseMap | undefined> {
    const { records, repeated } = extensions;
    if (typeflag(header) === TYPE.gnuSparse) return await this.#gnuSparseMap(header, at);
    const major = records.get("GNU.sparse.major");
    if (major !== undefined && byteKey(major) === "1") {
      const size = byteKey(records.get("GNU.sparse.realsize") ?? new Uint8Array(0));
      const read = await readMap10(size, async () => {
        if (this.#unread < BLOCK) return undefined;
        this.#unread -= BLOCK;
        return await this.#block();
      });
      return typeof read === "string" ? fail(at(read)) : read.map;
    }
    const map = paxMap(records, repeated);
    return typeof map === "string" ? fail(at(map)) : map;
  }

  async #gnuSparseMap(block: Uint8Array, at: (what: string) => DiskwrightError): Promise<SparseMap> {
    const first = gnuMap(block) ?? fail(at("the map of its sparse parts cannot be read"));
    const data = [...first.map.data];
    for (let { isExtended } = first; isExtended; ) {
      const more = await this.#block();
      const extension = more && gnuMapExtension(more);
      if (extension === undefined) throw at("the map of its sparse parts cannot be read");
      data.push(...extension.data);
      if (data.length > MOST_PARTS) throw at(`the map of its sparse parts has more than ${MOST_PARTS}`);
      isExtended = extension.isExtended;
    }
    return { size: first.map.size, data };
  }
}

const SLASH = 0x2f;

/** How much content is handed on at once. */
const CHUNK = 256 * 1024;

/** Whether content of the header's size follows. Links, directories and devices have a size for show only. */
function holdsContent(flag: number, { isPax }: Extensions): boolean {
  switch (flag) {
    case TYPE.hardlink:
      // pax can store the content with every name of a file ("pax -o linkdata").
      return isPax;
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

/** Checks the sum of a header: of bytes, or of signed bytes, as some old programs have it. */
function checkSum(block: Uint8Array, offset: number): void {
  let sum = 8 * 0x20;
  let negative = 0;
  for (let index = 0; index < BLOCK; index++) {
    // The field itself counts as blanks.
    if (index === CHECKSUM) index += 8;
    const byte = block[index]!;
    sum += byte;
    if (byte > 127) negative++;
  }
  const stored = fieldNumber(headerField(block, "checksum"));
  if (stored === sum || stored === sum - 256 * negative) return;
  throw corrupt(
    offset,
    offset === 0 ? "it is no tar archive" : "a header is damaged: its checksum does not match",
  );
}

const CHECKSUM: number = tarHeader.offsetOf("checksum");
const TYPEFLAG: number = tarHeader.offsetOf("typeflag");
const MAGIC: number = tarHeader.offsetOf("magic");

function typeflag(header: Uint8Array): number {
  return header[TYPEFLAG]!;
}

const POSIX_MAGIC = Uint8Array.of(0x75, 0x73, 0x74, 0x61, 0x72, 0); // ustar and NUL; GNU tar has blanks behind it

function isPosixHeader(header: Uint8Array): boolean {
  return POSIX_MAGIC.every((byte, index) => header[MAGIC + index] === byte);
}

function headerPath(header: Uint8Array, isPosix: boolean): Uint8Array {
  const last = untilNul(headerField(header, "name"));
  const first = isPosix ? untilNul(headerField(header, "prefix")) : NO_BYTES;
  if (first.length === 0) return last;
  const path = new Uint8Array(first.length + 1 + last.length);
  path.set(first);
  path[first.length] = SLASH;
  path.set(last, first.length + 1);
  return path;
}

const NO_BYTES = new Uint8Array(0);

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes.slice() : bytes.slice(0, end);
}

/** A number of an extended header, or else that of the field. */
function numberOf(record: Uint8Array | undefined, field: Uint8Array): number | undefined {
  return record === undefined ? fieldNumber(field) : decimalNumber(byteKey(record));
}

function timeOf(record: Uint8Array | undefined, field: Uint8Array): TarTime | undefined {
  if (record !== undefined) return paxTime(byteKey(record));
  const seconds = fieldNumber(field);
  return seconds === undefined ? undefined : { seconds, nanoseconds: 0 };
}

function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
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
