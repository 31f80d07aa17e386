import { formatBytes, formatSize, largestOf } from "../bytes/index.ts";
import { DiskwrightError, DoesNotFitError } from "../errors.ts";
import {
  clusterChoices,
  FAT12,
  FAT16,
  FAT32,
  FATS,
  type FatFormat,
  fewestSectors,
  type Geometry,
  isLegal,
  layOut,
  MOST_SECTORS,
  rootEntriesFor,
  type SectorSize,
  type VolumeShape,
} from "./geometry.ts";
import { type Inventory, type TreeClusters, treeClusters } from "./inventory.ts";
import { ENTRY_SIZE } from "./structures.ts";

/** What was asked for; see `FatOptions`. Sizes are in bytes. */
export interface GeometryWishes {
  readonly bits?: 32 | 16 | 12 | "auto" | undefined;
  readonly sectorsPerCluster?: number | undefined;
  readonly freeBytes?: number | undefined;
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

/** For options that FAT does not allow. */
export function refuse(message: string): never {
  throw new DiskwrightError("INVALID_FILESYSTEM", message);
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
export class GeometryChooser {
  readonly #inventory: Inventory;
  readonly #wishes: GeometryWishes;
  readonly #sectorSize: SectorSize;
  readonly #formats: readonly FatFormat[];
  /** By format and sectors per cluster. Counting the clusters of a large tree takes its time. */
  readonly #candidates = new Map<string, Candidate>();

  constructor(inventory: Inventory, wishes: GeometryWishes, sectorSize: SectorSize) {
    const { bits = 32 } = wishes;
    this.#inventory = inventory;
    this.#wishes = wishes;
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
    const { sectorsPerCluster } = this.#wishes;
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
      const free = Math.ceil((this.#wishes.freeBytes ?? 0) / clusterSize);
      const wanted = tree.directories + tree.files + free;
      const clusters = Math.max(wanted, format.fewestClusters);
      const fewest =
        clusters <= format.mostClusters ? fewestSectors(shape, clusters) : Number.POSITIVE_INFINITY;
      this.#candidates.set(key, (candidate = { shape, tree, wanted, fewest }));
    }
    return candidate;
  }

  get #kind(): string {
    return this.#wishes.bits === "auto" ? "FAT" : this.#formats[0]!.type.toUpperCase();
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
    const clusters = this.#wishes.sectorsPerCluster === undefined ? "" : " with clusters of this size";
    const most = largestOf(this.#formats.map(({ mostClusters }) => mostClusters));
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
