import { formatBytes, MIB, roundUp } from "../bytes/index.ts";
import { hasType, LAYOUT_NAMES } from "../layouts/index.ts";
import type { PartitionPlan } from "./plan.ts";
import type { Image } from "./spec.ts";

/** Bytes of a physical sector of almost every disk, and the least that flash memory writes at once. */
const PHYSICAL_SECTOR = 4096;

/**
 * A warning for each partition that its maker placed so that blocks of 4 KiB lie across two physical sectors: to write
 * one, the disk reads and writes both. BIOS boot partitions are read once, and often start right behind the table.
 */
export function* alignmentWarnings(
  { layout, compat }: Image,
  partitions: readonly PartitionPlan[],
): Generator<string> {
  const isPreset = (LAYOUT_NAMES as readonly string[]).includes(layout.name);
  if (isPreset || compat !== undefined) return;
  for (const { name, type, offset } of partitions) {
    if (offset % PHYSICAL_SECTOR === 0 || hasType({ type }, "bios-boot")) continue;
    yield `partition ${name} starts at ${formatBytes(offset)}, which is no multiple of 4 KiB: most disks then write each block twice as slowly; use a start such as ${roundUp(offset, MIB) / MIB}M`;
  }
}
