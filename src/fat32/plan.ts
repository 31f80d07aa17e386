import { checkArgument } from "../arguments/index.ts";
import { formatSize, printable, utf8 } from "../bytes/index.ts";
import { type Tree, treeKind } from "../tree/index.ts";
import { fatOptionsKind, fatPlans } from "./arguments.ts";
import { GeometryChooser, refuse } from "./choose.ts";
import {
  FAT32,
  type FatType,
  type Geometry,
  LARGEST_CLUSTER,
  LARGEST_USUAL_CLUSTER,
  rootEntriesFor,
  type SectorSize,
} from "./geometry.ts";
import { allocations, type Inventory, takeInventory } from "./inventory.ts";
import { labelProblem, upperCaseLabel } from "./names.ts";
import { type FatRegion, planRegions } from "./regions.ts";
import { FIRST_CLUSTER } from "./structures.ts";
import { LATEST_TIME } from "./time.ts";

/** How a FAT volume is to be. Sizes are in bytes. */
export interface FatOptions {
  /**
   * The size of the volume; a part of a sector at its end is not used. Default: the smallest that holds the
   * tree and `freeBytes`, and that the kind of FAT may have.
   */
  readonly size?: number | undefined;
  /** Free space that must be left at least. Default 0. */
  readonly freeBytes?: number | undefined;
  /**
   * The kind of FAT. Default 32, which needs 65,525 clusters: firmware refuses FAT32 with fewer, so it is
   * never written. `"auto"` takes the largest kind that the size allows and the tree fits in.
   */
  readonly bits?: 32 | 16 | 12 | "auto" | undefined;
  /** 512, 1024, 2048 or 4096: that of the disk. Default 512. */
  readonly sectorSize?: SectorSize | undefined;
  /** A power of two up to 128, and clusters up to 64 KiB. Default: by the size, clusters up to 32 KiB. */
  readonly sectorsPerCluster?: number | undefined;
  /**
   * Up to eleven characters: A to Z (lower case becomes upper case), 0 to 9, spaces and
   * ``!#$%&'()-@^_`{}~``. Default, and with "": none.
   */
  readonly label?: string | undefined;
  /** Identifies the volume: 32 bits. */
  readonly serial: number;
  /** The LBA at which the volume's partition starts. Default 0: there is no partition. */
  readonly hiddenSectors?: number | undefined;
  /**
   * The time of the label, in seconds since 1970; later times of entries become this one. Default: 1980 for
   * the label, and every entry keeps its own, between 1980 and 2107.
   */
  readonly time?: number | undefined;
  /** What becomes of symlinks, devices, fifos and sockets. Default: an error that names each of them. */
  readonly unsupported?: "error" | "skip" | undefined;
}

/** A FAT volume, decided. Sizes are in bytes. */
export interface FatPlan {
  readonly type: FatType;
  /** Of the volume, whole sectors. */
  readonly size: number;
  readonly sectorSize: SectorSize;
  readonly sectorsPerCluster: number;
  readonly reservedSectors: number;
  /** Of one of the two file allocation tables. */
  readonly fatSectors: number;
  readonly clusters: number;
  readonly usedClusters: number;
  readonly freeClusters: number;
  readonly freeBytes: number;
  /** In upper case; "" for none. */
  readonly label: string;
  readonly serial: number;
  readonly hiddenSectors: number;
  readonly time: number | undefined;
  /** 2 on FAT32, 0 elsewhere: the root directory is not in a cluster. */
  readonly rootCluster: number;
  readonly geometry: Geometry;
  readonly tree: Tree;
  readonly inventory: Inventory;
  /** First cluster of each row; 0 for empty files, what is left out, and the root of FAT12 and FAT16. */
  readonly firstCluster: Uint32Array;
  readonly warnings: readonly string[];
  /** Paths of entries that FAT cannot hold and that were left out. */
  readonly skipped: readonly string[];
  /** Every used part of the volume, each once, in ascending order. */
  regions(): Iterable<FatRegion>;
}

/**
 * Plans a FAT volume that holds a tree.
 *
 * @throws DiskwrightError `INVALID_TREE` or `UNSUPPORTED_ENTRY`, naming every entry that FAT cannot hold;
 *   `INVALID_FILESYSTEM` for options that FAT does not allow, such as FAT32 in less than 34,089,472 bytes.
 * @throws DoesNotFitError when the tree and `freeBytes` need a larger `size`: that size plus `missingBytes`
 *   is the smallest that works.
 */
export function planFat(wholeTree: Tree, options: FatOptions): FatPlan {
  checkArgument("tree", wholeTree, treeKind);
  checkArgument("options", options, fatOptionsKind);
  checkOptions(options);
  const { sectorSize = 512, serial, hiddenSectors = 0, time, unsupported = "error" } = options;
  const label = upperCaseLabel(options.label ?? "");
  const latestTime = time ?? Number.POSITIVE_INFINITY;
  const inventory = takeInventory(wholeTree, { hasLabel: label !== "", unsupported, latestTime });
  const { tree } = inventory;
  const chooser = new GeometryChooser(inventory, options, sectorSize);
  const { geometry, size } = chooser.choose(options.size);
  const { format, sectorsPerCluster, clusters } = geometry;
  const clusterSize = sectorSize * sectorsPerCluster;
  const firstCluster = new Uint32Array(tree.length);
  let next = FIRST_CLUSTER;
  for (const { row, clusters: count } of allocations(inventory, format.bits, clusterSize)) {
    firstCluster[row] = next;
    next += count;
  }
  const usedClusters = next - FIRST_CLUSTER;
  const freeClusters = clusters - usedClusters;
  const plan: FatPlan = {
    type: format.type,
    size,
    sectorSize,
    sectorsPerCluster,
    reservedSectors: format.reservedSectors,
    fatSectors: geometry.fatSectors,
    clusters,
    usedClusters,
    freeClusters,
    freeBytes: freeClusters * clusterSize,
    label,
    serial,
    hiddenSectors,
    time,
    rootCluster: format === FAT32 ? FIRST_CLUSTER : 0,
    geometry,
    tree,
    inventory,
    firstCluster,
    warnings: [...inventory.warnings, ...geometryWarnings(geometry)],
    skipped: inventory.skipped,
    regions: () => planRegions(plan),
  };
  return fatPlans.here(plan);
}

function checkOptions(options: FatOptions): void {
  const {
    bits = 32,
    sectorSize = 512,
    sectorsPerCluster,
    label = "",
    time = 0,
    size,
    freeBytes = 0,
  } = options;
  if (![32, 16, 12, "auto"].includes(bits)) refuse(`FAT of ${bits} bits: use 32, 16, 12 or "auto"`);
  if (![512, 1024, 2048, 4096].includes(sectorSize)) {
    refuse(`FAT sectors of ${sectorSize} bytes: use 512, 1024, 2048 or 4096`);
  }
  if (sectorsPerCluster !== undefined) {
    const isPower = [1, 2, 4, 8, 16, 32, 64, 128].includes(sectorsPerCluster);
    if (!isPower) refuse(`${sectorsPerCluster} sectors per cluster: use a power of two from 1 to 128`);
    if (sectorsPerCluster * sectorSize > LARGEST_CLUSTER) {
      refuse(`FAT clusters of ${formatSize(sectorsPerCluster * sectorSize)}: the limit is 64 KiB`);
    }
  }
  const problem = labelProblem(upperCaseLabel(label));
  if (problem !== undefined) refuse(`FAT label "${printable(utf8(label))}": ${problem}`);
  for (const [name, value] of [
    ["serial number", options.serial],
    ["hidden sectors", options.hiddenSectors ?? 0],
  ] as const) {
    if (!(Number.isInteger(value) && value >= 0 && value <= 0xffffffff)) {
      refuse(`FAT ${name} ${value}: use a whole number from 0 to 4294967295`);
    }
  }
  if (!(Number.isInteger(time) && time >= 0 && time <= LATEST_TIME)) {
    refuse(`time ${time}: use whole seconds since 1970, up to ${LATEST_TIME} (2107)`);
  }
  for (const [name, value] of [
    ["size", size],
    ["free space", freeBytes],
  ] as const) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) {
      refuse(`FAT ${name} of ${value} bytes: use a whole number of bytes`);
    }
  }
}

function geometryWarnings({ format, sectorSize, sectorsPerCluster, rootEntries }: Geometry): string[] {
  const warnings: string[] = [];
  if (sectorSize * sectorsPerCluster > LARGEST_USUAL_CLUSTER) {
    warnings.push("clusters of 64 KiB are read by Windows NT and Linux, but not by everything else");
  }
  if (rootEntries > rootEntriesFor(format, sectorSize, 0)) {
    warnings.push(`the root directory has room for ${rootEntries} entries, more than the usual 512`);
  }
  return warnings;
}
