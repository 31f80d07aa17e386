import type { Disk } from "../container/index.ts";
import { DiskwrightError } from "../errors.ts";
import { openExt4 } from "../ext4/index.ts";
import { type ByteSource, type CancelSignal, sourceWindow } from "../extents/index.ts";
import { formatSerial, readFat } from "../fat32/index.ts";
import { readGpt } from "../gpt/index.ts";
import { MBR_TYPES, readMbr } from "../mbr/index.ts";
import {
  attributeReport,
  type FilesystemReport,
  type ImageReport,
  mbrTypeReport,
  type PartitionReport,
  signatureReport,
  type TableReport,
} from "./report.ts";

/** What {@link inspect} can be told. */
export interface InspectOptions {
  /** Bytes of a sector. Default: found by where a GPT lies, else what the container says, else 512. */
  readonly sectorSize?: 512 | 4096 | undefined;
  /**
   * Whether filesystems are checked as a whole, which takes about as long as reading all of their metadata. Default
   * true; otherwise only what opening them shows is a problem.
   */
  readonly check?: boolean | undefined;
  readonly signal?: CancelSignal | undefined;
}

/**
 * Says what an image, or the disk in a container, holds: its table, its partitions, and their filesystems. Nothing is repaired or
 * guessed; what is wrong is listed as problems.
 *
 * @throws DiskwrightError `CORRUPT` when there is a table that cannot be trusted at all.
 */
export async function inspect(source: ByteSource | Disk, options: InspectOptions = {}): Promise<ImageReport> {
  const said = "sectors" in source ? source.sectors?.logical : undefined;
  const sectorSize = options.sectorSize ?? said ?? 512;
  const table =
    (await gptReport(source, options, said)) ??
    (await mbrReport(source, sectorSize, options)) ??
    (await bareReport(source, sectorSize, options));
  const { format, container } = containerReport(source);
  return { format, container, virtualSize: source.size, table };
}

function containerReport(source: ByteSource | Disk): Pick<ImageReport, "format" | "container"> {
  if (!("format" in source) || source.format === "raw") return { format: "raw", container: null };
  const { format, details, problems } = source;
  return { format, container: { details, problems } };
}

/** `said`: bytes of a sector as the container says. */
async function gptReport(
  source: ByteSource,
  options: InspectOptions,
  said: number | undefined,
): Promise<TableReport | undefined> {
  const { sectorSize } = options;
  const table = await readGpt(source, sectorSize === undefined ? {} : { sectorSize });
  if (table === undefined) return undefined;
  const partitions: PartitionReport[] = [];
  const problems = [...table.problems];
  if (said !== undefined && said !== table.sectorSize) {
    problems.push(
      `the container says sectors of ${said} bytes, but the GPT is laid out for ${table.sectorSize}: systems do not find it`,
    );
  }
  for (const { number, type, typeName, guid, firstLba, lastLba, name, attributes } of table.partitions) {
    const offset = firstLba * table.sectorSize;
    const size = (lastLba - firstLba + 1) * table.sectorSize;
    partitions.push({
      number,
      firstLba,
      lastLba,
      offset,
      size,
      type,
      typeName: typeName ?? null,
      guid,
      name,
      ...attributeReport(attributes),
      filesystem: await filesystemReport(source, offset, size, problems, options, `partition ${number}: `),
    });
  }
  return { type: "gpt", guid: table.diskGuid, sectorSize: table.sectorSize, partitions, problems };
}

async function mbrReport(
  source: ByteSource,
  sectorSize: 512 | 4096,
  options: InspectOptions,
): Promise<TableReport | undefined> {
  const table = await readMbr(source, { sectorSize });
  if (table === undefined) return undefined;
  const partitions: PartitionReport[] = [];
  const problems = [...table.problems];
  if (table.partitions.some(({ type }) => type === MBR_TYPES["gpt-protective"])) {
    problems.push("the MBR protects a GPT, but there is none: both of its headers are lost");
  }
  for (const { number, bootable, type, typeName, firstLba, sectors } of table.partitions) {
    const offset = firstLba * sectorSize;
    const size = sectors * sectorSize;
    partitions.push({
      number,
      firstLba,
      lastLba: firstLba + sectors - 1,
      offset,
      size,
      type: mbrTypeReport(type),
      typeName: typeName ?? null,
      guid: null,
      name: null,
      attributes: null,
      bootable,
      filesystem: await filesystemReport(source, offset, size, problems, options, `partition ${number}: `),
    });
    if (offset + size > source.size) {
      problems.push(`partition ${number} ends at byte ${offset + size}, but the image at ${source.size}`);
    }
  }
  return { type: "mbr", signature: signatureReport(table.signature), sectorSize, partitions, problems };
}

/** No table: the image is a filesystem, or nothing that is known. */
async function bareReport(
  source: ByteSource,
  sectorSize: number,
  options: InspectOptions,
): Promise<TableReport> {
  const problems: string[] = [];
  const filesystem = await filesystemReport(source, 0, source.size, problems, options, "");
  const partition: PartitionReport = {
    number: 0,
    firstLba: 0,
    lastLba: Math.max(0, Math.ceil(source.size / sectorSize) - 1),
    offset: 0,
    size: source.size,
    type: null,
    typeName: null,
    guid: null,
    name: null,
    attributes: null,
    bootable: false,
    filesystem,
  };
  return { type: "none", sectorSize, partitions: filesystem === null ? [] : [partition], problems };
}

/** A filesystem, and what kept it from being read; one that is damaged does not hide the others. */
async function filesystemReport(
  source: ByteSource,
  offset: number,
  size: number,
  problems: string[],
  options: InspectOptions,
  where: string,
): Promise<FilesystemReport | null> {
  const end = Math.min(offset + size, source.size);
  if (end <= offset) return null;
  const window = sourceWindow(source, offset, end - offset);
  try {
    return (await ext4Report(window, options)) ?? (await fatReport(window, options)) ?? null;
  } catch (error) {
    if (!(error instanceof DiskwrightError) || error.code === "ABORTED") throw error;
    problems.push(`${where}the filesystem cannot be read: ${error.message}`);
    return null;
  }
}

async function ext4Report(
  source: ByteSource,
  { check = true, signal }: InspectOptions,
): Promise<FilesystemReport | undefined> {
  const volume = await openExt4(source);
  if (volume === undefined) return undefined;
  if (check) await volume.check({ signal });
  const { features, superblock, problems } = volume;
  return {
    type: features.includes("extent") ? "ext4" : features.includes("has_journal") ? "ext3" : "ext2",
    label: volume.label,
    uuid: volume.uuid,
    size: volume.size,
    free: volume.freeBlocks * volume.blockSize,
    blockSize: volume.blockSize,
    inodes: superblock.inodesCount,
    freeInodes: superblock.freeInodesCount,
    features,
    problems,
  };
}

async function fatReport(
  source: ByteSource,
  { check = true, signal }: InspectOptions,
): Promise<FilesystemReport | undefined> {
  const volume = await readFat(source);
  if (volume === undefined) return undefined;
  if (check) await volume.check({ signal });
  return {
    type: volume.type,
    label: volume.label,
    uuid: formatSerial(volume.serial),
    size: volume.size,
    free: volume.freeBytes,
    blockSize: volume.sectorSize * volume.sectorsPerCluster,
    problems: volume.problems,
  };
}
