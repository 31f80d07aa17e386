import { largestOf, MIB, smallestOf } from "../bytes/index.ts";
import { planGpt } from "../gpt/index.ts";
import { isLogical, type NumberedLayout } from "../layouts/index.ts";
import { MBR_TYPES, type MbrPartitionSpec, type MbrSpec, mbrTypeByte, planMbr } from "../mbr/index.ts";
import type { PartitionPlan, TablePlan } from "./plan.ts";
import type { Image } from "./spec.ts";

/** What a table is planned of, beside the image. */
export interface TableParts {
  /** By number. */
  readonly partitions: readonly PartitionPlan[];
  readonly bootCode: Uint8Array;
}

/** Plans the partition table. */
export function planTable(image: Image, sectors: number, parts: TableParts): TablePlan {
  switch (image.layout.table) {
    case "none":
      return { type: "none" };
    case "mbr":
      return { type: "mbr", plan: planMbr(mbrSpec(image, sectors, parts)) };
    case "gpt":
      return { type: "gpt", plan: gptPlan(image, sectors, parts) };
  }
}

function gptPlan(image: Image, sectors: number, { partitions, bootCode }: TableParts) {
  const { sectorSize, layout, diskGuid } = image;
  const entries = partitions.map(({ number, gptName, type, guid, offset, size, attributes }) => ({
    number,
    name: gptName,
    type: String(type),
    guid: guid!,
    attributes,
    firstLba: offset / sectorSize,
    lastLba: (offset + size) / sectorSize - 1,
  }));
  const hybrid = partitions.flatMap(({ number, hybrid }) =>
    hybrid === undefined ? [] : [{ number, ...hybrid }],
  );
  return planGpt({
    sectors,
    sectorSize,
    diskGuid,
    bootCode,
    partitions: entries,
    protectiveMbrBootable: layout.protectiveMbrBootable ?? false,
    protectiveMbrEntry: layout.protectiveMbrEntry,
    ...(hybrid.length === 0 ? {} : { hybrid }),
    ...(layout.gptEntriesAt === undefined ? {} : { entriesLba: layout.gptEntriesAt / sectorSize }),
  });
}

function mbrSpec(image: Image, sectors: number, { partitions, bootCode }: TableParts): MbrSpec {
  const { sectorSize, layout, diskSignature } = image;
  const entry = ({ number, type, bootable, offset, size }: PartitionPlan): MbrPartitionSpec => ({
    number,
    type: mbrTypeByte(type),
    bootable,
    firstLba: offset / sectorSize,
    sectors: size / sectorSize,
  });
  const logical = partitions.filter((partition) => isLogical(layout, partition));
  const primary = partitions.filter((partition) => !isLogical(layout, partition));
  const container = logical.length === 0 ? [] : [extended(layout, primary, logical, sectorSize)];
  const { geometry } = layout;
  return {
    sectors,
    sectorSize,
    signature: diskSignature,
    bootCode,
    partitions: [...primary.map(entry), ...container],
    logical: logical.map(entry),
    ...(geometry === undefined ? {} : { geometry }),
  };
}

/** The extended partition: from the boot record before the first logical partition to the end of the last. */
function extended(
  layout: NumberedLayout,
  primary: readonly PartitionPlan[],
  logical: readonly PartitionPlan[],
  sectorSize: number,
): MbrPartitionSpec {
  const start = smallestOf(logical.map(({ offset }) => offset));
  const before = largestOf([
    sectorSize,
    ...primary.filter(({ offset }) => offset < start).map(({ offset, size }) => offset + size),
  ]);
  const first = Math.max(before, start - MIB);
  const end = largestOf(logical.map(({ offset, size }) => offset + size));
  const taken = new Set(layout.partitions.map(({ number }) => number));
  return {
    number: [1, 2, 3, 4].find((number) => !taken.has(number)) ?? 4,
    type: MBR_TYPES["extended-lba"],
    firstLba: first / sectorSize,
    sectors: (end - first) / sectorSize,
  };
}
