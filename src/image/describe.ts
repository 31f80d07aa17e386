import { checkArgument } from "../arguments/index.ts";
import { type FatPlan, formatSerial } from "../fat32/index.ts";
import { partitionTypeName } from "../gpt/index.ts";
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
import { imagePlanKind } from "./arguments.ts";
import type { FilesystemPlan, ImagePlan, PartitionPlan, TablePlan } from "./plan.ts";
import { tableRanges } from "./table-ranges.ts";

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
  /** As what it is written; of several outputs, all of them. */
  readonly format: string | readonly string[];
  readonly virtualSize: number;
  readonly layout: string;
  readonly table: Omit<TableReport, "partitions"> & { readonly partitions: readonly DescribedPartition[] };
  /** Every range that is in use, ascending; what is between them is free and reads as zeros. */
  readonly ranges: readonly DescribedRange[];
  readonly warnings: readonly string[];
}

const LISTED_PATHS = 10;

/** Describes a plan. */
export function describe(plan: ImagePlan, format: string | readonly string[] = "raw"): Description {
  checkArgument("plan", plan, imagePlanKind);
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
    ranges: [
      ...tableRanges(plan),
      ...plan.partitions.flatMap(partitionRanges),
      ...plan.gaps.map(({ name, offset, raw }) => ({ offset, length: raw.content.size, what: name })),
    ].sort((a, b) => a.offset - b.offset),
    warnings: plan.warnings,
  };
}

function describePartition(partition: PartitionPlan, { image, table }: ImagePlan): DescribedPartition {
  const { sectorSize } = image;
  const { number, gptName, guid, bootable, attributes, offset, size, mount, filesystem } = partition;
  const isGpt = table.type === "gpt";
  return {
    number,
    firstLba: offset / sectorSize,
    lastLba: (offset + size) / sectorSize - 1,
    offset,
    size,
    ...typeReport(table, partition),
    guid: guid ?? null,
    name: isGpt ? gptName : null,
    ...(isGpt ? attributeReport(attributes) : { attributes: null, bootable }),
    mount: mount ?? null,
    filesystem: filesystem === undefined ? null : describeFilesystem(filesystem),
  };
}

/** The type of a partition as the planned table has it. */
function typeReport(table: TablePlan, { number }: PartitionPlan): Pick<PartitionReport, "type" | "typeName"> {
  if (table.type === "gpt") {
    const { type } = table.plan.partitions.find((partition) => partition.number === number)!;
    return { type, typeName: partitionTypeName(type) ?? null };
  }
  if (table.type === "mbr") {
    const all = [...table.plan.partitions, ...table.plan.logical];
    const { type } = all.find((partition) => partition.number === number)!;
    return { type: mbrTypeReport(type), typeName: mbrTypeName(type) ?? null };
  }
  return { type: null, typeName: null };
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

/** The ranges of a partition, with neighbours of one kind as one. */
function partitionRanges({ name, offset, filesystem, raw }: PartitionPlan): DescribedRange[] {
  if (raw !== undefined) return [{ offset, length: raw.content.size, what: "raw content", partition: name }];
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
