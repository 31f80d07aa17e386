import {
  bigInteger,
  bytes,
  either,
  fields,
  flag,
  type Kind,
  list,
  number,
  oneIn,
  oneOf,
  optional,
  type Required,
  routine,
  shownValue,
  text,
  wholeNumber,
  withMethods,
} from "../arguments/index.ts";
import { bootInstallationKind } from "../boot/index.ts";
import { ext4Plans } from "../ext4/index.ts";
import { byteCount, readerKind, signalKind, targetKind } from "../extents/index.ts";
import { fatPlans } from "../fat32/index.ts";
import { formatKind, outputsKind } from "../formats/index.ts";
import { gptPlanKind } from "../gpt/index.ts";
import { ext4TuningKind, gapKind, hybridKind, layoutKind, rawContentKind } from "../layouts/index.ts";
import { mbrPlanKind } from "../mbr/index.ts";
import { treeKind } from "../tree/index.ts";
import type { FilesystemPlan, ImagePlan, PartitionPlan, TablePlan } from "./plan.ts";
import type { Image, ImageSpec } from "./spec.ts";
import type { WriteOptions } from "./write.ts";

// What the types of this room look like at run time. Ranges are checked where they get a meaning.

const size = optional(either(number, text));

export const imageSpecKind: Required = fields<ImageSpec>("the description of an image", {
  root: treeKind,
  layout: optional({
    ...layoutKind,
    expected: "the name of a layout, or a layout",
    problem: (value) => (typeof value === "string" ? undefined : layoutKind.problem(value)),
  }),
  size,
  additionalSpace: size,
  sizeMultiple: optional(number),
  bootSize: size,
  label: optional(text),
  seed: optional(text),
  variant: optional(text),
  time: optional(number),
  sectorSize: optional(number),
  rootFilesystem: optional(ext4TuningKind),
  diskGuid: optional(text),
  diskSignature: optional(number),
  rootGuid: optional(text),
  rootFilesystemUuid: optional(text),
  protectiveMbrBootable: optional(flag),
  bootCode: optional(bytes),
  boot: optional(bootInstallationKind),
  unsupported: optional(oneOf("error", "skip")),
  fstab: optional(oneOf("uuid", "partuuid", "label")),
  discoverable: optional(text),
  compat: optional(oneOf("nixpkgs")),
  reader: optional(readerKind),
});

export const writeOptionsKind: Required = fields<WriteOptions>("the options of write", {
  format: optional(formatKind),
  signal: optional(signalKind),
  onProgress: optional(routine),
  packers: optional(routine),
  hash: optional(routine),
  ignoreSectorSize: optional(flag),
  physicalSectorSize: optional(oneOf(512, 4096)),
  onWarning: optional(routine),
});

/** One target, or several outputs. */
export const targetOrOutputs: Required = {
  isOptional: false,
  expected: `${targetKind.expected}, or an array of outputs`,
  problem: (value) => (Array.isArray(value) ? outputsKind : targetKind).problem(value),
};

/** The result of {@link image}. */
export const imageKind: Required = fields<Image>("what image(…) gives", {
  root: treeKind,
  layout: layoutKind,
  compat: optional(oneOf("nixpkgs")),
  size: optional(wholeNumber),
  additionalSpace: wholeNumber,
  sizeMultiple: wholeNumber,
  bootSize: optional(wholeNumber),
  sectorSize: oneOf(512, 4096),
  time: optional(wholeNumber),
  identity: withMethods("what identity(seed) gives", "uuid", "serial"),
  diskGuid: text,
  diskSignature: wholeNumber,
  bootCode: bytes,
  boot: optional(bootInstallationKind),
  unsupported: oneOf("error", "skip"),
  fstab: optional(oneOf("uuid", "partuuid", "label")),
  discoverable: optional(text),
  reader: optional(readerKind),
});

/** One of several types, by the field that tells them apart. */
function tagged(expected: string, kinds: Readonly<Record<string, Kind>>): Required {
  const tag = oneIn(Object.keys(kinds));
  return {
    isOptional: false,
    expected,
    problem(value) {
      if (typeof value !== "object" || value === null)
        return { path: "", message: `is ${shownValue(value)}: give ${expected}` };
      const { type } = value as { readonly type?: unknown };
      const problem = tag.problem(type);
      return problem === undefined ? kinds[type as string]!.problem(value) : { ...problem, path: ".type" };
    },
  };
}

const tablePlan = tagged("the plan of a table", {
  gpt: fields<Extract<TablePlan, { type: "gpt" }>>("the plan of a GPT", {
    type: oneOf("gpt"),
    plan: gptPlanKind,
  }),
  mbr: fields<Extract<TablePlan, { type: "mbr" }>>("the plan of an MBR", {
    type: oneOf("mbr"),
    plan: mbrPlanKind,
  }),
  none: fields<Extract<TablePlan, { type: "none" }>>("no table", { type: oneOf("none") }),
});

const filesystemPlan = tagged("the plan of a filesystem", {
  ext4: fields<Extract<FilesystemPlan, { type: "ext4" }>>("the plan of ext4", {
    type: oneOf("ext4"),
    plan: ext4Plans.kind,
  }),
  fat: fields<Extract<FilesystemPlan, { type: "fat" }>>("the plan of FAT", {
    type: oneOf("fat"),
    plan: fatPlans.kind,
  }),
});

/** The result of {@link plan}. */
export const imagePlanKind: Required = fields<ImagePlan>("what plan(image) gives", {
  image: imageKind,
  size: byteCount,
  table: tablePlan,
  partitions: list(
    fields<PartitionPlan>("a planned partition", {
      number: wholeNumber,
      name: text,
      gptName: text,
      type: either(text, number),
      guid: optional(text),
      bootable: flag,
      attributes: bigInteger,
      hybrid: optional(hybridKind),
      offset: byteCount,
      size: byteCount,
      mount: optional(text),
      filesystem: optional(filesystemPlan),
      raw: optional(rawContentKind),
    }),
  ),
  gaps: list(gapKind),
  warnings: list(text),
});
