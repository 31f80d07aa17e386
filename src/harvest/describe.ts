import { appendAll, smallestOf } from "../bytes/index.ts";
import type { Disk } from "../container/index.ts";
import { DiskwrightError, type ErrorCode } from "../errors.ts";
import { planExt4 } from "../ext4/index.ts";
import { type ByteSource, type CancelSignal, sourceWindow } from "../extents/index.ts";
import { planFat } from "../fat32/index.ts";
import { type GptTable, readGpt } from "../gpt/index.ts";
import type { ImageSpec } from "../image/index.ts";
import type { Gap, Layout, LayoutPartition } from "../layouts/index.ts";
import { isExtended, MBR_TYPES, type MbrTable, readMbr } from "../mbr/index.ts";
import { treeOf } from "../tree/index.ts";
import { type FoundFilesystem, openVolume, takeFilesystem } from "./filesystem.ts";
import { bootCodeOn, gptGaps, ofPartition } from "./harvest.ts";
import { gapIn, rawPart } from "./raw.ts";

/** What the description of a disk can be told. */
export interface DescribeDiskOptions {
  /** Bytes of a sector. Default: what a GPT says, else the container, else where filesystems are found by an MBR. */
  readonly sectorSize?: 512 | 4096 | undefined;
  /** The only clock of the new image, in seconds since 1970. Default: as {@link ImageSpec.time}. */
  readonly time?: number | undefined;
  readonly signal?: CancelSignal | undefined;
}

/** A disk as its maker would describe it. */
export interface DescribedDisk {
  /** To be planned and written. Its content lies in the disk, which must stay open and as it is until then. */
  readonly spec: ImageSpec;
  /** What the disk says that the image will not. */
  readonly warnings: readonly string[];
}

/** A partition without what it holds. */
type Place = Omit<LayoutPartition, "filesystem" | "tree" | "raw"> & {
  readonly start: number;
  readonly size: number;
};

/** A table without what its partitions hold. */
interface FoundTable extends Omit<Layout, "name" | "partitions" | "gaps"> {
  readonly sectorSize: 512 | 4096;
  readonly places: readonly Place[];
  /** Where code for BIOSes may lie. */
  readonly freeParts: readonly { readonly start: number; readonly end: number }[];
  readonly diskSignature?: number;
  readonly warnings: readonly string[];
}

/**
 * Describes any disk: its table, its partitions in their places, and in each the tree that its filesystem holds, with
 * what it takes to make that filesystem again. Where filesystems are mounted is not known. What cannot be written
 * anew is taken as it is: swap, encrypted volumes, filesystems of other kinds, and those of our kinds that have what
 * is not written; of the latter a warning tells.
 *
 * @throws DiskwrightError `CORRUPT` for a table or a filesystem that is damaged, or a journal that has to be replayed.
 */
export async function describeDisk(
  disk: ByteSource | Disk,
  options: DescribeDiskOptions = {},
): Promise<DescribedDisk> {
  const { time, signal } = options;
  const found = (await gptOf(disk, options)) ?? (await mbrOf(disk, options)) ?? bareDisk(disk, options);
  const { sectorSize, places, freeParts, diskSignature, warnings: ofTable, ...layout } = found;
  const warnings = [...ofTable];
  const partitions: LayoutPartition[] = [];
  for (const place of places) {
    const content = await contentOf(disk, place, options, warnings);
    partitions.push({ ...place, start: layout.table === "none" ? undefined : place.start, ...content });
  }
  const gaps: Gap[] = [];
  for (const part of freeParts) {
    appendAll(gaps, await gapIn(disk, `behind the partition table at ${part.start}`, part, signal));
  }
  const spec: ImageSpec = {
    root: treeOf([]),
    layout: { name: "custom", ...layout, partitions, gaps },
    size: disk.size,
    sectorSize,
    time,
    diskSignature,
    bootCode: layout.table === "none" ? undefined : await bootCodeOn(disk),
  };
  return { spec, warnings };
}

async function gptOf(disk: ByteSource, { sectorSize }: DescribeDiskOptions): Promise<FoundTable | undefined> {
  const table = await readGpt(disk, sectorSize === undefined ? {} : { sectorSize });
  if (table === undefined) return undefined;
  const { entriesLba = 2, entryCount, protectiveMbrEntry } = table;
  const places = gptPlaces(disk, table);
  const entrySectors = Math.ceil((Math.max(entryCount, USUAL_ENTRIES) * ENTRY_SIZE) / table.sectorSize);
  const protective = await readMbr(disk, { sectorSize: table.sectorSize });
  const protectiveMbrBootable = protective?.partitions.some(
    ({ type, bootable }) => type === MBR_TYPES["gpt-protective"] && bootable,
  );
  const isUsual = entryCount === USUAL_ENTRIES;
  return {
    table: "gpt",
    sectorSize: table.sectorSize,
    diskGuid: table.diskGuid,
    places,
    freeParts: gptGaps(entriesLba, entrySectors, table.sectorSize, places[0]!.start),
    warnings: [
      ...table.problems,
      ...(isUsual ? [] : [`the GPT has ${entryCount} entries, it is written with ${USUAL_ENTRIES}`]),
    ],
    ...(entriesLba === 2 ? {} : { gptEntriesAt: entriesLba * table.sectorSize }),
    ...(protectiveMbrBootable === true ? { protectiveMbrBootable } : {}),
    ...(protectiveMbrEntry === undefined ? {} : { protectiveMbrEntry }),
  };
}

/** Entries of a GPT, and bytes of one, as everybody has them. */
const USUAL_ENTRIES = 128;
const ENTRY_SIZE = 128;

function gptPlaces(disk: ByteSource, { partitions, sectorSize, hybrid }: GptTable): Place[] {
  const names = new Set<string>();
  const uses = new Map<string, number>();
  for (const { name } of partitions) uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const { name } of partitions) if (uses.get(name) === 1) names.add(name);
  return placed(
    disk,
    partitions.map(({ number, type, guid, firstLba, lastLba, name: gptName, attributes }) => {
      const inMbr = hybrid.find((entry) => entry.number === number);
      const isOwn = gptName !== "" && uses.get(gptName) === 1;
      return {
        // A name that says which partition it is must be one that no other has.
        name: isOwn ? gptName : unusedName(number, names),
        gptName,
        number,
        type,
        guid,
        attributes,
        start: firstLba * sectorSize,
        size: (lastLba - firstLba + 1) * sectorSize,
        ...(inMbr === undefined ? {} : { hybrid: { type: inMbr.type, bootable: inMbr.bootable } }),
      };
    }),
  );
}

function unusedName(number: number, names: Set<string>): string {
  let name = `partition ${number}`;
  while (names.has(name)) name += "'";
  names.add(name);
  return name;
}

/** The places in the order in which they lie on the disk. */
function placed(disk: ByteSource, places: readonly Place[]): Place[] {
  if (places.length === 0)
    throw corrupt("the partition table has no partitions: there is nothing to describe");
  for (const { name, start, size } of places) {
    if (size <= 0 || start + size > disk.size) {
      throw corrupt(
        `partition ${name} goes from byte ${start} to ${start + size}, but the disk has ${disk.size}`,
      );
    }
  }
  const sorted = [...places].sort((a, b) => a.start - b.start);
  for (const [index, { name, start }] of sorted.entries()) {
    const before = sorted[index - 1];
    // What is claimed many times would be read many times.
    if (before !== undefined && before.start + before.size > start) {
      throw corrupt(`partition ${name} overlaps partition ${before.name}`);
    }
  }
  return sorted;
}

function corrupt(message: string): DiskwrightError {
  return new DiskwrightError("CORRUPT", message);
}

async function mbrOf(disk: ByteSource | Disk, options: DescribeDiskOptions): Promise<FoundTable | undefined> {
  const { sectorSize = saidSectorSize(disk) ?? (await sectorSizeOf(disk)) } = options;
  const table = await readMbr(disk, { sectorSize });
  if (table === undefined) return undefined;
  if (table.partitions.some(({ type }) => type === MBR_TYPES["gpt-protective"])) {
    throw corrupt("the MBR protects a GPT, but there is none: both of its headers are lost");
  }
  const places = mbrPlaces(disk, table, sectorSize);
  const first = smallestOf(table.partitions.map(({ firstLba }) => firstLba)) * sectorSize;
  return {
    table: "mbr",
    sectorSize,
    // Extended boot records need one sector.
    alignment: sectorSize,
    places,
    freeParts: [{ start: sectorSize, end: first }],
    warnings: [...table.problems],
    ...(table.signature === 0 ? {} : { diskSignature: table.signature }),
  };
}

function mbrPlaces(disk: ByteSource, { partitions }: MbrTable, sectorSize: number): Place[] {
  return placed(
    disk,
    partitions
      .filter(({ number, type }) => number > 4 || !isExtended(type))
      .map(({ number, type, bootable, firstLba, sectors }) => ({
        name: `partition ${number}`,
        number,
        type,
        bootable,
        start: firstLba * sectorSize,
        size: sectors * sectorSize,
      })),
  );
}

/** What the container of a disk says of its sectors. */
function saidSectorSize(disk: ByteSource | Disk): 512 | 4096 | undefined {
  return "sectors" in disk ? disk.sectors?.logical : undefined;
}

/** An MBR does not say how large a sector is. If filesystems start where it puts partitions, it is as large as that. */
async function sectorSizeOf(disk: ByteSource): Promise<512 | 4096> {
  for (const sectorSize of [512, 4096] as const) {
    const table = await readMbr(disk, { sectorSize });
    for (const { firstLba, sectors } of table?.partitions ?? []) {
      const [start, size] = [firstLba * sectorSize, sectors * sectorSize];
      if (start + size > disk.size) continue;
      if ((await openVolume(sourceWindow(disk, start, size))) !== undefined) return sectorSize;
    }
  }
  return 512;
}

/** No table: the disk is a filesystem, or something else. */
function bareDisk(
  disk: ByteSource | Disk,
  { sectorSize = saidSectorSize(disk) ?? 512 }: DescribeDiskOptions,
): FoundTable {
  return {
    table: "none",
    sectorSize,
    places: [{ name: "disk", type: "linux-generic", start: 0, size: disk.size }],
    freeParts: [],
    warnings: [],
  };
}

async function contentOf(
  disk: ByteSource,
  { name, start, size }: Place,
  { time, signal }: DescribeDiskOptions,
  warnings: string[],
): Promise<Pick<LayoutPartition, "filesystem" | "tree" | "raw">> {
  const window = sourceWindow(disk, start, size);
  try {
    const volume = await openVolume(window);
    if (volume !== undefined) {
      const found = await takeFilesystem(window, volume, { signal });
      tryToPlan(found, { size, time });
      appendAll(
        warnings,
        found.warnings.map((warning) => `${name}: ${warning}`),
      );
      return { filesystem: found.filesystem, tree: found.tree };
    }
  } catch (error) {
    if (!(error instanceof DiskwrightError) || !UNWRITABLE.has(error.code)) throw ofPartition(error, name);
    warnings.push(`${name}: taken as it is, as it cannot be written anew: ${error.message}`);
  }
  return { raw: await rawPart(disk, { start, end: start + size }, signal) };
}

/** The codes of errors that say that a filesystem is sound, but not one that is written. */
const UNWRITABLE: ReadonlySet<ErrorCode> = new Set([
  "INVALID_FILESYSTEM",
  "INVALID_TREE",
  "UNSUPPORTED_ENTRY",
  "DOES_NOT_FIT",
]);

/** Finds out whether a filesystem can be written. */
function tryToPlan(
  { filesystem, tree }: FoundFilesystem,
  { size, time }: { readonly size: number; readonly time: number | undefined },
): void {
  if (filesystem.type === "ext4") {
    const { options, uuid, label } = filesystem;
    planExt4(tree, { ...options, uuid: uuid!, label, size: filesystem.size ?? size, time });
    return;
  }
  const { bits, sectorSize, sectorsPerCluster, label, serial } = filesystem;
  const options = { bits, sectorSize, sectorsPerCluster, label, serial: serial! };
  planFat(tree, { ...options, size: filesystem.size ?? size, time });
}
