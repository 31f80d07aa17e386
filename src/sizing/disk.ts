import { formatBytes, MIB, roundDown, roundUp } from "../bytes/index.ts";
import { DoesNotFitError } from "../errors.ts";
import type { Layout } from "../layouts/index.ts";

/** Partitions, and disks with a table, end on a multiple of this: hypervisors and clouds ask for it. */
const GRAIN: number = MIB;

/** A range of bytes on a disk; `end` is not included. */
export interface DiskRange {
  readonly start: number;
  readonly end: number;
}

/** The smallest disk, in whole mebibytes where it has a table, whose last partition has `rootSize` bytes. */
export function diskSizeFor(layout: Layout, rootSize: number): number {
  const { start } = layout.partitions.at(-1)!;
  if (layout.table === "none") return start + rootSize;
  return roundUp(roundUp(start + rootSize, layout.grain ?? GRAIN) + layout.tail, GRAIN);
}

/**
 * Which bytes the last partition gets on a disk of `diskSize` bytes.
 *
 * @throws DoesNotFitError when what lies before it and the end of the table leave nothing.
 */
export function restOf(layout: Layout, diskSize: number): DiskRange {
  const { start, name } = layout.partitions.at(-1)!;
  const end = layout.table === "none" ? diskSize : roundDown(diskSize - layout.tail, layout.grain ?? GRAIN);
  if (end > start) return { start, end };
  const missing = diskSizeFor(layout, 1) - diskSize;
  throw new DoesNotFitError(
    `the disk of ${formatBytes(diskSize)} ends before partition ${name} can start at ${formatBytes(start)}: ` +
      `${formatBytes(missing)} are missing`,
    missing,
    { partition: name },
  );
}
