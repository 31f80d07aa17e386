import { checkArgument } from "../arguments/index.ts";
import { bytesExtent, type Extent } from "../extents/index.ts";
import { mbrPlanKind } from "./arguments.ts";
import { chsAddress } from "./chs.ts";
import type { MbrPlan, PlannedMbrPartition } from "./plan.ts";
import { ACTIVE, bootRecordSector, type PartitionEntry } from "./structures.ts";
import { MBR_TYPES } from "./types.ts";

/**
 * The bytes of a table: sector 0, and the extended boot record in front of each logical partition. Those lie
 * between the partitions, so whoever writes the partitions too has to merge both by position.
 */
export function writeMbr(plan: MbrPlan): Generator<Extent> {
  checkArgument("plan", plan, mbrPlanKind);
  return tableExtents(plan);
}

function* tableExtents(plan: MbrPlan): Generator<Extent> {
  const { sectorSize, signature, bootCode, container, logical } = plan;
  const primary: PartitionEntry[] = [];
  for (const partition of plan.partitions) primary[partition.number - 1] = entry(plan, partition, 0);
  yield bytesExtent(0, bootRecordSector(sectorSize, primary, { signature, bootCode }));

  if (container === undefined) return;
  if (logical.length === 0) {
    // An empty record tells readers that the chain is empty, and not that the disk was cut.
    yield bytesExtent(container.firstLba * sectorSize, bootRecordSector(sectorSize, []));
  }
  for (const [index, partition] of logical.entries()) {
    const entries = [entry(plan, partition, partition.recordLba)];
    const next = logical[index + 1];
    if (next !== undefined) {
      // A link covers the next record, the gap behind it and the partition, and counts from the container.
      const covered: PlannedMbrPartition = {
        number: next.number,
        bootable: false,
        type: MBR_TYPES.extended,
        firstLba: next.recordLba,
        sectors: next.firstLba + next.sectors - next.recordLba,
      };
      entries.push(entry(plan, covered, container.firstLba));
    }
    yield bytesExtent(partition.recordLba * sectorSize, bootRecordSector(sectorSize, entries));
  }
}

/** The entry of a partition whose first sector is counted from `base`. Its CHS addresses never are. */
function entry({ geometry }: MbrPlan, partition: PlannedMbrPartition, base: number): PartitionEntry {
  const { bootable, type, firstLba, sectors } = partition;
  return {
    status: bootable ? ACTIVE : 0,
    firstChs: chsAddress(firstLba, geometry),
    type,
    lastChs: chsAddress(firstLba + sectors - 1, geometry),
    firstLba: firstLba - base,
    sectors,
  };
}
