import { checkArgument } from "../arguments/index.ts";
import { type ByteRange, bytesExtent, type Extent } from "../extents/index.ts";
import { fatPlans } from "./arguments.ts";
import { bootSector, informationBytes, thirdBootSector } from "./boot-sector.ts";
import { directoryChunks } from "./directory.ts";
import { BACKUP_SECTOR, FAT32, FATS, INFORMATION_SECTOR } from "./geometry.ts";
import { allocations } from "./inventory.ts";
import { labelBytes } from "./names.ts";
import type { FatPlan } from "./plan.ts";
import { clusterStart } from "./regions.ts";
import { FIRST_CLUSTER } from "./structures.ts";
import { tableChunks } from "./table.ts";

/**
 * The bytes of a volume, from its start: boot sector, the file allocation tables as far as they are in use,
 * directories, files. Metadata is encoded when it is asked for, at most 64 KiB at once.
 */
export function writeFat(plan: FatPlan): Generator<Extent> {
  checkArgument("plan", plan, fatPlans.kind);
  return volumeExtents(plan);
}

function* volumeExtents(plan: FatPlan): Generator<Extent> {
  yield* reservedSectors(plan);
  const { format, sectorSize, fatSectors, rootSectors, firstDataSector } = plan.geometry;
  for (let copy = 0; copy < FATS; copy++) {
    const start = (format.reservedSectors + copy * fatSectors) * sectorSize;
    for (const { offset, bytes } of tableChunks(format, chainLengths(plan))) {
      yield bytesExtent(start + offset, bytes);
    }
  }
  if (rootSectors > 0) yield* directory(plan, 0, (firstDataSector - rootSectors) * sectorSize);
  for (const { row } of contentOf(plan)) {
    const start = clusterStart(plan, plan.firstCluster[row]!);
    if (plan.tree.isDirectory(row)) yield* directory(plan, row, start);
    else yield* file(plan, row, start);
  }
}

/** Where the volume is in use, ascending: the start of each table, and all clusters up to the last one. */
export function fatWritten({ geometry, usedClusters }: FatPlan): ByteRange[] {
  const { format, sectorSize, sectorsPerCluster, fatSectors, firstDataSector } = geometry;
  const entries = Math.ceil(((FIRST_CLUSTER + usedClusters) * format.bits) / 8);
  const tables = Array.from({ length: FATS }, (_, copy) => ({
    position: (format.reservedSectors + copy * fatSectors) * sectorSize,
    length: entries,
  }));
  const length = usedClusters * sectorsPerCluster * sectorSize;
  return [...tables, { position: firstDataSector * sectorSize, length }];
}

/**
 * What no reader looks at before it is written: the clusters behind the last one in use, and sectors that are no
 * whole cluster. Every other byte that no extent covers must read as zero: free entries of the file allocation
 * tables, the ends of directories, holes inside files, and the rest of the last cluster of a file.
 */
export function* fatFree(plan: FatPlan): Generator<ByteRange> {
  const position = clusterStart(plan, FIRST_CLUSTER + plan.usedClusters);
  if (position < plan.size) yield { position, length: plan.size - position };
}

function contentOf({ inventory, geometry }: FatPlan): ReturnType<typeof allocations> {
  const { format, sectorSize, sectorsPerCluster } = geometry;
  return allocations(inventory, format.bits, sectorSize * sectorsPerCluster);
}

function* chainLengths(plan: FatPlan): Generator<number> {
  for (const { clusters } of contentOf(plan)) yield clusters;
}

function* reservedSectors(plan: FatPlan): Generator<Extent> {
  const { geometry, serial, hiddenSectors, clusters, usedClusters } = plan;
  const boot = bootSector(geometry, { serial, hiddenSectors, label: labelBytes(plan.label) });
  yield bytesExtent(0, boot);
  if (geometry.format !== FAT32) return;
  const information = informationBytes(clusters, usedClusters);
  const third = thirdBootSector();
  const at = (sector: number): number => sector * geometry.sectorSize;
  yield bytesExtent(at(INFORMATION_SECTOR), information);
  yield bytesExtent(at(INFORMATION_SECTOR + 1), third);
  yield bytesExtent(at(BACKUP_SECTOR), boot);
  yield bytesExtent(at(BACKUP_SECTOR + INFORMATION_SECTOR), information);
  yield bytesExtent(at(BACKUP_SECTOR + INFORMATION_SECTOR + 1), third);
}

function* directory(plan: FatPlan, row: number, start: number): Generator<Extent> {
  const { inventory, firstCluster, time } = plan;
  const placement = { inventory, firstCluster, label: labelBytes(plan.label), time };
  let position = start;
  for (const bytes of directoryChunks(placement, row)) {
    yield bytesExtent(position, bytes);
    position += bytes.length;
  }
}

/** Holes have clusters, as FAT knows nothing else, but nothing is written there: they read as zeros. */
function* file({ tree }: FatPlan, row: number, start: number): Generator<Extent> {
  const source = tree.content(row);
  const data = tree.data(row);
  if (data === undefined) {
    yield { position: start, length: tree.columns.size[row]!, source, offset: 0 };
    return;
  }
  for (const { offset, length } of data) yield { position: start + offset, length, source, offset };
}
