import { formatBytes, formatSize, roundUp, utf8Text } from "../bytes/index.ts";
import { type Disk, type UnitRun, UnitSet, unitDisk } from "../container/index.ts";
import { DiskwrightError } from "../errors.ts";
import { type Awaitable, type ByteSource, readExactly } from "../extents/index.ts";
import type { Unpackers } from "../packing/index.ts";
import { LARGEST_L1, LARGEST_REFCOUNT_TABLE } from "./plan.ts";
import {
  BACKING_FORMAT,
  COMPRESSED,
  COMPRESSION_TYPES,
  ENTRY,
  INCOMPATIBLE,
  leastPacked,
  PACKED_SECTOR,
  PLACE_MASK,
  packedLengthShift,
  QCOW2_MAGIC,
  type Qcow2Header,
  qcow2Extension,
  qcow2Features,
  qcow2Header,
  RESERVED_L1,
  RESERVED_L2,
  ZERO,
} from "./structures.ts";

/** What {@link openQcow2} can be told. */
export interface OpenQcow2Options {
  /** What unpacks compressed clusters. */
  readonly unpackers: Unpackers;
  /**
   * Opens the disk below, by the name that the file has for it, as what the file says that it is: `raw`, `qcow2` …
   * Without it, files that are differences to another one are refused: a file must not say what else is read.
   */
  readonly backing?: ((name: string, format: string | undefined) => Promise<ByteSource>) | undefined;
}

/** A name of a backing file is no longer (docs/interop/qcow2.rst). */
const LONGEST_NAME = 1023;

/** L2 tables that are kept: 2 MiB at the usual size of clusters. */
const KEPT_TABLES = 32;

/**
 * Opens a qcow2; `undefined` when the file is none.
 *
 * @throws DiskwrightError `CORRUPT` for one that breaks the rules, `UNSUPPORTED_IMAGE` for a kind that is not read.
 */
export async function openQcow2(file: ByteSource, options: OpenQcow2Options): Promise<Disk | undefined> {
  const start = await file.read(0, Math.min(file.size, 512));
  if (start.length < QCOW2_MAGIC.length || !QCOW2_MAGIC.every((byte, index) => start[index] === byte)) {
    return undefined;
  }
  if (start.length < qcow2Header.span) throw corrupt("it ends within its header");
  const header = qcow2Header.fromBytes(start);
  checkHeader(header, file.size);
  const { problems, compression, length } = readFeatures(start, header.version);
  const below = await backingDisk(file, header, length, options);
  const map = await ClusterMap.open(file, header, options.unpackers, compression, below);
  if (header.snapshots > 0) problems.push(`${header.snapshots} internal snapshots are not looked at`);
  return unitDisk({
    format: "qcow2",
    file,
    size: Number(header.size),
    unitSize: 2 ** header.clusterBits,
    problems,
    details: {
      version: header.version,
      clusterSize: 2 ** header.clusterBits,
      compression: compression === COMPRESSION_TYPES.zstd ? "zstd" : "deflate",
      ...(header.snapshots > 0 ? { snapshots: header.snapshots } : {}),
      ...(below === undefined ? {} : { backingFile: true }),
    },
    run: (cluster) => map.run(cluster),
  });
}

function corrupt(reason: string): DiskwrightError {
  return new DiskwrightError("CORRUPT", `the qcow2 file is damaged: ${reason}`);
}

function unsupported(reason: string): DiskwrightError {
  return new DiskwrightError("UNSUPPORTED_IMAGE", `the qcow2 file cannot be read: ${reason}`);
}

function checkHeader(header: Qcow2Header, fileSize: number): void {
  const { version, clusterBits, size, l1Size, l1TableOffset, refcountTableOffset } = header;
  if (version !== 2 && version !== 3) throw unsupported(`it has version ${version}; 2 and 3 are read`);
  if (clusterBits < 9 || clusterBits > 21) throw corrupt(`a cluster would have 2^${clusterBits} bytes`);
  const clusterSize = 2 ** clusterBits;
  if (header.encryption !== 0) {
    throw unsupported("it is encrypted: decrypt it first (qemu-img convert)");
  }
  if (size % 512n !== 0n) throw corrupt(`the disk's size of ${size} bytes is no multiple of a sector`);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt(`a disk of ${size} bytes is larger than any`);
  if (l1Size * ENTRY > LARGEST_L1) {
    throw corrupt(`its L1 table has ${formatSize(l1Size * ENTRY)}, the most is ${formatSize(LARGEST_L1)}`);
  }
  const refcountTableSize = header.refcountTableClusters * clusterSize;
  if (refcountTableSize > LARGEST_REFCOUNT_TABLE) {
    throw corrupt(
      `its refcount table has ${formatSize(refcountTableSize)}, the most is ${formatSize(LARGEST_REFCOUNT_TABLE)}`,
    );
  }
  const mapped = BigInt(l1Size) * BigInt((clusterSize / ENTRY) * clusterSize);
  if (mapped < size) throw corrupt(`its L1 table is too small: it maps ${mapped} of ${size} bytes`);
  const tables = [
    ["L1 table", l1TableOffset, l1Size * ENTRY],
    ["refcount table", refcountTableOffset, refcountTableSize],
  ] as const;
  for (const [name, offset, length] of tables) {
    if (length === 0) continue;
    if (offset === 0n || offset % BigInt(clusterSize) !== 0n) {
      throw corrupt(`its ${name} starts at ${offset}, which is not where a cluster starts`);
    }
    if (offset + BigInt(length) > BigInt(fileSize) && offset >= BigInt(fileSize)) {
      throw corrupt(`its ${name} lies at ${offset}, but the file ends at ${fileSize}: it was cut off`);
    }
  }
}

/** What a header says of its file. */
interface Features {
  readonly problems: string[];
  readonly compression: number;
  /** Bytes of the header. */
  readonly length: number;
}

/** What version 3 says of itself; version 2 has none of it. */
function readFeatures(start: Uint8Array, version: number): Features {
  const problems: string[] = [];
  if (version === 2) return { problems, compression: COMPRESSION_TYPES.deflate, length: qcow2Header.span };
  if (start.length < qcow2Header.span + qcow2Features.span) throw corrupt("it ends within its header");
  const { incompatible, refcountOrder, headerLength } = qcow2Features.fromBytes(start, qcow2Header.span);
  const smallest = qcow2Header.span + qcow2Features.span;
  if (headerLength < smallest || headerLength % 8 !== 0)
    throw corrupt(`its header has ${headerLength} bytes`);
  if (refcountOrder > 6) throw corrupt(`a refcount would have 2^${refcountOrder} bits`);
  if (incompatible & INCOMPATIBLE.externalData) throw unsupported("its data lies in another file");
  if (incompatible & INCOMPATIBLE.extendedL2) {
    throw unsupported("it has extended L2 entries: convert it with -o extended_l2=off first");
  }
  const known = INCOMPATIBLE.dirty | INCOMPATIBLE.corrupt | INCOMPATIBLE.compressionType;
  if (incompatible & ~known) {
    throw unsupported(`it has features that are not known: 0x${(incompatible & ~known).toString(16)}`);
  }
  // A reader needs no refcounts, and every table is checked before it is used. Only writers are kept off.
  if (incompatible & INCOMPATIBLE.corrupt) {
    problems.push(
      "QEMU found it damaged and marked it so: some of what it holds may be wrong (qemu-img check -r all repairs a copy of it)",
    );
  }
  if (incompatible & INCOMPATIBLE.dirty) problems.push("it was not closed: its refcounts may be wrong");
  if ((incompatible & INCOMPATIBLE.compressionType) === 0n) {
    return { problems, compression: COMPRESSION_TYPES.deflate, length: headerLength };
  }
  const compression = headerLength > smallest ? start[smallest] : undefined;
  if (compression !== COMPRESSION_TYPES.zstd) {
    throw unsupported(`its clusters are compressed by a way of number ${compression}; zstd is 1`);
  }
  return { problems, compression, length: headerLength };
}

async function backingDisk(
  file: ByteSource,
  header: Qcow2Header,
  headerLength: number,
  { backing }: OpenQcow2Options,
): Promise<ByteSource | undefined> {
  const { backingFileOffset, backingFileSize } = header;
  if (backingFileOffset === 0n) return undefined;
  if (backingFileSize > LONGEST_NAME)
    throw corrupt(`the name of its backing file has ${backingFileSize} bytes`);
  const bytes = await readExactly(
    file,
    Number(backingFileOffset),
    backingFileSize,
    "the name of the backing file",
  );
  const name = utf8Text(bytes) ?? "a name that is not UTF-8";
  if (name === "" || name.includes("\0")) throw corrupt("the name of its backing file is none");
  if (backing === undefined) {
    throw unsupported(
      `it is a difference to ${JSON.stringify(name)}, which is not opened unless it is allowed (--backing)`,
    );
  }
  // What the header says further ends where the name starts, if not before: with its cluster.
  const end = Math.min(file.size, 2 ** header.clusterBits, Number(backingFileOffset));
  return backing(name, await backingFormat(file, headerLength, end));
}

/**
 * The format that the backing file is said to have. Who could write into a raw disk could else make it look like
 * another one, which names further files.
 */
async function backingFormat(
  file: ByteSource,
  headerLength: number,
  end: number,
): Promise<string | undefined> {
  const bytes = await file.read(0, end);
  for (let at = headerLength; at + qcow2Extension.span <= bytes.length; ) {
    const { type, length } = qcow2Extension.fromBytes(bytes, at);
    at += qcow2Extension.span;
    if (type === 0) return undefined;
    if (at + length > bytes.length) throw corrupt(`an extension of its header has ${length} bytes`);
    if (type === BACKING_FORMAT) return utf8Text(bytes.subarray(at, at + length)) ?? "";
    at += roundUp(length, 8);
  }
  return undefined;
}

/** The L1 table, and the L2 tables as they are needed. */
class ClusterMap {
  readonly #file: ByteSource;
  readonly #l1: DataView;
  readonly #clusterSize: number;
  readonly #clusterBits: number;
  readonly #l2Entries: number;
  readonly #clusters: number;
  readonly #unpack: (bytes: Uint8Array, size: number) => Uint8Array;
  readonly #below: ByteSource | undefined;
  readonly #leastPacked: number;
  readonly #tables = new Map<number, DataView>();
  /** The clusters of the file that hold header and tables. */
  readonly #metadata = new UnitSet();

  private constructor(
    file: ByteSource,
    header: Qcow2Header,
    l1: Uint8Array,
    { inflateRaw, zstd }: Unpackers,
    compression: number,
    below: ByteSource | undefined,
  ) {
    this.#file = file;
    this.#l1 = new DataView(l1.buffer, l1.byteOffset, l1.byteLength);
    this.#clusterBits = header.clusterBits;
    this.#clusterSize = 2 ** header.clusterBits;
    this.#l2Entries = this.#clusterSize / ENTRY;
    this.#clusters = Math.ceil(Number(header.size) / this.#clusterSize);
    this.#unpack = compression === COMPRESSION_TYPES.zstd ? zstd : inflateRaw;
    this.#leastPacked = leastPacked(compression, this.#clusterSize);
    this.#below = below;
    this.#reserve(0n, 1);
    this.#reserve(header.l1TableOffset, header.l1Size * ENTRY);
    this.#reserve(header.refcountTableOffset, header.refcountTableClusters * this.#clusterSize);
  }

  static async open(
    file: ByteSource,
    header: Qcow2Header,
    unpackers: Unpackers,
    compression: number,
    below: ByteSource | undefined,
  ): Promise<ClusterMap> {
    const length = header.l1Size * ENTRY;
    const l1 = await readExactly(
      file,
      Number(header.l1TableOffset),
      length,
      "the L1 table of the qcow2 file",
    );
    const map = new ClusterMap(file, header, l1, unpackers, compression, below);
    map.#checkL1();
    return map;
  }

  #reserve(position: bigint, length: number): void {
    this.#metadata.addBytes(Number(position), length, this.#clusterSize);
  }

  /**
   * Every L2 table lies in the file, and neither on the header nor on another table; each is added to what is taken.
   * Several at one place would let a small file map a disk without end.
   */
  #checkL1(): void {
    for (let index = 0; index < this.#l1.byteLength / ENTRY; index++) {
      const entry = this.#l1.getBigUint64(index * ENTRY);
      if (entry & RESERVED_L1) throw corrupt(`entry ${index} of its L1 table has reserved bits set`);
      const place = entry & PLACE_MASK;
      if (place === 0n) continue;
      const cluster = Number(place) / this.#clusterSize;
      if (!Number.isInteger(cluster)) {
        throw corrupt(`L2 table ${index} lies at ${place}, which is not where a cluster starts`);
      }
      if (place + BigInt(this.#clusterSize) > BigInt(this.#file.size)) {
        throw corrupt(`L2 table ${index} lies at ${place}, but the file ends at ${this.#file.size}`);
      }
      if (this.#metadata.has(cluster))
        throw corrupt(`L2 table ${index} lies at ${place}, where another table or the header is`);
      this.#metadata.add(cluster);
    }
  }

  async run(first: number): Promise<UnitRun> {
    const entries = this.#l2Entries;
    const index = Math.floor(first / entries);
    const table = await this.#table(index);
    if (table === undefined) {
      let end = index + 1;
      while (end * entries < this.#clusters && this.#l2Place(end) === 0) end++;
      return this.#nothing(Math.min(end * entries, this.#clusters) - first);
    }
    const at = first % entries;
    const most = Math.min(entries - at, this.#clusters - first);
    const entry = table.getBigUint64(at * ENTRY);
    if (entry & COMPRESSED) {
      const start = this.#packedPlace(first, entry);
      const unpack = (): Promise<Uint8Array> => this.#unpacked(first, entry);
      return { type: "packed", units: 1, unpack, start, least: this.#leastPacked };
    }
    const place = this.#placeOf(first, entry);
    let units = 1;
    for (; units < most; units++) {
      const next = table.getBigUint64((at + units) * ENTRY);
      if (next & COMPRESSED) break;
      const nextPlace = this.#placeOf(first + units, next);
      if (typeof place === "number" ? nextPlace !== place + units * this.#clusterSize : nextPlace !== place)
        break;
    }
    if (place === "nothing") return this.#nothing(units);
    return place === "zeros" ? { type: "zeros", units } : { type: "plain", units, position: place };
  }

  #nothing(units: number): UnitRun {
    return this.#below === undefined ? { type: "zeros", units } : { type: "below", units, disk: this.#below };
  }

  #placeOf(cluster: number, entry: bigint): number | "zeros" | "nothing" {
    if (entry & RESERVED_L2) throw corrupt(`the L2 entry of cluster ${cluster} has reserved bits set`);
    if (entry & ZERO) return "zeros";
    const place = Number(entry & PLACE_MASK);
    if (place === 0) return "nothing";
    if (place % this.#clusterSize !== 0) {
      throw corrupt(`cluster ${cluster} lies at ${place}, which is not where a cluster starts`);
    }
    this.#checkData(cluster, place);
    return place;
  }

  #packedPlace(cluster: number, entry: bigint): number {
    const shift = BigInt(packedLengthShift(this.#clusterBits));
    const place = Number(entry & ((1n << shift) - 1n));
    this.#checkData(cluster, place);
    return place;
  }

  /** No content lies on a table. */
  #checkData(cluster: number, place: number): void {
    if (this.#metadata.has(Math.floor(place / this.#clusterSize))) {
      throw corrupt(`cluster ${cluster} lies at ${place}, where the header or a table is`);
    }
  }

  async #unpacked(cluster: number, entry: bigint): Promise<Uint8Array> {
    const shift = BigInt(packedLengthShift(this.#clusterBits));
    const position = this.#packedPlace(cluster, entry);
    const further = Number((entry & (COMPRESSED - 1n)) >> shift);
    const end = Math.min(
      (Math.floor(position / PACKED_SECTOR) + further + 1) * PACKED_SECTOR,
      this.#file.size,
    );
    if (position >= end) {
      throw corrupt(
        `compressed cluster ${cluster} lies at ${position}, but the file ends at ${this.#file.size}`,
      );
    }
    const packed = await this.#file.read(position, end - position);
    let reason: string;
    try {
      const bytes = this.#unpack(packed, this.#clusterSize);
      if (bytes.length === this.#clusterSize) return bytes;
      reason = `it holds ${formatBytes(bytes.length)}`;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    throw corrupt(`compressed cluster ${cluster} at ${position} cannot be unpacked: ${reason}`);
  }

  #l2Place(index: number): number {
    return Number(this.#l1.getBigUint64(index * ENTRY) & PLACE_MASK);
  }

  #table(index: number): Awaitable<DataView | undefined> {
    const place = this.#l2Place(index);
    if (place === 0) return undefined;
    return this.#tables.get(place) ?? this.#load(place);
  }

  async #load(place: number): Promise<DataView> {
    const bytes = await this.#file.read(place, this.#clusterSize);
    const table = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.#tables.size >= KEPT_TABLES) this.#tables.delete(this.#tables.keys().next().value!);
    this.#tables.set(place, table);
    return table;
  }
}
