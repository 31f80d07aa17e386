import {
  bigInteger,
  either,
  fields,
  flag,
  type Kind,
  list,
  number,
  oneOf,
  optional,
  type Required,
  text,
} from "../arguments/index.ts";
import { ext4TuningFields } from "../ext4/index.ts";
import { contentKind } from "../extents/index.ts";
import { fatTuningFields } from "../fat32/index.ts";
import { geometryKind, protectiveEntryKind } from "../mbr/index.ts";
import { type DataRange, treeKind } from "../tree/index.ts";
import type {
  Ext4Tuning,
  Gap,
  Layout,
  LayoutExt4,
  LayoutFat,
  LayoutPartition,
  RawContent,
} from "./layout.ts";

// What the types of this room look like at run time.

export const ext4TuningKind: Required = fields<Ext4Tuning>(
  "the options of ext4 in an image",
  ext4TuningFields,
);

const ext4 = fields<LayoutExt4>("an ext4 filesystem", {
  type: oneOf("ext4"),
  size: optional(number),
  label: optional(text),
  uuid: optional(text),
  options: optional(ext4TuningKind),
});

const fat = fields<LayoutFat>("a FAT filesystem", {
  type: oneOf("fat"),
  size: optional(number),
  label: optional(text),
  serial: optional(number),
  ...fatTuningFields,
});

const types = oneOf("ext4", "fat");

const filesystem: Kind = {
  expected: "a filesystem: { type, … }",
  problem(value) {
    const isObject = typeof value === "object" && value !== null;
    const type: unknown = isObject ? Reflect.get(value, "type") : undefined;
    const wrongType = isObject ? types.problem(type) : undefined;
    if (wrongType !== undefined) return { ...wrongType, path: ".type" };
    return (type === "fat" ? fat : ext4).problem(value);
  },
};

export const rawContentKind: Required = fields<RawContent>("raw content", {
  content: contentKind,
  data: optional(list(fields<DataRange>("a data range", { offset: number, length: number }))),
});

export const hybridKind: Required = fields<NonNullable<LayoutPartition["hybrid"]>>("a hybrid entry", {
  type: number,
  bootable: optional(flag),
});

export const gapKind: Required = fields<Gap>("a gap", {
  name: text,
  offset: number,
  raw: rawContentKind,
  maximum: optional(number),
});

const partition = fields<LayoutPartition>("a partition of a layout", {
  name: text,
  number: optional(number),
  type: either(text, number),
  start: optional(number),
  alignment: optional(number),
  size: either(number, oneOf("rest", "minimal")),
  weight: optional(number),
  minimum: optional(number),
  maximum: optional(number),
  additionalSpace: optional(number),
  bootable: optional(flag),
  attributes: optional(bigInteger),
  hybrid: optional(hybridKind),
  gptName: optional(text),
  guid: optional(text),
  filesystem: optional(filesystem),
  mount: optional(text),
  mountOptions: optional(text),
  tree: optional(treeKind),
  raw: optional(rawContentKind),
});

export const layoutKind: Required = fields<Layout>("a layout", {
  name: text,
  table: oneOf("gpt", "mbr", "none"),
  partitions: list(partition, "an array of partitions"),
  gaps: optional(list(gapKind, "an array of gaps")),
  alignment: optional(number),
  endGap: optional(number),
  gptEntriesAt: optional(number),
  protectiveMbrBootable: optional(flag),
  protectiveMbrEntry: optional(protectiveEntryKind),
  diskGuid: optional(text),
  geometry: optional(geometryKind),
});
