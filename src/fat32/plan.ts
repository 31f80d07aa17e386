import { formatBytes, formatSize, printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError, DoesNotFitError } from "../errors.ts";
import type { Tree } from "../tree/index.ts";
import {
  clusterChoices,
  FAT12,
  FAT16,
  FAT32,
  FATS,
  type FatFormat,
  type FatType,
  fewestSectors,
  type Geometry,
  isLegal,
  LARGEST_CLUSTER,
  LARGEST_USUAL_CLUSTER,
  layOut,
  MOST_SECTORS,
  rootEntriesFor,
  type SectorSize,
  type VolumeShape,
} from "./geometry.ts";
import { allocations, type Inventory, type TreeClusters, takeInventory, treeClusters } from "./inventory.ts";
import { labelProblem, SHORT_NAME_SIZE } from "./names.ts";
import { type FatRegion, planRegions } from "./regions.ts";
import { ENTRY_SIZE, FIRST_CLUSTER } from "./structures.ts";
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
 * Plans a FAT volume that holds `tree`.
 *
 * @throws DiskwrightError `INVALID_TREE` or `UNSUPPORTED_ENTRY`, naming every entry that FAT cannot hold;
 *   `INVALID_FILESYSTEM` for options that FAT does not allow, such as FAT32 in less than 34,089,472 bytes.
 * @throws DoesNotFitError when the tree and `freeBytes` need a larger `size`: that size plus `missingBytes`
 *   is the smallest that works.
 */
export function planFat(tree: Tree, options: FatOptions): FatPlan {
  checkOptions(options);
  const { sectorSize = 512, serial, hiddenSectors = 0, time, unsupported = "error" } = options;
  const label = (options.label ?? "").toUpperCase();
  const latestTime = time ?? Number.POSITIVE_INFINITY;
  const inventory = takeInventory(tree, { hasLabel: label !== "", unsupported, latestTime });
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
  return plan;
}

/**
 * The smallest size, in bytes, of a volume of this kind that is legal, whatever it holds: 34,089,472 for
 * FAT32 with sectors of 512 bytes.
 */
export function smallestFat(bits: 32 | 16 | 12, sectorSize: SectorSize = 512): number {
  const format = FORMATS[bits];
  const rootEntries = rootEntriesFor(format, sectorSize, 0);
  return (
    fewestSectors({ format, sectorSize, sectorsPerCluster: 1, rootEntries }, format.fewestClusters) *
    sectorSize
  );
}

const FORMATS: Readonly<Record<12 | 16 | 32, FatFormat>> = { 12: FAT12, 16: FAT16, 32: FAT32 };

function refuse(message: string): never {
  throw new DiskwrightError("INVALID_FILESYSTEM", message);
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
  const problem = labelProblem(label.toUpperCase());
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

/** One way to make the volume: everything but how many sectors it has. */
interface Candidate {
  readonly shape: VolumeShape;
  readonly tree: TreeClusters;
  /** Clusters for the tree and the wanted free space. */
  readonly wanted: number;
  /** Sectors of the smallest legal volume that has them, or infinity when there is none. */
  readonly fewest: number;
}

/** Finds the geometry for a tree: the kind of FAT, the size of clusters, and the size when it is not given. */
class GeometryChooser {
  readonly #inventory: Inventory;
  readonly #options: FatOptions;
  readonly #sectorSize: SectorSize;
  readonly #formats: readonly FatFormat[];
  /** By format and sectors per cluster. Counting the clusters of a large tree takes its time. */
  readonly #candidates = new Map<string, Candidate>();

  constructor(inventory: Inventory, options: FatOptions, sectorSize: SectorSize) {
    const { bits = 32 } = options;
    this.#inventory = inventory;
    this.#options = options;
    this.#sectorSize = sectorSize;
    this.#formats = bits === "auto" ? [FAT32, FAT16, FAT12] : [FORMATS[bits]];
  }

  /** The geometry for a size in bytes, or for the smallest that works. Also gives the size, in whole sectors. */
  choose(size: number | undefined): { readonly geometry: Geometry; readonly size: number } {
    const sectors = size === undefined ? this.#fewest(0) : Math.floor(size / this.#sectorSize);
    if (sectors === undefined) return this.#refuseLarge();
    if (sectors > MOST_SECTORS) return this.#refuseSectors();
    const geometry = this.#fitting(sectors);
    if (geometry === undefined) return this.#refuse(size!, sectors);
    return { geometry, size: sectors * this.#sectorSize };
  }

  #fitting(sectors: number): Geometry | undefined {
    for (const format of this.#formats) {
      for (const candidate of this.#choices(format, sectors)) {
        const geometry = layOut(candidate.shape, sectors);
        if (geometry === undefined || !isLegal(format, geometry.clusters)) continue;
        if (geometry.clusters >= candidate.wanted) return geometry;
      }
    }
    return undefined;
  }

  /** The smallest number of sectors above `above` that works, or `undefined` when none does. */
  #fewest(above: number): number | undefined {
    let fewest = Number.POSITIVE_INFINITY;
    for (const format of this.#formats) {
      for (const candidate of this.#choices(format, above)) {
        if (candidate.fewest > above) fewest = Math.min(fewest, candidate.fewest);
      }
    }
    return fewest <= MOST_SECTORS ? fewest : undefined;
  }

  *#choices(format: FatFormat, sectors: number): Generator<Candidate> {
    const { sectorsPerCluster } = this.#options;
    const choices =
      sectorsPerCluster === undefined
        ? clusterChoices(format, this.#sectorSize, sectors * this.#sectorSize)
        : [sectorsPerCluster];
    for (const choice of choices) {
      const candidate = this.#candidate(format, choice);
      if (candidate.shape.rootEntries <= MOST_ROOT_ENTRIES) yield candidate;
    }
  }

  #candidate(format: FatFormat, sectorsPerCluster: number): Candidate {
    const key = `${format.bits}/${sectorsPerCluster}`;
    let candidate = this.#candidates.get(key);
    if (candidate === undefined) {
      const sectorSize = this.#sectorSize;
      const clusterSize = sectorsPerCluster * sectorSize;
      const rootEntries = rootEntriesFor(format, sectorSize, this.#inventory.directorySlots[0]!);
      const shape = { format, sectorSize, sectorsPerCluster, rootEntries };
      const tree = treeClusters(this.#inventory, format.bits, clusterSize);
      const free = Math.ceil((this.#options.freeBytes ?? 0) / clusterSize);
      const wanted = tree.directories + tree.files + free;
      const clusters = Math.max(wanted, format.fewestClusters);
      const fewest =
        clusters <= format.mostClusters ? fewestSectors(shape, clusters) : Number.POSITIVE_INFINITY;
      this.#candidates.set(key, (candidate = { shape, tree, wanted, fewest }));
    }
    return candidate;
  }

  get #kind(): string {
    return this.#options.bits === "auto" ? "FAT" : this.#formats[0]!.type.toUpperCase();
  }

  #refuse(size: number, sectors: number): never {
    const needed = this.#fewest(sectors);
    if (needed === undefined) return this.#refuseLarge(size);
    const needs = needed * this.#sectorSize;
    const format = this.#formats.at(-1)!;
    if (!this.#isLegalSize(sectors)) {
      const wish = format === FAT12 ? "" : `, or another kind of FAT ("auto" takes the one that fits)`;
      return refuse(
        `${this.#kind} cannot have ${formatBytes(size)}, as it needs at least ` +
          `${format.fewestClusters} clusters: use ${formatBytes(needs)} or more${wish}`,
      );
    }
    const missing = needs - size;
    throw new DoesNotFitError(
      `the ${this.#kind} volume has ${formatBytes(size)} and needs ${formatBytes(needs)}, ` +
        `${formatBytes(missing)} more: ${this.#usage(needed)}`,
      missing,
    );
  }

  /** Whether an empty volume could have so many sectors. A volume too small for anything is too small. */
  #isLegalSize(sectors: number): boolean {
    return this.#formats.some((format) => {
      if (format === FAT12) return true;
      for (const { shape } of this.#choices(format, sectors)) {
        const geometry = layOut(shape, sectors);
        if (geometry !== undefined && isLegal(format, geometry.clusters)) return true;
      }
      return false;
    });
  }

  /** What takes the room in the smallest volume that works. */
  #usage(sectors: number): string {
    const geometry = this.#fitting(sectors)!;
    const { format, sectorSize, sectorsPerCluster, fatSectors, rootSectors } = geometry;
    const { tree, wanted } = this.#candidate(format, sectorsPerCluster);
    const clusterSize = sectorsPerCluster * sectorSize;
    const free = wanted - tree.directories - tree.files;
    const directories = tree.directories * clusterSize + rootSectors * sectorSize;
    return (
      `files ${formatSize(tree.files * clusterSize)}, directories ${formatSize(directories)}, ` +
      `allocation tables ${formatSize(FATS * fatSectors * sectorSize)}, ` +
      `reserved ${formatSize(format.reservedSectors * sectorSize)}` +
      (free > 0 ? `, free space ${formatSize(free * clusterSize)}` : "")
    );
  }

  #refuseLarge(size?: number): never {
    const slots = this.#inventory.directorySlots[0]!;
    if (slots > MOST_ROOT_ENTRIES && !this.#formats.includes(FAT32)) {
      refuse(
        `the root directory needs ${slots} entries, the limit of ${this.#kind} is ${MOST_ROOT_ENTRIES}: use FAT32`,
      );
    }
    const what = size === undefined ? "a volume that holds the tree" : `a volume of ${formatBytes(size)}`;
    const clusters = this.#options.sectorsPerCluster === undefined ? "" : " with clusters of this size";
    const most = Math.max(...this.#formats.map(({ mostClusters }) => mostClusters));
    return refuse(
      `${this.#kind} cannot make ${what}${clusters}: it has at most ${most} clusters` +
        `${this.#formats.includes(FAT32) ? " and 4294967295 sectors" : ": use FAT32"}`,
    );
  }

  #refuseSectors(): never {
    return refuse(`FAT of more than 4294967295 sectors of ${this.#sectorSize} bytes: use a smaller size`);
  }
}

/** The number of root entries of FAT12 and FAT16 has 16 bits; a sector holds at least 16 of them. */
const MOST_ROOT_ENTRIES = 65_535 - (65_535 % (4096 / ENTRY_SIZE));

/** The label as the boot sector and the root directory have it, or `undefined` when there is none. */
export function labelBytes(label: string): Uint8Array | undefined {
  return label === "" ? undefined : utf8(label.padEnd(SHORT_NAME_SIZE));
}
