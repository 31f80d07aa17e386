import { MIB } from "../bytes/index.ts";
import type { PlannedMbrPartition } from "./plan.ts";

/**
 * Where the extended boot records of logical partitions lie. Each logical partition has one, and each record
 * points to its partition and to the next record. The first is the first sector of the container. Every
 * other lies 1 MiB before its partition, so that both stay aligned, or right behind the partition before it
 * where there is less room than that.
 *
 * Problems are added to `problems`; the positions mean something only when there are none.
 */
export function placeRecords(
  container: PlannedMbrPartition,
  logical: readonly PlannedMbrPartition[],
  sectorSize: number,
  problems: string[],
): number[] {
  const distance = MIB / sectorSize;
  const containerEnd = container.firstLba + container.sectors;
  let previous: PlannedMbrPartition | undefined;
  return logical.map((partition) => {
    const { number, firstLba, sectors } = partition;
    const free = previous === undefined ? container.firstLba : previous.firstLba + previous.sectors;
    if (firstLba < container.firstLba || firstLba + sectors > containerEnd) {
      problems.push(
        `partition ${number} (sectors ${firstLba} to ${firstLba + sectors - 1}) lies outside the extended partition ${container.number} (${container.firstLba} to ${containerEnd - 1})`,
      );
    } else if (previous !== undefined && firstLba < previous.firstLba) {
      problems.push(
        `partition ${number} starts at sector ${firstLba}, before partition ${previous.number}: list logical partitions in the order in which they lie`,
      );
    } else if (firstLba < free) {
      problems.push(`partition ${number} overlaps partition ${previous?.number}`);
    } else if (firstLba === free) {
      problems.push(
        `partition ${number} starts at sector ${firstLba}, where its extended boot record has to lie: start it at ${firstLba + 1} or later`,
      );
    }
    const record = previous === undefined ? container.firstLba : Math.max(free, firstLba - distance);
    previous = partition;
    return record;
  });
}
