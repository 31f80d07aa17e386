import {
  asyncIterable,
  either,
  fields,
  flag,
  iterable,
  list,
  number,
  oneOf,
  optional,
  type Required,
  routine,
  text,
} from "../arguments/index.ts";
import { byteCount, readerKind, signalKind, sourceKind, targetKind } from "../extents/index.ts";
import { FORMAT_NAMES } from "./names.ts";
import type { CopyDiskOptions, Output, PlannedDisk, WriteDiskOptions } from "./write.ts";

// What the types of this room look like at run time.

/** The name of a format that is written. */
export const formatKind: Required = oneOf(...FORMAT_NAMES);

export const outputsKind: Required = list(
  fields<Output>("an output", {
    format: optional(formatKind),
    target: targetKind,
    level: optional(number),
    clusterSize: optional(number),
    zeros: optional(oneOf("holes", "stored")),
  }),
  "an array of outputs",
);

// These functions are for those who put programs together, and hand on what they have.
const writeFields = {
  sectorSize: optional(oneOf(512, 4096)),
  physicalSectorSize: optional(oneOf(512, 4096)),
  ignoreSectorSize: optional(flag),
  reader: optional(readerKind),
  signal: optional(signalKind),
  onProgress: optional(routine),
  onWarning: optional(routine),
  seed: optional(text),
  time: optional(number),
  packers: optional(routine),
  hash: optional(routine),
} as const;

export const writeDiskKind: Required = fields<WriteDiskOptions>("the options of writeDisk", writeFields, {
  isOpen: true,
});

export const copyDiskKind: Required = fields<CopyDiskOptions>(
  "the options of copyDisk",
  {
    ...writeFields,
    free: optional(routine),
  },
  { isOpen: true },
);

export const plannedDiskKind: Required = fields<PlannedDisk>(
  "a planned disk",
  {
    size: byteCount,
    extents: routine,
    free: optional(routine),
    runs: optional(routine),
    written: optional(routine),
  },
  { isOpen: true },
);

/** A disk in a container. */
export const diskKind: Required = {
  isOptional: false,
  expected: "a disk, such as openDisk(source) or openImage(path) gives",
  problem(value) {
    const problem = sourceKind.problem(value);
    if (problem !== undefined)
      return problem.path === "" ? { ...problem, message: `is no disk: give ${diskKind.expected}` } : problem;
    const stored = routine.problem((value as { readonly stored?: unknown }).stored);
    return stored && { ...stored, path: ".stored" };
  },
};

/** What a planned disk says of some of its bytes. */
export const rangesKind: Required = iterable("byte ranges in ascending order");

/** The parts of a disk that are stored. */
export const batchesKind: Required = asyncIterable("batches of extents in ascending order");

/** The free ranges of a disk, which may take time to find. */
export const freeRangesKind: Required = either(rangesKind, asyncIterable(rangesKind.expected));
