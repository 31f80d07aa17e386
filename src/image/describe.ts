import { type FatPlan, formatSerial } from "../fat32/index.ts";
import { partitionTypeGuid, partitionTypeName } from "../gpt/index.ts";
import {
  attributeReport,
  type FilesystemReport,
  mbrTypeReport,
  type PartitionReport,
  signatureReport,
  type TableReport,
} from "../inspect/index.ts";
import { mbrTypeName } from "../mbr/index.ts";
import { largestPaths, type PathSize } from "../sizing/index.ts";
import type { Tree } from "../tree/index.ts";
import type { FilesystemPlan, ImagePlan, PartitionPlan } from "./plan.ts";

/** A range of the image and what it holds. Positions and lengths are in bytes. */
export interface DescribedRange {
  readonly offset: number;
  readonly length: number;
  readonly what: string;
  /** The name of the partition that it lies in. */
  readonly partition?: string;
  /** How many entries have content in it. */
  readonly entries?: number;
}

/** A filesystem as it will be, and what takes its room. */
export interface DescribedFilesystem extends FilesystemReport {
  /** Bytes by what they are for. Together they are the size. */
  readonly usage: Readonly<Record<string, number>>;
  /** Entries of the tree, the root included. */
  readonly entries: number;
  readonly largest: readonly PathSize[];
}

/** A partition as it will be. */
export interface DescribedPartition extends PartitionReport {
  readonly mount: string | null;
  readonly filesystem: DescribedFilesystem | null;
}

/**
 * A plan as plain data: what `inspect` will say of the image, what takes its room, and where every byte
 * range goes.
 */
export interface Description {
  readonly format: string;
  readonly virtualSize: number;
  readonly layout: string;
  readonly table: Omit<TableReport, "partitions"> & { readonly partitions: readonly DescribedPartition[] };
  /** Every range that is in use, ascending; what is between them is free and reads as zeros. */
  readonly ranges: readonly DescribedRange[];
  readonly warnings: readonly string[];
}

const LISTED_PATHS = 10;

/** Describes a plan. */
export function describe(plan: ImagePlan, format = "raw"): Description {
  const { sectorSize } = plan.image;
  const partitions = plan.partitions.map((partition) => describePartition(partition, plan));
  const common = { sectorSize, partitions, problems: [] };
  const table =
    plan.table.type === "gpt"
      ? { type: "gpt" as const, guid: plan.table.plan.diskGuid, ...common }
      : plan.table.type === "mbr"
        ? { type: "mbr" as const, signature: signatureReport(plan.table.plan.signature), ...common }
        : { type: "none" as const, ...common };
  return {
    format,
    virtualSize: plan.size,
    layout: plan.image.layout.name,
    table,
    ranges: [...tableRanges(plan), ...plan.partitions.flatMap(partitionRanges)].sort(
      (a, b) => a.offset - b.offset,
    ),
    warnings: plan.warnings,
  };
}

function describePartition(partition: PartitionPlan, plan: ImagePlan): DescribedPartition {
  const { sectorSize } = plan.image;
  const { number, name, type, guid, bootable, offset, size, mount, filesystem } = partition;
  const isGpt = plan.table.type === "gpt";
  const typeGuid = isGpt ? partitionTypeGuid(type as string) : undefined;
  return {
    number,
    firstLba: offset / sectorSize,
    lastLba: (offset + size) / sectorSize - 1,
    offset,
    size,
    type: typeGuid ?? (typeof type === "number" ? mbrTypeReport(type) : null),
    typeName:
      (typeGuid && partitionTypeName(typeGuid)) ??
      (typeof type === "number" ? (mbrTypeName(type) ?? null) : null),
    guid: guid ?? null,
    name: isGpt ? name : null,
    attributes: isGpt ? attributeReport(0n).attributes : null,
    bootable,
    mount: mount ?? null,
    filesystem: filesystem === undefined ? null : describeFilesystem(filesystem),
  };
}

/** Describes a filesystem on its own. */
export function describeFilesystem(filesystem: FilesystemPlan): DescribedFilesystem {
  const entries = treeOfPlan(filesystem).length;
  const largest = largestPaths(treeOfPlan(filesystem), LISTED_PATHS);
  if (filesystem.type === "ext4") {
    const { plan } = filesystem;
    return {
      type: "ext4",
      label: plan.label,
      uuid: plan.uuid,
      size: plan.size,
      free: plan.usage.free,
      blockSize: plan.design.blockSize,
      inodes: plan.geometry.inodes,
      freeInodes: plan.freeInodes,
      features: plan.features.names,
      problems: [],
      usage: { ...plan.usage },
      entries,
      largest,
    };
  }
  const { plan } = filesystem;
  return {
    type: plan.type,
    label: plan.label,
    uuid: formatSerial(plan.serial),
    size: plan.size,
    free: plan.freeBytes,
    blockSize: plan.sectorSize * plan.sectorsPerCluster,
    problems: [],
    usage: fatUsage(plan),
    entries,
    largest,
  };
}

function treeOfPlan({ plan }: FilesystemPlan): Tree {
  return plan.tree;
}

/** What the regions of a FAT are for; the rest of what is not free is set aside by the format. */
const FAT_USES: Readonly<Record<string, string>> = {
  "file allocation table 1": "allocationTables",
  "file allocation table 2": "allocationTables",
  "root directory": "directories",
  directory: "directories",
  file: "files",
};

function fatUsage(plan: FatPlan): Record<string, number> {
  const usage: Record<string, number> = { allocationTables: 0, directories: 0, files: 0 };
  for (const { what, length } of plan.regions()) {
    const use = FAT_USES[what];
    if (use !== undefined) usage[use]! += length;
  }
  const used = Object.values(usage).reduce((sum, bytes) => sum + bytes);
  return { reserved: plan.size - plan.freeBytes - used, ...usage, free: plan.freeBytes };
}

function tableRanges({ table, image, size }: ImagePlan): DescribedRange[] {
  const { sectorSize } = image;
  if (table.type === "none") return [];
  if (table.type === "mbr") return [{ offset: 0, length: 512, what: "master boot record" }];
  const { primary, backup, entryArraySectors } = table.plan;
  const entries = entryArraySectors * sectorSize;
  return [
    { offset: 0, length: 512, what: "protective MBR" },
    { offset: primary.headerLba * sectorSize, length: sectorSize, what: "GPT header" },
    { offset: primary.entriesLba * sectorSize, length: entries, what: "GPT entries" },
    { offset: backup.entriesLba * sectorSize, length: entries, what: "GPT entries, backup" },
    { offset: size - sectorSize, length: sectorSize, what: "GPT header, backup" },
  ];
}

/** The ranges of a partition, with neighbours of one kind as one. */
function partitionRanges({ name, offset, filesystem }: PartitionPlan): DescribedRange[] {
  if (filesystem === undefined) return [];
  const ranges: { offset: number; length: number; what: string; partition: string; entries?: number }[] = [];
  let lastRow: number | undefined;
  for (const { position, length, what, row } of filesystem.plan.regions()) {
    const at = offset + position;
    const last = ranges.at(-1);
    if (last !== undefined && last.what === what && last.offset + last.length === at) last.length += length;
    else {
      ranges.push({ offset: at, length, what, partition: name });
      lastRow = undefined;
    }
    if (row === undefined || row === lastRow) continue;
    const range = ranges.at(-1)!;
    range.entries = (range.entries ?? 0) + 1;
    lastRow = row;
  }
  return ranges;
}
