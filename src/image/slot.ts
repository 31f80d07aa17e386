import { formatBytes, MIB, roundUp } from "../bytes/index.ts";
import { DiskwrightError, DoesNotFitError, problemsError } from "../errors.ts";
import { type Ext4Options, planExt4 } from "../ext4/index.ts";
import { type FatOptions, planFat, smallestFat } from "../fat32/index.ts";
import {
  LAYOUT_NAMES,
  type LayoutExt4,
  type LayoutFat,
  type LayoutFilesystem,
  type NumberedPartition,
  nixpkgsBootSize,
} from "../layouts/index.ts";
import type { Tree } from "../tree/index.ts";
import { largest } from "./largest.ts";
import type { FilesystemPlan } from "./plan.ts";
import type { Image } from "./spec.ts";

/** A partition and what it is to hold. */
export interface Slot {
  readonly partition: NumberedPartition;
  readonly tree: Tree | undefined;
}

/** How large a filesystem is to be, in bytes. */
export interface Extension {
  /** Default: the smallest that holds the tree and `freeBytes`. */
  readonly size?: number;
  readonly freeBytes?: number;
  /** How many inodes there must be at least. */
  readonly inodes?: number;
  /** Where it starts on the disk. */
  readonly start?: number;
}

/** The UUID of an ext4 filesystem. */
export function ext4Uuid(image: Image, name: string, filesystem: LayoutExt4): string {
  return filesystem.uuid ?? image.identity.uuid(`filesystem/${name}`);
}

/** The serial number of a FAT filesystem. */
export function fatSerial(image: Image, name: string, filesystem: LayoutFat): number {
  return filesystem.serial ?? image.identity.serial(`filesystem/${name}`);
}

/**
 * Plans the filesystem of a partition; `undefined` for one that has none.
 *
 * @throws DoesNotFitError, as the filesystem throws it; every other error names the partition.
 */
export function planFilesystem(image: Image, slot: Slot, extent: Extension): FilesystemPlan | undefined {
  const { partition, tree } = slot;
  const { filesystem, name } = partition;
  if (filesystem === undefined || tree === undefined) return undefined;
  try {
    const volume = sized(filesystem, extent);
    if (filesystem.type === "ext4") {
      const options: Ext4Options = {
        ...filesystem.options,
        ...volume,
        ...(extent.inodes === undefined ? {} : { inodes: extent.inodes }),
        uuid: ext4Uuid(image, name, filesystem),
        label: filesystem.label,
        time: image.time,
      };
      return { type: "ext4", plan: planExt4(tree, options) };
    }
    const { bits = 32, sectorSize = image.sectorSize, sectorsPerCluster } = filesystem;
    if (bits !== "auto" && volume.size !== undefined) {
      const smallest = smallestFat(bits, sectorSize);
      if (volume.size < smallest) throw tooSmall(image, partition, bits, volume.size, smallest);
    }
    const options: FatOptions = {
      ...volume,
      bits,
      sectorSize,
      sectorsPerCluster,
      label: filesystem.label,
      serial: fatSerial(image, name, filesystem),
      hiddenSectors: (extent.start ?? 0) / image.sectorSize,
      time: image.time,
      unsupported: image.unsupported,
    };
    return { type: "fat", plan: planFat(tree, options) };
  } catch (error) {
    throw named(error, partition);
  }
}

/** The size of a filesystem: its own, or all that there is. */
function sized(
  { size: own }: LayoutFilesystem,
  { size, freeBytes }: Extension,
): { size?: number; freeBytes?: number } {
  if (own !== undefined) {
    if (size === undefined || own <= size) return { size: own };
    throw new DoesNotFitError(
      `the filesystem is to have ${formatBytes(own)}, its partition has ${formatBytes(size)}`,
      own - size,
    );
  }
  return {
    ...(size === undefined ? {} : { size }),
    ...(freeBytes === undefined ? {} : { freeBytes }),
  };
}

/** Tells a filesystem of fixed size that is too small, with the size that would do and what takes the room. */
export function tooSmallForTree(
  image: Image,
  slot: Slot,
  size: number,
  error: DoesNotFitError,
): DoesNotFitError {
  const { partition, tree } = slot;
  const remedy = sizeRemedy(image, partition, size + error.missingBytes);
  return new DoesNotFitError(
    `${where(partition)}: ${error.message}; ${remedy}${tree === undefined ? "" : largest(tree)}`,
    error.missingBytes,
    { partition: partition.name, cause: error },
  );
}

function where({ name, mount }: NumberedPartition): string {
  return mount === undefined ? `partition ${name}` : `partition ${name} at ${mount}`;
}

/** Says which size would do, in the terms in which it is given. */
function sizeRemedy(image: Image, partition: NumberedPartition, needed: number): string {
  const { name, mount, start = 0 } = partition;
  const isPreset = (LAYOUT_NAMES as readonly string[]).includes(image.layout.name);
  if (isPreset && mount === "/" && image.size !== undefined && typeof partition.size === "number") {
    // What has its place already takes all that the disk has left.
    return `use --size ${Math.ceil((image.size + needed - partition.size) / MIB)}M or more`;
  }
  if (!isPreset) return `give partition ${name} a size of ${formatBytes(roundUp(needed, MIB))} or more`;
  const isSized = image.layout.name !== "efixbootldr" || mount === "/boot";
  if (!isSized) return `the layout gives ${name} a fixed size: put less below ${mount}`;
  const size =
    image.compat === undefined ? `${Math.ceil(needed / MIB)}M` : nixpkgsBootSize(start, start + needed);
  return `use --boot-size ${size} or more`;
}

function tooSmall(
  image: Image,
  partition: NumberedPartition,
  bits: number,
  size: number,
  smallest: number,
): DiskwrightError {
  return new DiskwrightError(
    "INVALID_SPEC",
    `partition ${partition.name} has ${formatBytes(size)}, too few for FAT${bits}, which needs ${formatBytes(smallest)}: ` +
      sizeRemedy(image, partition, smallest),
    { partition: partition.name },
  );
}

/** What accepts a tree all the same. */
export const REMEDY = "(--skip-unsupported leaves out what FAT cannot hold, --exclude any path)";
const REMEDY_ELSEWHERE = "(--exclude leaves paths out)";

/** A failure with the name of its partition, and paths as they are in the whole tree. */
function named(error: unknown, partition: NumberedPartition): unknown {
  const isOurs = error instanceof DiskwrightError && !(error instanceof DoesNotFitError);
  if (!isOurs || error.partition !== undefined) return error;
  const { name, mount = "", filesystem } = partition;
  const details = { partition: name, cause: error };
  // Two names that clash are told by both paths.
  const problems = error.problems.map((problem) =>
    mount === "/" ? problem : problem.replace(/^\/|(?<=^\/.* and )\/(?=.*: FAT cannot tell)/gs, `${mount}/`),
  );
  if (problems.length === 0) {
    return new DiskwrightError(error.code, `${where(partition)}: ${error.message}`, details);
  }
  const kind = filesystem?.type === "fat" ? "FAT" : "ext4";
  return problemsError(
    error.code,
    `${where(partition)}: ${kind} cannot hold the tree ${filesystem?.type === "fat" ? REMEDY : REMEDY_ELSEWHERE}`,
    problems,
    details,
  );
}
