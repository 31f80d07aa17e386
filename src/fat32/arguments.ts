import { either, fields, Made, number, oneOf, optional, type Required, text } from "../arguments/index.ts";
import type { FatOptions, FatPlan } from "./plan.ts";

// What the types of this room look like at run time. Ranges are checked where they get a meaning.

/** What of a FAT filesystem an image leaves to its maker. */
export const fatTuningFields = {
  bits: optional(either(number, text)),
  sectorSize: optional(number),
  sectorsPerCluster: optional(number),
} as const;

export const fatOptionsKind: Required = fields<FatOptions>("the options of FAT", {
  ...fatTuningFields,
  size: optional(number),
  freeBytes: optional(number),
  label: optional(text),
  serial: number,
  hiddenSectors: optional(number),
  time: optional(number),
  unsupported: optional(oneOf("error", "skip")),
});

/** The plans that were made here: what is written relies on all that was checked. */
export const fatPlans: Made<FatPlan> = new Made("what planFat gives");
