import { DiskwrightError } from "../errors.ts";
import {
  type ByteRange,
  type ByteSource,
  type CancelSignal,
  type Extent,
  eventLoopTurn,
  type FunctionContent,
  readExactly,
  sourceContent,
} from "../extents/index.ts";
import { FAT32, type FatType } from "./geometry.ts";
import { layoutOf, readLayout, type VolumeLayout } from "./layout.ts";
import { type ListedEntry, type Listing, labelText, listDirectory, shown } from "./listing.ts";
import { foldedName } from "./names.ts";
import {
  ATTRIBUTE,
  BOOT_SECTOR_SIZE,
  ENTRY_SIZE,
  FIRST_CLUSTER,
  informationSector,
  LEAD_SIGNATURE,
  MOST_DIRECTORY_ENTRIES,
  STRUCTURE_SIGNATURE,
  UNKNOWN,
} from "./structures.ts";
import { decodeEntry } from "./table.ts";

/** A file or directory of a volume, as a walk finds it. */
export interface FatEntry {
  /** From the root, without a leading slash. */
  readonly path: string;
  /** Its name in the 8.3 form; the last part of `path` where there is no long one. */
  readonly shortName: string;
  readonly type: "file" | "directory";
  /** Bytes; 0 for directories. */
  readonly size: number;
  /** Nanoseconds since 1970, in steps of two seconds. */
  readonly mtime: bigint;
  /** When it was made: nanoseconds since 1970, in steps of a hundredth of a second. */
  readonly crtime: bigint;
  /** Bits: 0x01 read-only, 0x02 hidden, 0x04 system, 0x10 directory, 0x20 archive. */
  readonly attributes: number;
  /** 0 when it has none. */
  readonly firstCluster: number;
}

/** How the check of a volume goes on. */
export interface FatCheckOptions {
  readonly signal?: CancelSignal | undefined;
}

/** Entries of the table that are read at once. A multiple of two, so that pairs of 12 bits stay together. */
const ENTRIES_PER_READ = 32_768;

/** Entries that are checked between two turns of the event loop. */
const ENTRIES_BETWEEN_TURNS = 2048;

/** Bytes of a file that are read at once. */
const CONTENT_PER_READ = 1024 * 1024;

const LARGEST_DIRECTORY = MOST_DIRECTORY_ENTRIES * ENTRY_SIZE;

/**
 * Opens the FAT volume that starts at byte 0 of `source`. Returns `undefined` when there is none.
 *
 * @throws DiskwrightError `CORRUPT` when the image ends within the file allocation table or root directory.
 */
export async function readFat(source: ByteSource): Promise<FatVolume | undefined> {
  const layout = await readLayout(source);
  if (layout === undefined) return undefined;
  const volume = new FatVolume(source, layout);
  await volume.open();
  return volume;
}

/** A FAT volume that can be read: what its boot sector says, its entries, and what they hold. */
export class FatVolume {
  readonly layout: VolumeLayout;
  readonly #source: ByteSource;
  readonly #content: FunctionContent;
  readonly #problems = new Set<string>();
  /** Those of them that are about what is stored twice, or can be counted. */
  readonly #discrepancies = new Set<string>();
  #isChecked = false;
  #freeClusters = 0;
  #badClusters = 0;
  #label = "";
  /** The part of the table that was read last. */
  #table: { readonly start: number; readonly view: DataView } | undefined;

  /** Use {@link readFat}, which checks that there is a volume. */
  constructor(source: ByteSource, layout: VolumeLayout) {
    this.#source = source;
    this.#content = sourceContent(source);
    this.layout = layout;
  }

  get type(): FatType {
    return this.layout.format.type;
  }

  /** Of the root directory, or else of the boot sector; "" for none. */
  get label(): string {
    return this.#label;
  }

  /** 32 bits; `formatSerial` shows them as `ABCD-1234`. 0 when the boot sector has none. */
  get serial(): number {
    return this.layout.serial;
  }

  /** Bytes. */
  get sectorSize(): number {
    return this.layout.sectorSize;
  }

  get sectorsPerCluster(): number {
    return this.layout.sectorsPerCluster;
  }

  /** Bytes of the volume. */
  get size(): number {
    return this.layout.sectors * this.layout.sectorSize;
  }

  /** Bytes of a cluster. */
  get clusterSize(): number {
    return this.layout.sectorsPerCluster * this.layout.sectorSize;
  }

  get clusters(): number {
    return this.layout.clusters;
  }

  /** As counted in the file allocation table. */
  get freeClusters(): number {
    return this.#freeClusters;
  }

  /** Bytes in free clusters. */
  get freeBytes(): number {
    return this.#freeClusters * this.clusterSize;
  }

  /** One line for each thing that is wrong, as far as the volume was read: a walk can find more. */
  get problems(): readonly string[] {
    return [...this.#problems];
  }

  /**
   * Those of the problems that make nothing doubtful of what the volume holds: copies and hints that differ from
   * what counts, and too few clusters for a FAT32 that firmware takes.
   */
  get discrepancies(): readonly string[] {
    return [...this.#discrepancies];
  }

  #noteDiscrepancy(line: string): void {
    this.#problems.add(line);
    this.#discrepancies.add(line);
  }

  /** Reads the file allocation table and the label. {@link readFat} has done it. */
  async open(): Promise<void> {
    const { layout } = this;
    const { format, clusters, flags } = layout;
    if (this.size > this.#source.size) {
      this.#problems.add(`the volume has ${this.size} bytes, but only ${this.#source.size} are there`);
    }
    if (format === FAT32 && clusters < format.fewestClusters) {
      this.#noteDiscrepancy(
        `FAT32 with ${clusters} clusters: firmware refuses fewer than ${format.fewestClusters}`,
      );
    }
    if (clusters > format.mostClusters) {
      this.#problems.add(`${this.type} with ${clusters} clusters: there can be ${format.mostClusters}`);
    }
    if ((flags & 1) !== 0) this.#problems.add("the volume was not closed properly");
    if ((flags & 2) !== 0) this.#problems.add("the volume is marked as having bad sectors");
    await this.#scanTable();
    if (format === FAT32) await this.#checkReserved();
    const root = await this.#listing(undefined);
    const ofBootSector = layout.label === undefined ? "" : labelText(layout.label);
    const stated = ofBootSector === "NO NAME" ? "" : ofBootSector;
    if (layout.label !== undefined && stated !== (root.label ?? "")) {
      this.#noteDiscrepancy(
        `the label is "${shown(stated)}" in the boot sector and "${shown(root.label ?? "")}" in the root directory`,
      );
    }
    this.#label = root.label ?? stated;
  }

  /**
   * Every file and directory, directories before what is in them, in the order of the directories.
   *
   * @throws DiskwrightError `CORRUPT` when a directory cannot be read, or is reached twice.
   */
  async *entries(): AsyncGenerator<FatEntry> {
    const walked = new Set<number>([this.layout.rootCluster]);
    interface Pending {
      readonly entry: FatEntry | undefined;
      readonly parent: number;
    }
    const pending: Pending[] = [{ entry: undefined, parent: 0 }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const directory = next.entry;
      if (directory !== undefined) {
        yield directory;
        if (directory.type !== "directory") {
          if (directory.size === 0 && directory.firstCluster !== 0) {
            this.#problems.add(`${shown(directory.path)}: it is empty, but has clusters of its own`);
          }
          continue;
        }
        const { firstCluster, path } = directory;
        if (walked.has(firstCluster)) throw corrupt(`the directory ${shown(path)} is reached twice`);
        walked.add(firstCluster);
      }
      const listing = await this.#listing(directory);
      if (directory !== undefined) this.#checkDots(directory, next.parent, listing);
      const where = directory === undefined ? "" : `${directory.path}/`;
      for (const problem of listing.problems) this.#problems.add(`${shown(where)}${problem}`);
      const parent = directory?.firstCluster ?? 0;
      for (let index = listing.entries.length - 1; index >= 0; index--) {
        pending.push({ entry: entryOf(where, listing.entries[index]!), parent });
      }
    }
  }

  /**
   * Walks the whole volume as an fsck does, without reading what is in files. Returns all that is wrong, which are the
   * {@link problems}: what was found when the volume was opened, names that clash, chains that are too short or too
   * long or that meet, and clusters that belong to nothing.
   */
  async check(options: FatCheckOptions = {}): Promise<readonly string[]> {
    if (!this.#isChecked) {
      try {
        await this.#checkEntries(options.signal);
        this.#isChecked = true;
      } catch (error) {
        // What is damaged so much that the walk cannot go on is one more finding.
        if (!(error instanceof DiskwrightError) || error.code !== "CORRUPT") throw error;
        this.#problems.add(error.message);
      }
    }
    return this.problems;
  }

  async #checkEntries(signal: CancelSignal | undefined): Promise<void> {
    const { clusters, format, rootCluster } = this.layout;
    const owners = new ClusterOwners(clusters + FIRST_CLUSTER);
    const names = new Map<string, string>();
    let untilTurn = ENTRIES_BETWEEN_TURNS;
    if (format === FAT32) await this.#claimChain(owners, rootCluster, undefined, "the root directory");
    for await (const { path, shortName, type, size, firstCluster } of this.entries()) {
      const parent = path.slice(0, path.lastIndexOf("/") + 1);
      const folded = [path.slice(parent.length), shortName].map((name) => parent + foldedName(name));
      for (const name of new Set(folded)) {
        const other = names.get(name);
        if (other === undefined) names.set(name, path);
        else {
          this.#problems.add(`${shown(path)}: its name is that of ${shown(other)}, as case does not count`);
        }
      }
      const wanted = type === "directory" ? undefined : Math.ceil(size / this.clusterSize);
      await this.#claimChain(owners, firstCluster, wanted, path);
      if (--untilTurn > 0) continue;
      untilTurn = ENTRIES_BETWEEN_TURNS;
      await eventLoopTurn(signal);
    }
    const lost = this.#tableEntries - FIRST_CLUSTER - this.#freeClusters - owners.count - this.#badClusters;
    if (lost > 0) this.#problems.add(`${lost} clusters are in use, but belong to nothing`);
  }

  /** Claims the clusters of a chain. One that is damaged is a problem, and hides nothing else. */
  async #claimChain(
    owners: ClusterOwners,
    from: number,
    wanted: number | undefined,
    what: string,
  ): Promise<void> {
    try {
      for await (const { first, count } of this.#runs(from, wanted, what)) {
        if (owners.claim(first, count)) continue;
        this.#problems.add(`${shown(what)}: it shares clusters with another file or directory`);
        // To go on would be to go around, if the chain meets itself.
        return;
      }
    } catch (error) {
      if (!(error instanceof DiskwrightError) || error.code !== "CORRUPT") throw error;
      this.#problems.add(error.message);
    }
  }

  /** The bytes of a file. It has to fit into memory. */
  async readFile(entry: FatEntry): Promise<Uint8Array> {
    this.#checkLength(entry);
    const bytes = new Uint8Array(entry.size);
    let filled = 0;
    for await (const chunk of this.content(entry)) {
      bytes.set(chunk, filled);
      filled += chunk.length;
    }
    return bytes;
  }

  /**
   * The bytes of a file, part after part.
   *
   * @throws DiskwrightError `CORRUPT` when its clusters end before its size, or lie outside of the image.
   */
  async *content(entry: FatEntry): AsyncGenerator<Uint8Array> {
    if (entry.type !== "file") throw new TypeError(`${entry.path} is a directory`);
    let remaining = entry.size;
    for await (const run of this.#runs(
      entry.firstCluster,
      Math.ceil(entry.size / this.clusterSize),
      entry.path,
    )) {
      let position = this.#clusterStart(run.first);
      let inRun = Math.min(run.count * this.clusterSize, remaining);
      while (inRun > 0) {
        const length = Math.min(inRun, CONTENT_PER_READ);
        yield await readExactly(this.#source, position, length, shown(entry.path));
        position += length;
        remaining -= length;
        inRun -= length;
      }
    }
  }

  /**
   * Where the bytes of a file are: an extent's position is that in the file, its offset that in the source of the
   * volume.
   *
   * @throws DiskwrightError `CORRUPT` when its clusters end before its size, or lie outside of the image.
   */
  async *extents(entry: FatEntry): AsyncGenerator<Extent> {
    if (entry.type !== "file") throw new TypeError(`${entry.path} is a directory`);
    const { size, firstCluster, path } = entry;
    let position = 0;
    for await (const { first, count } of this.#runs(firstCluster, Math.ceil(size / this.clusterSize), path)) {
      const offset = this.#clusterStart(first);
      const length = Math.min(count * this.clusterSize, size - position);
      if (offset + length > this.#source.size) {
        throw corrupt(`${shown(path)}: its clusters lie behind the end of the image`);
      }
      yield { position, length, source: this.#content, offset };
      position += length;
    }
  }

  /** The clusters that the file allocation table calls free, as byte ranges in ascending order. */
  async *freeRanges(): AsyncGenerator<ByteRange> {
    const { format, activeFat } = this.layout;
    const entries = this.#tableEntries;
    let first: number | undefined;
    const range = (end: number): ByteRange => ({
      position: this.#clusterStart(first!),
      length: (end - first!) * this.clusterSize,
    });
    for (let start = 0; start < entries; start += ENTRIES_PER_READ) {
      const count = Math.min(ENTRIES_PER_READ, entries - start);
      const bytes = await this.#readTable(activeFat, start, count);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let index = start === 0 ? FIRST_CLUSTER : 0; index < count; index++) {
        const isFree = decodeEntry(format.bits, view, index) === 0;
        if (isFree) first ??= start + index;
        else if (first !== undefined) {
          yield range(start + index);
          first = undefined;
        }
      }
    }
    if (first !== undefined) yield range(entries);
  }

  #clusterStart(cluster: number): number {
    const { firstDataSector, sectorsPerCluster, sectorSize } = this.layout;
    return (firstDataSector + (cluster - FIRST_CLUSTER) * sectorsPerCluster) * sectorSize;
  }

  /** The entries that table and clusters both have room for. */
  get #tableEntries(): number {
    const { fatSectors, sectorSize, format, clusters } = this.layout;
    return Math.min(clusters + FIRST_CLUSTER, Math.floor((fatSectors * sectorSize * 8) / format.bits));
  }

  async #readTable(copy: number, start: number, count: number): Promise<Uint8Array> {
    const { reservedSectors, fatSectors, sectorSize, format } = this.layout;
    const position = (reservedSectors + copy * fatSectors) * sectorSize + (start * format.bits) / 8;
    const length = Math.ceil((count * format.bits) / 8);
    return await readExactly(this.#source, position, length, "the file allocation table");
  }

  /** Counts free clusters, and compares the copies of the table. */
  async #scanTable(): Promise<void> {
    const { layout } = this;
    const { format, fats, activeFat, isMirrored } = layout;
    const entries = this.#tableEntries;
    if (entries < layout.clusters + FIRST_CLUSTER) {
      this.#problems.add(`the file allocation table has ${entries} entries for ${layout.clusters} clusters`);
    }
    const differing = new Set<number>();
    for (let start = 0; start < entries; start += ENTRIES_PER_READ) {
      const count = Math.min(ENTRIES_PER_READ, entries - start);
      const bytes = await this.#readTable(activeFat, start, count);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let index = start === 0 ? FIRST_CLUSTER : 0; index < count; index++) {
        const entry = decodeEntry(format.bits, view, index);
        if (entry === 0) this.#freeClusters++;
        else if (entry === format.endOfChain - 8) this.#badClusters++;
      }
      if (start === 0) this.#checkFlags(view);
      if (!isMirrored) continue;
      // A table that is not the second is rare, and a hostile image can claim 255 of them.
      for (let copy = 1; copy < Math.min(fats, 4); copy++) {
        if (differing.has(copy)) continue;
        const other = await this.#readTable(copy, start, count);
        if (!other.every((byte, index) => byte === bytes[index])) differing.add(copy);
      }
    }
    for (const copy of differing) {
      this.#noteDiscrepancy(`copy ${copy + 1} of the file allocation table differs from the first`);
    }
  }

  /** The second entry of FAT16 and FAT32 has two bits that are set while the volume is sound. */
  #checkFlags(view: DataView): void {
    const { bits } = this.layout.format;
    if (bits === 12) return;
    const entry = decodeEntry(bits, view, 1);
    const clean = bits === 32 ? 0x08000000 : 0x8000;
    if ((entry & clean) === 0) this.#problems.add("the file allocation table says: not closed properly");
    if ((entry & (clean >> 1)) === 0)
      this.#problems.add("the file allocation table says: disk errors were met");
  }

  /** The information sector and the backup of the boot sector, which only FAT32 has. */
  async #checkReserved(): Promise<void> {
    const { informationSector: at, backupSector, reservedSectors, sectorSize } = this.layout;
    if (at > 0 && at < reservedSectors) {
      const bytes = await readExactly(
        this.#source,
        at * sectorSize,
        BOOT_SECTOR_SIZE,
        "the information sector",
      );
      const { leadSignature, structureSignature, freeClusters } = informationSector.fromBytes(bytes);
      if (leadSignature !== LEAD_SIGNATURE || structureSignature !== STRUCTURE_SIGNATURE) {
        this.#noteDiscrepancy("the information sector has no signature");
      } else if (freeClusters !== UNKNOWN && freeClusters !== this.#freeClusters) {
        this.#noteDiscrepancy(
          `the information sector says that ${freeClusters} clusters are free, they are ${this.#freeClusters}`,
        );
      }
    }
    if (backupSector > 0 && backupSector < reservedSectors) {
      const primary = await readExactly(this.#source, 0, BOOT_SECTOR_SIZE, "the boot sector");
      const what = "the backup boot sector";
      const backup = await readExactly(this.#source, backupSector * sectorSize, BOOT_SECTOR_SIZE, what);
      const isSame = backup.every((byte, index) => byte === primary[index]);
      if (!isSame) {
        const kind = layoutOf(backup) === undefined ? "is not a boot sector" : "differs from the first";
        this.#noteDiscrepancy(`${what} ${kind}`);
      }
    }
  }

  #checkDots({ path, firstCluster }: FatEntry, parent: number, { dot, dotDot }: Listing): void {
    if (dot !== firstCluster) this.#problems.add(`${shown(path)}: "." does not lead to the directory itself`);
    if (dotDot !== parent) this.#problems.add(`${shown(path)}: ".." does not lead to its parent`);
  }

  /** What a directory holds; without an entry, the root. */
  async #listing(entry: FatEntry | undefined): Promise<Listing> {
    const { rootEntries, rootCluster, format, firstDataSector, sectorSize } = this.layout;
    if (entry === undefined && format !== FAT32) {
      const length = rootEntries * ENTRY_SIZE;
      const start = (firstDataSector - Math.ceil(length / sectorSize)) * sectorSize;
      return listDirectory(await readExactly(this.#source, start, length, "the root directory"));
    }
    const what = entry === undefined ? "the root directory" : entry.path;
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const { first, count } of this.#runs(entry?.firstCluster ?? rootCluster, undefined, what)) {
      if (length + count * this.clusterSize > LARGEST_DIRECTORY) {
        throw corrupt(`the directory ${shown(what)} has more than ${LARGEST_DIRECTORY} bytes`);
      }
      const start = this.#clusterStart(first);
      parts.push(await readExactly(this.#source, start, count * this.clusterSize, shown(what)));
      length += count * this.clusterSize;
    }
    const bytes = new Uint8Array(length);
    let filled = 0;
    for (const part of parts) {
      bytes.set(part, filled);
      filled += part.length;
    }
    return listDirectory(bytes);
  }

  /**
   * The runs of clusters of a chain: `wanted` clusters, or all of a directory's. A chain cannot be longer
   * than the content it is for, so that one that leads in a circle comes to an end.
   */
  async *#runs(
    from: number,
    wanted: number | undefined,
    what: string,
  ): AsyncGenerator<{ readonly first: number; readonly count: number }> {
    const limit = wanted ?? Math.floor(LARGEST_DIRECTORY / this.clusterSize) + 1;
    if (limit === 0) return;
    if (wanted !== undefined && wanted > this.clusters) {
      throw corrupt(`${shown(what)}: its size needs ${wanted} clusters, the volume has ${this.clusters}`);
    }
    const { format } = this.layout;
    const end = this.#tableEntries;
    let first = from;
    let count = 0;
    let cluster = from;
    for (let done = 1; ; done++) {
      if (cluster < FIRST_CLUSTER || cluster >= end) {
        throw corrupt(`${shown(what)}: its clusters lead to number ${cluster}, which does not exist`);
      }
      if (cluster === first + count) count++;
      else {
        yield { first, count };
        first = cluster;
        count = 1;
      }
      const next = this.#knownEntry(cluster) ?? (await this.#entryOf(cluster));
      // The highest eight values mark the end of a chain, the one below them a bad cluster (§4).
      const isLast = next >= format.endOfChain - 7;
      if (done === limit) {
        if (!isLast && wanted !== undefined) {
          this.#problems.add(`${shown(what)}: it has more clusters than its size needs`);
        }
        break;
      }
      if (isLast) {
        if (wanted !== undefined) {
          throw corrupt(`${shown(what)}: its clusters end after ${done}, its size needs ${wanted}`);
        }
        break;
      }
      cluster = next;
    }
    yield { first, count };
  }

  /** The entry of a cluster, when it is in the part of the table that was read last: a promise costs more. */
  #knownEntry(cluster: number): number | undefined {
    const table = this.#table;
    if (table === undefined || cluster < table.start || cluster >= table.start + ENTRIES_PER_READ)
      return undefined;
    return decodeEntry(this.layout.format.bits, table.view, cluster - table.start);
  }

  async #entryOf(cluster: number): Promise<number> {
    const { activeFat, format } = this.layout;
    const start = cluster - (cluster % ENTRIES_PER_READ);
    const count = Math.min(ENTRIES_PER_READ, this.#tableEntries - start);
    const bytes = await this.#readTable(activeFat, start, count);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#table = { start, view };
    return decodeEntry(format.bits, view, cluster - start);
  }

  /** Memory is not taken for a size that the volume cannot have. */
  #checkLength({ size, path }: FatEntry): void {
    if (size > LARGEST_IN_MEMORY)
      throw corrupt(`${shown(path)} has ${size} bytes, too many to hold in memory`);
    if (size > this.#source.size) {
      throw corrupt(`${shown(path)} has ${size} bytes, more than the image has: ${this.#source.size}`);
    }
  }
}

const LARGEST_IN_MEMORY = 2 ** 31;

/** Which clusters belong to something, and how many do. */
class ClusterOwners {
  count = 0;
  readonly #owned: Uint8Array;

  constructor(entries: number) {
    this.#owned = new Uint8Array(Math.ceil(entries / 8));
  }

  /** Claims a run of clusters; returns whether none of them belonged to something before. */
  claim(first: number, count: number): boolean {
    let isFree = true;
    for (let cluster = first; cluster < first + count; cluster++) {
      const bit = 1 << (cluster % 8);
      if ((this.#owned[cluster >> 3]! & bit) !== 0) isFree = false;
      else this.count++;
      this.#owned[cluster >> 3]! |= bit;
    }
    return isFree;
  }
}

function entryOf(
  where: string,
  { name, shortName, attributes, firstCluster, size, seconds, created }: ListedEntry,
): FatEntry {
  const isDirectory = (attributes & ATTRIBUTE.directory) !== 0;
  return {
    path: where + name,
    shortName,
    type: isDirectory ? "directory" : "file",
    size: isDirectory ? 0 : size,
    mtime: BigInt(seconds) * 1_000_000_000n,
    crtime: created,
    attributes,
    firstCluster,
  };
}

function corrupt(message: string): DiskwrightError {
  return new DiskwrightError("CORRUPT", message);
}
