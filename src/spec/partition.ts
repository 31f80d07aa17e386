import * as v from "valibot";
import { filesystem } from "./filesystem.ts";
import { sourceFields } from "./sources.ts";
import {
  count,
  field,
  flag,
  guid,
  hostPath,
  oneOrMore,
  positive,
  size,
  sizeOr,
  text,
  treePath,
} from "./values.ts";

const TYPE = 'a type: a name such as "esp" or "root-x86-64", a GUID, or with an MBR a number such as 0x83';

/** A partition of a layout of one's own. */
export const partition = v.strictObject(
  {
    name: field(
      v.pipe(text, v.minLength(1, "a name")),
      "Its name in a GPT and in messages, and what its identifiers are derived from. Default: by its type or place.",
    ),
    number: field(
      count,
      "Its place in the table, from 1; with an MBR, 5 and more are logical. Default: the lowest free one.",
    ),
    type: field(
      v.union(
        [
          v.pipe(v.string(TYPE), v.minLength(1, TYPE)),
          v.pipe(v.number(TYPE), v.integer(TYPE), v.minValue(1, TYPE), v.maxValue(255, TYPE)),
        ],
        TYPE,
      ),
      "What it is: a name of the Discoverable Partitions Specification, a GUID, or with an MBR a type byte. Default linux-generic.",
    ),
    start: field(
      size,
      "Where it starts. Default: behind the one before, aligned. A start that is no multiple of 4 KiB has a warning, as most disks are slow then.",
    ),
    alignment: field(size, "What its start and a computed end are multiples of. Default: that of the disk."),
    size: field(
      sizeOr("rest", "minimal"),
      "Its size; `minimal`: what its content needs; `rest` (default): that and a share of what is left. Raw content has its own size.",
    ),
    weight: field(
      positive,
      "Its share of what is left, beside those of others that take the rest. Default 1.",
    ),
    minimum: field(size, "The least that a computed size is."),
    maximum: field(size, "The most that a computed size is."),
    additionalSpace: field(size, "What a computed size leaves free in the filesystem."),
    guid: field(guid, "Its GUID. Default: derived from the seed."),
    attributes: field(
      oneOrMore("attributes"),
      "GPT attributes by name: required, no-block-io, legacy-bootable, grow-file-system, read-only, no-auto, bit-48 … bit-63.",
    ),
    bootable: field(flag, "The active flag of an MBR; with a GPT the attribute legacy-bootable."),
    hybrid: field(
      v.strictObject(
        {
          type: v.union([v.string(TYPE), v.number(TYPE)], TYPE),
          bootable: field(flag, "Whether it is active there."),
        },
        "{ type, bootable }",
      ),
      "With a GPT: its entry in the MBR as well, for firmware that knows no GPT. At most three partitions have one.",
    ),
    filesystem: v.optional(filesystem),
    mount: field(treePath, "Which part of the tree it holds; `/`: all that no other partition holds."),
    fstabOptions: field(text, "What it is mounted with, for fstab."),
    image: field(hostPath, "A file whose bytes it holds, in place of a filesystem."),
    ...sourceFields,
  },
  "a partition",
);

/** Bytes outside of all partitions. */
export const gap = v.strictObject(
  {
    offset: v.pipe(size, v.description("Where the bytes go.")),
    image: v.pipe(hostPath, v.description("The file that has them.")),
    name: field(text, "For messages. Default: the file's name."),
    maximum: field(size, "The most bytes that the file may have."),
  },
  "a gap: { offset, image }",
);

export type PartitionSpec = v.InferOutput<typeof partition>;
export type GapSpec = v.InferOutput<typeof gap>;
