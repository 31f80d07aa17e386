import { fields, list, Made, number, optional, type Required, text } from "../arguments/index.ts";
import type { Ext4Options, Ext4Plan } from "./plan.ts";

// What the types of this room look like at run time. Words and ranges are checked where they get a meaning.

const owner = optional(
  fields<{ readonly uid: number; readonly gid: number }>("an owner", { uid: number, gid: number }),
);
const names = optional(list(text, "an array of names"));

/** What of an ext4 filesystem an image leaves to its maker. */
export const ext4TuningFields = {
  lastMounted: optional(text),
  errors: optional(text),
  defaultMountOptions: names,
  mountOptions: optional(text),
  checkAfterMounts: optional(number),
  checkInterval: optional(number),
  reservedFor: owner,
  stride: optional(number),
  stripeWidth: optional(number),
  hashSeed: optional(text),
  type: optional(text),
  features: names,
  blockSize: optional(number),
  inodeSize: optional(number),
  inodes: optional(number),
  blocksPerGroup: optional(number),
  bytesPerInode: optional(number),
  journalSize: optional(number),
  growTo: optional(number),
  reservedPercent: optional(number),
  directoryHash: optional(text),
  nameCharacters: optional(text),
  rootOwner: owner,
} as const;

export const ext4OptionsKind: Required = fields<Ext4Options>("the options of ext4", {
  ...ext4TuningFields,
  label: optional(text),
  uuid: text,
  size: optional(number),
  freeBytes: optional(number),
  time: optional(number),
});

/** The plans that were made here: what is written relies on all that was checked. */
export const ext4Plans: Made<Ext4Plan> = new Made("what planExt4 gives");
