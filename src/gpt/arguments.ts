import {
  bigInteger,
  bytes,
  either,
  fields,
  flag,
  list,
  number,
  oneOf,
  optional,
  type Required,
  text,
  wholeNumber,
} from "../arguments/index.ts";
import { hybridEntryKind, protectiveEntryKind } from "../mbr/index.ts";
import type {
  GptCopy,
  GptDisk,
  GptPartitionSpec,
  GptPlan,
  GptSpec,
  HybridSpec,
  PlannedGptPartition,
} from "./plan.ts";

// What the types of this room look like at run time.

const diskFields = {
  sectorSize: optional(number),
  sectors: number,
  entryCount: optional(number),
  entriesLba: optional(number),
} as const;

export const gptDiskKind: Required = fields<GptDisk>(
  "the disk of a GPT",
  diskFields,
  // The specification of the whole table will do.
  { isOpen: true },
);

const partition = fields<GptPartitionSpec>(
  "a partition of a GPT",
  {
    number: optional(number),
    type: text,
    guid: text,
    firstLba: number,
    lastLba: number,
    name: optional(text),
    // A number passes here: the check of the values refuses it, together with other problems.
    attributes: optional(either(bigInteger, number)),
  },
  { passedOver: ["typeName"] },
);

/** The table that `readGpt` gives is a specification as well, once it has the number of sectors. */
export const gptSpecKind: Required = fields<GptSpec>(
  "the specification of a GPT",
  {
    ...diskFields,
    diskGuid: text,
    partitions: list(partition, "an array of partitions"),
    firstUsableLba: optional(number),
    protectiveMbrBootable: optional(flag),
    bootCode: optional(bytes),
    hybrid: optional(
      list(
        fields<HybridSpec>("a hybrid entry", { number, type: number, bootable: optional(flag) }),
        "an array of hybrid entries",
      ),
    ),
    protectiveMbrEntry: optional(protectiveEntryKind),
  },
  { passedOver: ["revision", "lastUsableLba", "problems", "usedBackup"] },
);

const copy = fields<GptCopy>("the place of a copy", { headerLba: wholeNumber, entriesLba: wholeNumber });

export const gptPlanKind: Required = fields<GptPlan>("what planGpt gives", {
  sectorSize: oneOf(512, 4096),
  sectors: wholeNumber,
  diskGuid: text,
  primary: copy,
  backup: copy,
  firstUsableLba: wholeNumber,
  lastUsableLba: wholeNumber,
  entryCount: wholeNumber,
  entryArraySectors: wholeNumber,
  protectiveMbrBootable: flag,
  bootCode: bytes,
  hybrid: list(hybridEntryKind),
  protectiveMbrEntry: optional(protectiveEntryKind),
  partitions: list(
    fields<PlannedGptPartition>("a planned partition", {
      number: wholeNumber,
      type: text,
      guid: text,
      firstLba: wholeNumber,
      lastLba: wholeNumber,
      name: text,
      attributes: bigInteger,
    }),
  ),
});
