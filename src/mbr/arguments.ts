import {
  bytes,
  fields,
  flag,
  list,
  number,
  oneOf,
  optional,
  type Required,
  wholeNumber,
} from "../arguments/index.ts";
import type { Geometry } from "./chs.ts";
import type {
  MbrPartitionSpec,
  MbrPlan,
  MbrSpec,
  PlannedLogicalPartition,
  PlannedMbrPartition,
} from "./plan.ts";
import type { HybridEntry, ProtectiveMbrOptions } from "./protective.ts";

// What the types of this room look like at run time.

export const geometryKind: Required = fields<Geometry>("a geometry", {
  heads: number,
  sectorsPerTrack: number,
  overflow: list(number, "three bytes"),
});

export const protectiveEntryKind: Required = oneOf("first", "last");

const partition = fields<MbrPartitionSpec>("a partition of an MBR", {
  number: optional(number),
  type: number,
  firstLba: number,
  sectors: number,
  bootable: optional(flag),
});

export const mbrSpecKind: Required = fields<MbrSpec>("the specification of an MBR", {
  sectors: number,
  sectorSize: optional(number),
  signature: number,
  partitions: list(partition, "an array of partitions"),
  logical: optional(list(partition, "an array of partitions")),
  bootCode: optional(bytes),
  geometry: optional(geometryKind),
});

const plannedFields = {
  number: wholeNumber,
  bootable: flag,
  type: wholeNumber,
  firstLba: wholeNumber,
  sectors: wholeNumber,
} as const;
const planned = fields<PlannedMbrPartition>("a planned partition", plannedFields);

export const mbrPlanKind: Required = fields<MbrPlan>("what planMbr gives", {
  sectorSize: oneOf(512, 4096),
  sectors: wholeNumber,
  signature: wholeNumber,
  bootCode: bytes,
  geometry: geometryKind,
  partitions: list(planned),
  container: optional(planned),
  logical: list(
    fields<PlannedLogicalPartition>("a planned logical partition", {
      ...plannedFields,
      recordLba: wholeNumber,
    }),
  ),
});

/** A partition of a GPT in the MBR. */
export const hybridEntryKind: Required = fields<HybridEntry>("a hybrid entry", {
  type: number,
  firstLba: number,
  sectors: number,
  bootable: flag,
});

export const protectiveMbrKind: Required = fields<ProtectiveMbrOptions>("the options of protectiveMbr", {
  sectorSize: optional(oneOf(512, 4096)),
  bootable: optional(flag),
  bootCode: optional(bytes),
  hybrid: optional(list(hybridEntryKind)),
  protectiveEntry: optional(protectiveEntryKind),
});
