import { BACKUP_SECTOR, FAT32, FATS, INFORMATION_SECTOR } from "./geometry.ts";
import { allocations } from "./inventory.ts";
import type { FatPlan } from "./plan.ts";
import { FIRST_CLUSTER } from "./structures.ts";

/** A part of a volume and what it holds. Positions and lengths are in bytes. */
export interface FatRegion {
  readonly position: number;
  readonly length: number;
  readonly what:
    | "boot sector"
    | "information sector"
    | "third boot sector"
    | "backup boot sector"
    | "backup information sector"
    | "backup third boot sector"
    | "file allocation table 1"
    | "file allocation table 2"
    | "root directory"
    | "directory"
    | "file";
  /** The row of a directory or file. */
  readonly row?: number;
}

/** Where a cluster starts, in bytes from the start of the volume. */
export function clusterStart({ geometry }: FatPlan, cluster: number): number {
  const { sectorSize, sectorsPerCluster, firstDataSector } = geometry;
  return (firstDataSector + (cluster - FIRST_CLUSTER) * sectorsPerCluster) * sectorSize;
}

/** Every used part of the volume, each once, in ascending order. */
export function* planRegions(plan: FatPlan): Generator<FatRegion> {
  const { geometry, inventory, tree, firstCluster } = plan;
  const { format, sectorSize, sectorsPerCluster, fatSectors, rootSectors } = geometry;
  const sectors = (start: number, count: number, what: FatRegion["what"]): FatRegion => ({
    position: start * sectorSize,
    length: count * sectorSize,
    what,
  });
  yield sectors(0, 1, "boot sector");
  if (format === FAT32) {
    yield sectors(INFORMATION_SECTOR, 1, "information sector");
    yield sectors(INFORMATION_SECTOR + 1, 1, "third boot sector");
    yield sectors(BACKUP_SECTOR, 1, "backup boot sector");
    yield sectors(BACKUP_SECTOR + INFORMATION_SECTOR, 1, "backup information sector");
    yield sectors(BACKUP_SECTOR + INFORMATION_SECTOR + 1, 1, "backup third boot sector");
  }
  yield sectors(format.reservedSectors, fatSectors, "file allocation table 1");
  yield sectors(format.reservedSectors + fatSectors, fatSectors, "file allocation table 2");
  if (rootSectors > 0) {
    yield { ...sectors(format.reservedSectors + FATS * fatSectors, rootSectors, "root directory"), row: 0 };
  }
  const clusterSize = sectorSize * sectorsPerCluster;
  for (const { row, clusters } of allocations(inventory, format.bits, clusterSize)) {
    yield {
      position: clusterStart(plan, firstCluster[row]!),
      length: clusters * clusterSize,
      what: row === 0 ? "root directory" : tree.isDirectory(row) ? "directory" : "file",
      row,
    };
  }
}
