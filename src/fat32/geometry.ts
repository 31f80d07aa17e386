import { GIB } from "../bytes/index.ts";
import { ENTRY_SIZE, FIRST_CLUSTER } from "./structures.ts";

/** The three kinds of FAT. Nothing but the number of clusters tells which one a volume is. */
export type FatType = "fat12" | "fat16" | "fat32";

/** Bytes of a logical sector. */
export type SectorSize = 512 | 1024 | 2048 | 4096;

/** What distinguishes the kinds of FAT. */
export interface FatFormat {
  readonly type: FatType;
  /** Bits of an entry of the file allocation table. */
  readonly bits: 12 | 16 | 32;
  /**
   * The fewest and the most clusters (FAT32 File System Specification 1.03, §3.5 "FAT Type Determination").
   * 4085 and 4086 clusters are left out: Windows and Linux disagree about them.
   */
  readonly fewestClusters: number;
  readonly mostClusters: number;
  /** Sectors before the first file allocation table. */
  readonly reservedSectors: number;
  /** What ends a chain of clusters. */
  readonly endOfChain: number;
}

export const FAT12: FatFormat = {
  type: "fat12",
  bits: 12,
  fewestClusters: 1,
  mostClusters: 4084,
  reservedSectors: 1,
  endOfChain: 0xfff,
};

export const FAT16: FatFormat = {
  type: "fat16",
  bits: 16,
  fewestClusters: 4087,
  mostClusters: 65_524,
  reservedSectors: 1,
  endOfChain: 0xffff,
};

export const FAT32: FatFormat = {
  type: "fat32",
  bits: 32,
  fewestClusters: 65_525,
  mostClusters: 0x0ffffff5,
  reservedSectors: 32,
  endOfChain: 0x0fffffff,
};

/** Copies of the file allocation table. Everyone writes two, and some readers expect nothing else. */
export const FATS = 2;

/** Where FAT32 keeps its information sector, and the copies of its first three sectors. */
export const INFORMATION_SECTOR = 1;
export const BACKUP_SECTOR = 6;

/** The total is a 32-bit number. */
export const MOST_SECTORS: number = 2 ** 32 - 1;

/** What is decided of a volume before its size. */
export interface VolumeShape {
  readonly format: FatFormat;
  readonly sectorSize: SectorSize;
  readonly sectorsPerCluster: number;
  /** Entries of the root directory of FAT12 and FAT16, whole sectors of them; 0 on FAT32. */
  readonly rootEntries: number;
}

/** Where everything of a volume lies, in sectors from its start. */
export interface Geometry extends VolumeShape {
  /** Of the whole volume, as the boot sector states it. */
  readonly sectors: number;
  /** Of one file allocation table. */
  readonly fatSectors: number;
  /** Of the root directory of FAT12 and FAT16. */
  readonly rootSectors: number;
  /** The start of the first cluster, number 2. */
  readonly firstDataSector: number;
  readonly clusters: number;
}

/** Sectors that are neither table nor cluster. */
function overheadSectors({ format, rootEntries, sectorSize }: VolumeShape): number {
  return format.reservedSectors + (rootEntries * ENTRY_SIZE) / sectorSize;
}

/** Clusters that a file allocation table of so many sectors can describe. */
function capacity({ format, sectorSize }: VolumeShape, fatSectors: number): number {
  return Math.floor((fatSectors * sectorSize * 8) / format.bits) - FIRST_CLUSTER;
}

/**
 * The geometry of a volume with at most so many sectors: the one with the most clusters. The tables are as
 * short as they can be, which mkfs.fat's estimate (FAT32 File System Specification 1.03, "FAT Volume
 * Initialization") sometimes misses by a sector. Where one more sector would cost two for the tables and
 * so leave fewer clusters than before, it stays unused: more room never means less space.
 *
 * Returns `undefined` when not one cluster fits. Whether the format allows so many or few is not checked.
 */
export function layOut(shape: VolumeShape, sectors: number): Geometry | undefined {
  const { format, sectorSize, sectorsPerCluster } = shape;
  const overhead = overheadSectors(shape);
  const room = sectors - overhead;
  const clustersBeside = (fatSectors: number): number =>
    Math.floor((room - FATS * fatSectors) / sectorsPerCluster);
  const perFatSector = (sectorSize * 8) / format.bits;
  const estimate = (room / sectorsPerCluster + FIRST_CLUSTER) / (perFatSector + FATS / sectorsPerCluster);
  let fatSectors = Math.max(1, Math.floor(estimate) - 1);
  while (capacity(shape, fatSectors) < clustersBeside(fatSectors)) fatSectors++;
  let clusters = clustersBeside(fatSectors);
  let used = sectors;
  const shorter = capacity(shape, fatSectors - 1);
  if (fatSectors > 1 && shorter > clusters && clustersBeside(fatSectors - 1) >= shorter) {
    fatSectors--;
    clusters = shorter;
    used = overhead + FATS * fatSectors + clusters * sectorsPerCluster;
  }
  if (clusters < 1) return undefined;
  return {
    ...shape,
    sectors: used,
    fatSectors,
    rootSectors: overhead - format.reservedSectors,
    firstDataSector: overhead + FATS * fatSectors,
    clusters,
  };
}

/** The fewest sectors of a volume with at least so many clusters. */
export function fewestSectors(shape: VolumeShape, clusters: number): number {
  const { format, sectorSize, sectorsPerCluster } = shape;
  const fatSectors = Math.ceil(((clusters + FIRST_CLUSTER) * format.bits) / 8 / sectorSize);
  return overheadSectors(shape) + FATS * fatSectors + clusters * sectorsPerCluster;
}

/** Whether the format may have so many clusters: fewer or more would make another kind of FAT of it. */
export function isLegal(format: FatFormat, clusters: number): boolean {
  return clusters >= format.fewestClusters && clusters <= format.mostClusters;
}

/** Larger clusters are not "properly supported" (specification 1.03, BPB_SecPerClus). */
export const LARGEST_USUAL_CLUSTER = 32_768;

/** Windows NT and Linux read these; they are written on request only. */
export const LARGEST_CLUSTER = 65_536;

/** The size of a cluster, in bytes, that mkfs.fat takes for a volume of this size. */
function usualClusterSize(format: FatFormat, size: number): number {
  if (format !== FAT32) return 2048;
  if (size <= 8 * GIB) return 4096;
  if (size <= 16 * GIB) return 8192;
  return size <= 32 * GIB ? 16_384 : LARGEST_USUAL_CLUSTER;
}

/**
 * The sectors per cluster to try for a volume of this size, in bytes: the usual ones first; smaller ones,
 * which give the clusters that FAT32 must have and waste less; larger ones last.
 */
export function clusterChoices(format: FatFormat, sectorSize: SectorSize, size: number): number[] {
  const usual = Math.max(1, usualClusterSize(format, size) / sectorSize);
  const choices: number[] = [];
  for (let sectors = usual; sectors >= 1; sectors /= 2) choices.push(sectors);
  for (let sectors = 2 * usual; sectors * sectorSize <= LARGEST_USUAL_CLUSTER; sectors *= 2) {
    choices.push(sectors);
  }
  return choices;
}

/** Root entries that mkfs.fat and Windows give to FAT12 and FAT16. */
const USUAL_ROOT_ENTRIES = 512;

/** Entries for the root directory of FAT12 and FAT16 that must hold so many: whole sectors of them. */
export function rootEntriesFor(format: FatFormat, sectorSize: SectorSize, wanted: number): number {
  if (format === FAT32) return 0;
  const perSector = sectorSize / ENTRY_SIZE;
  return Math.ceil(Math.max(wanted, USUAL_ROOT_ENTRIES) / perSector) * perSector;
}
