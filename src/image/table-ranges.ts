import type { ImagePlan } from "./plan.ts";

/** A range of a partition table, in bytes. */
export interface TableRange {
  readonly offset: number;
  readonly length: number;
  readonly what: string;
}

/** Where the partition table of an image lies. */
export function tableRanges({
  table,
  image,
  size,
}: Pick<ImagePlan, "table" | "image" | "size">): TableRange[] {
  const { sectorSize } = image;
  if (table.type === "none") return [];
  if (table.type === "mbr") {
    const records = table.plan.logical.map(({ recordLba }) => ({
      offset: recordLba * sectorSize,
      length: 512,
      what: "extended boot record",
    }));
    return [{ offset: 0, length: 512, what: "master boot record" }, ...records];
  }
  const { primary, backup, entryArraySectors } = table.plan;
  const entries = entryArraySectors * sectorSize;
  return [
    { offset: 0, length: 512, what: "protective MBR" },
    { offset: primary.headerLba * sectorSize, length: sectorSize, what: "GPT header" },
    { offset: primary.entriesLba * sectorSize, length: entries, what: "GPT entries" },
    { offset: backup.entriesLba * sectorSize, length: entries, what: "GPT entries, backup" },
    { offset: size - sectorSize, length: sectorSize, what: "GPT header, backup" },
  ];
}
