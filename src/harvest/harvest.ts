import { appendAll, smallestOf, utf8Text } from "../bytes/index.ts";
import { DiskwrightError, problemsError } from "../errors.ts";
import { type ByteSource, type CancelSignal, sourceWindow } from "../extents/index.ts";
import { writeFat } from "../fat32/index.ts";
import type { FilesystemPlan, Image, ImagePlan, PartitionPlan } from "../image/index.ts";
import type { Gap, NumberedPartition } from "../layouts/index.ts";
import { BOOT_CODE_SIZE } from "../mbr/index.ts";
import { treeOf } from "../tree/index.ts";
import { type FilesystemHints, openVolume, takeFilesystem } from "./filesystem.ts";
import { checkDiskSize, checkTable } from "./planned-table.ts";
import { type DiskPart, gapIn, rawPart } from "./raw.ts";

/** What the harvest of a disk can be told. */
export interface HarvestOptions {
  /** The only clock of the new image, in seconds since 1970. Default: that of the original. */
  readonly time?: number | undefined;
  readonly signal?: CancelSignal | undefined;
}

/** An image that holds what a disk holds. */
export interface HarvestedImage {
  /** To be planned and written. Its content lies in the disk, which must stay open and as it is until then. */
  readonly image: Image;
  /** What the disk says that the image will not. */
  readonly warnings: readonly string[];
}

/**
 * Turns a disk that was written from a plan, and that others have changed since, back into what it can be planned
 * and written from: the same layout, with every partition in its place, and in each the tree that its filesystem
 * holds now. UUIDs, labels and features are those that the filesystems have now. Boot code, what lies between the
 * table and the first partition, and partitions without a filesystem are taken as they are.
 *
 * The image depends on what the disk holds, not on how that came there: of a disk that nobody has changed, the bytes
 * are the same.
 *
 * @throws DiskwrightError `SOURCE_CHANGED` when the size of the disk or the partition table is not the planned one;
 *   `CORRUPT` for filesystems with problems, `INVALID_FILESYSTEM` for those that are not written. Those of
 *   partitions name it.
 */
export async function harvest(
  disk: ByteSource,
  original: ImagePlan,
  options: HarvestOptions = {},
): Promise<HarvestedImage> {
  checkDiskSize(disk, original);
  await checkTable(disk, original);
  const { image } = original;
  const warnings: string[] = [];
  const partitions: NumberedPartition[] = [];
  for (const partition of image.layout.partitions) {
    const planned = original.partitions.find(({ name }) => name === partition.name)!;
    partitions.push(await takePartition(disk, partition, planned, options, warnings));
  }
  const hasTable = image.layout.table !== "none";
  return {
    image: {
      ...image,
      root: treeOf([]),
      layout: { ...image.layout, partitions, gaps: await takeGaps(disk, original, options) },
      size: original.size,
      bootCode: hasTable ? await bootCodeOn(disk) : image.bootCode,
      time: options.time ?? image.time,
      // What they stand for is in the trees.
      fstab: undefined,
      discoverable: undefined,
      boot: undefined,
      reader: undefined,
    },
    warnings,
  };
}

/** The boot code of a disk; empty where there is none. */
export async function bootCodeOn(disk: ByteSource): Promise<Uint8Array> {
  const code = await disk.read(0, BOOT_CODE_SIZE);
  return code.some((byte) => byte !== 0) ? code.slice() : new Uint8Array(0);
}

async function takePartition(
  disk: ByteSource,
  partition: NumberedPartition,
  planned: PartitionPlan,
  { signal }: HarvestOptions,
  warnings: string[],
): Promise<NumberedPartition> {
  const { offset, size, filesystem } = planned;
  const { name, number, type, alignment, bootable, attributes, hybrid, gptName, mount } = partition;
  const place = {
    name,
    number,
    type,
    alignment,
    bootable,
    attributes,
    hybrid,
    gptName,
    guid: planned.guid,
    // Without a table there is nothing to tell of it.
    start: offset === 0 ? undefined : offset,
    size,
  };
  const window = sourceWindow(disk, offset, size);
  try {
    const volume = filesystem && (await openVolume(window));
    if (filesystem !== undefined && volume !== undefined) {
      const found = await takeFilesystem(window, volume, { ...hintsOf(filesystem), signal });
      const lost = [...found.warnings, ...(await bootCodeWarnings(window, filesystem, volume.type))];
      appendAll(
        warnings,
        lost.map((warning) => `${name}: ${warning}`),
      );
      return { ...place, mount, filesystem: found.filesystem, tree: found.tree };
    }
  } catch (error) {
    throw ofPartition(error, name);
  }
  if (filesystem !== undefined) {
    warnings.push(`${name}: it has no ${nameOf(filesystem)} any more: what it has is taken as it is`);
  }
  return { ...place, raw: await rawPart(disk, { start: offset, end: offset + size }, signal) };
}

function nameOf({ type }: FilesystemPlan): string {
  return type === "ext4" ? "ext4 filesystem" : "FAT filesystem";
}

/** What the plan of a filesystem tells that its bytes do not: a kernel changes where it was mounted last. */
function hintsOf(filesystem: FilesystemPlan): FilesystemHints {
  if (filesystem.type !== "ext4") return {};
  const { settings, inventory } = filesystem.plan;
  return {
    lastMounted: utf8Text(settings.lastMounted) ?? "",
    keepLostAndFound: inventory.lostAndFoundRow !== undefined,
  };
}

/** The code in the boot sector of a FAT volume: behind the parameters of FAT32, and before the signature. */
const FAT_CODE: DiskPart = { start: 0x5a, end: 0x1fe };

async function bootCodeWarnings(
  partition: ByteSource,
  filesystem: FilesystemPlan,
  now: "ext4" | "fat",
): Promise<string[]> {
  if (filesystem.type !== "fat" || now !== "fat") return [];
  const [sector] = writeFat(filesystem.plan);
  const planned = sector!.source as Uint8Array;
  const found = await partition.read(0, planned.length);
  for (let at = FAT_CODE.start; at < FAT_CODE.end; at++) {
    if (found[at] !== planned[at]) {
      return [
        "the boot code in the boot sector is not kept: it leads to places in the filesystem, which change",
      ];
    }
  }
  return [];
}

/** An error with the name of the partition that it is about. */
export function ofPartition(error: unknown, name: string): unknown {
  if (!(error instanceof DiskwrightError) || error.partition !== undefined) return error;
  const { code, message, problems } = error;
  const details = { partition: name, cause: error };
  if (problems.length < 2) return new DiskwrightError(code, `partition ${name}: ${message}`, details);
  return problemsError(code, `partition ${name}: its filesystem cannot be taken over`, problems, details);
}

/** The gaps of the layout, and what else lies between the table and the first partition. */
async function takeGaps(
  disk: ByteSource,
  { gaps, table, image, partitions }: ImagePlan,
  { signal }: HarvestOptions,
): Promise<Gap[]> {
  const taken: Gap[] = [];
  for (const { name, offset, raw, maximum } of gaps) {
    const end = offset + raw.content.size;
    const now = await rawPart(disk, { start: offset, end }, signal);
    // One that is all zeros keeps its place.
    taken.push(now === undefined ? { name, offset, raw: { ...raw, data: [] } } : { name, offset, raw: now });
    if (maximum !== undefined) taken[taken.length - 1] = { ...taken.at(-1)!, maximum };
  }
  if (table.type === "none") return taken;
  const { sectorSize } = image;
  const starts = partitions.map(({ offset }) => offset);
  if (table.type === "mbr" && table.plan.container !== undefined) {
    starts.push(table.plan.container.firstLba * sectorSize);
  }
  const first = smallestOf(starts);
  const behindTable: DiskPart[] =
    table.type === "mbr"
      ? [{ start: sectorSize, end: first }]
      : gptGaps(table.plan.primary.entriesLba, table.plan.entryArraySectors, sectorSize, first);
  const owned = gaps.map(({ offset, raw }) => ({ start: offset, end: offset + raw.content.size }));
  for (const part of without(behindTable, owned)) {
    appendAll(taken, await gapIn(disk, `behind the partition table at ${part.start}`, part, signal));
  }
  return taken;
}

/** Where nothing lies before the first partition of a disk with a GPT. */
export function gptGaps(
  entriesLba: number,
  entrySectors: number,
  sectorSize: number,
  first: number,
): DiskPart[] {
  return [
    { start: 2 * sectorSize, end: entriesLba * sectorSize },
    { start: (entriesLba + entrySectors) * sectorSize, end: first },
  ];
}

/** What is left of some parts of a disk without others. */
function without(parts: readonly DiskPart[], others: readonly DiskPart[]): DiskPart[] {
  let left = [...parts];
  for (const other of others) {
    left = left.flatMap(({ start, end }) => [
      { start, end: Math.min(end, other.start) },
      { start: Math.max(start, other.end), end },
    ]);
  }
  return left.filter(({ start, end }) => start < end);
}
