import { formatBytes, formatSize, MIB } from "../bytes/index.ts";
import { DiskwrightError, DoesNotFitError, problemsError } from "../errors.ts";
import { type Ext4Options, type Ext4Plan, planExt4 } from "../ext4/index.ts";
import { type FatPlan, planFat, smallestFat } from "../fat32/index.ts";
import { type GptPlan, planGpt } from "../gpt/index.ts";
import type { Layout, LayoutPartition } from "../layouts/index.ts";
import { type MbrPlan, planMbr } from "../mbr/index.ts";
import { diskSizeFor, largestPaths, nixpkgsEstimate, restOf } from "../sizing/index.ts";
import type { Tree } from "../tree/index.ts";
import { assignTree } from "./assign.ts";
import type { Image } from "./spec.ts";

/** The plan of the filesystem in a partition. */
export type FilesystemPlan =
  | { readonly type: "ext4"; readonly plan: Ext4Plan }
  | { readonly type: "fat"; readonly plan: FatPlan };

/** A partition with its place. Offsets and sizes are in bytes. */
export interface PartitionPlan {
  readonly number: number;
  readonly name: string;
  /** The name or GUID of a GPT type, or the type byte of an MBR. */
  readonly type: string | number;
  readonly guid: string | undefined;
  readonly bootable: boolean;
  readonly offset: number;
  readonly size: number;
  readonly mount: string | undefined;
  readonly filesystem: FilesystemPlan | undefined;
}

/** The plan of the partition table. */
export type TablePlan =
  | { readonly type: "gpt"; readonly plan: GptPlan }
  | { readonly type: "mbr"; readonly plan: MbrPlan }
  | { readonly type: "none" };

/** A whole image, decided to the last byte, with nothing written yet. */
export interface ImagePlan {
  readonly image: Image;
  /** Bytes of the disk. */
  readonly size: number;
  readonly table: TablePlan;
  /** By number. A bare filesystem is one partition, number 0. */
  readonly partitions: readonly PartitionPlan[];
  /** What the maker of the image should know. */
  readonly warnings: readonly string[];
}

/**
 * Decides where everything of an image lies. Pure and synchronous; no content is read.
 *
 * @throws DoesNotFitError when the tree is larger than the room; it says by how many bytes and what takes it.
 * @throws DiskwrightError when the tree or the layout cannot be stored as asked.
 */
export function plan(image: Image): ImagePlan {
  const { layout, sectorSize } = image;
  const warnings: string[] = [];
  const trees = assignTree(image.root, layout, image.time);
  const before = layout.partitions.slice(0, -1).map((partition): PartitionPlan => {
    const { start } = partition;
    const size = (partition.end as number) - start;
    const filesystem = planFatPartition(image, partition, trees.get(partition.name), size);
    return partitionPlan(image, partition, start, size, filesystem);
  });

  const last = layout.partitions.at(-1)!;
  const tree = trees.get(last.name)!;
  const { size, root } = planRoot(image, last, tree, warnings);
  const { start, end } = restOf(layout, size);
  const rootPlan = partitionPlan(image, last, start, end - start, { type: "ext4", plan: root });
  const partitions = [...before, rootPlan].sort((a, b) => a.number - b.number);
  for (const { name, filesystem } of partitions) {
    if (filesystem !== undefined)
      warnings.push(...filesystem.plan.warnings.map((text) => `${name}: ${text}`));
    if (filesystem?.type === "fat")
      warnings.push(...filesystem.plan.skipped.map((path) => `${name}: left out ${path}`));
  }
  const table = planTable(image, size / sectorSize, partitions);
  return { image, size, table, partitions, warnings };
}

function partitionPlan(
  image: Image,
  partition: LayoutPartition,
  offset: number,
  size: number,
  filesystem: FilesystemPlan | undefined,
): PartitionPlan {
  const { name, number, type, bootable = false, mount } = partition;
  const own = mount === "/" ? image.rootGuid : undefined;
  const guid = own ?? partition.guid ?? image.identity.uuid(`partition/${name}`);
  return {
    number,
    name,
    type,
    guid: image.layout.table === "gpt" ? guid : undefined,
    bootable,
    offset,
    size,
    mount,
    filesystem,
  };
}

function planFatPartition(
  image: Image,
  partition: LayoutPartition,
  tree: Tree | undefined,
  size: number,
): FilesystemPlan | undefined {
  const { name, start, filesystem } = partition;
  if (filesystem === undefined || tree === undefined) return undefined;
  const smallest = smallestFat(32, image.sectorSize);
  if (size < smallest) throw tooSmall(image, partition, size, smallest);
  try {
    const fat = planFat(tree, {
      size,
      bits: 32,
      sectorSize: image.sectorSize,
      label: filesystem.label,
      serial: image.identity.serial(`filesystem/${name}`),
      hiddenSectors: start / image.sectorSize,
      time: image.time,
      unsupported: image.unsupported,
    });
    return { type: "fat", plan: fat };
  } catch (error) {
    throw fatError(error, image, partition, tree, size);
  }
}

/** Says which boot size would do, in the terms in which it is given. */
function bootSizeRemedy(image: Image, { start, name, mount }: LayoutPartition, needed: number): string {
  const isSized = image.layout.name !== "efixbootldr" || mount === "/boot";
  if (!isSized) return `the layout gives ${name} a fixed size: put less below ${mount}`;
  // make-disk-image.nix takes the boot size for where the partition ends.
  const size = Math.ceil((image.compat === undefined ? needed : start + needed) / MIB);
  return `use --boot-size ${size}${image.compat === undefined ? "M" : "MiB"} or more`;
}

function tooSmall(image: Image, partition: LayoutPartition, size: number, smallest: number): DiskwrightError {
  return new DiskwrightError(
    "INVALID_SPEC",
    `partition ${partition.name} has ${formatBytes(size)}, too few for FAT32, which needs ${formatBytes(smallest)}: ` +
      bootSizeRemedy(image, partition, smallest),
    { partition: partition.name },
  );
}

/** A failure of a boot partition, with its name, and paths as they are in the whole tree. */
function fatError(
  error: unknown,
  image: Image,
  partition: LayoutPartition,
  tree: Tree,
  size: number,
): unknown {
  if (!(error instanceof DiskwrightError)) return error;
  const { name, mount } = partition;
  const where = `partition ${name} at ${mount}`;
  const details = { partition: name, cause: error };
  if (error instanceof DoesNotFitError) {
    const remedy = bootSizeRemedy(image, partition, size + error.missingBytes);
    return new DoesNotFitError(
      `${where}: ${error.message}; ${remedy}${largest(tree)}`,
      error.missingBytes,
      details,
    );
  }
  const problems = error.problems.map((problem) =>
    problem.startsWith("/") ? `${mount}${problem}` : problem,
  );
  if (problems.length === 0) return new DiskwrightError(error.code, `${where}: ${error.message}`, details);
  const remedy =
    error.code === "UNSUPPORTED_ENTRY" ? " (--skip-unsupported leaves out what it cannot hold)" : "";
  return problemsError(error.code, `${where}: FAT cannot hold the tree${remedy}`, problems, details);
}

/** The size of the disk and the root filesystem on it, either of which can follow from the other. */
function planRoot(
  image: Image,
  partition: LayoutPartition,
  tree: Tree,
  warnings: string[],
): { readonly size: number; readonly root: Ext4Plan } {
  const { layout } = image;
  const options: Ext4Options = {
    ...image.rootFilesystem,
    uuid: image.rootFilesystemUuid ?? image.identity.uuid(`filesystem/${partition.name}`),
    label: partition.filesystem!.label,
    time: image.time,
  };
  try {
    const size =
      image.size ?? (image.compat === undefined ? undefined : nixpkgsSize(image, tree, options, warnings));
    if (size === undefined) return smallestDisk(layout, tree, options, image.additionalSpace);
    const { start, end } = restOf(layout, size);
    return { size, root: planExt4(tree, { ...options, size: end - start }) };
  } catch (error) {
    throw rootError(error, image, partition, tree, options);
  }
}

interface RootOnDisk {
  /** Bytes of the disk. */
  readonly size: number;
  readonly root: Ext4Plan;
}

/** The smallest disk whose root filesystem holds the tree and so much free space. */
function smallestDisk(layout: Layout, tree: Tree, options: Ext4Options, freeBytes: number): RootOnDisk {
  const root = planExt4(tree, { ...options, freeBytes });
  const size = diskSizeFor(layout, root.size);
  if (layout.table === "none") return { size, root };
  const inodes = root.inventory.lastInode + root.freeInodes;
  return diskFrom(layout, tree, { ...options, freeBytes, inodes }, size);
}

/**
 * The smallest disk of at least `size` bytes that holds the tree. Not every larger one does: from some size
 * on a filesystem has a journal, so that whole mebibytes can make it too small.
 */
function diskFrom(layout: Layout, tree: Tree, options: Ext4Options, size: number): RootOnDisk {
  const { start, end } = restOf(layout, size);
  try {
    return { size, root: planExt4(tree, { ...options, size: end - start }) };
  } catch (error) {
    if (!(error instanceof DoesNotFitError)) throw error;
    return diskFrom(layout, tree, options, diskSizeFor(layout, end - start + error.missingBytes));
  }
}

/** What the formula of make-disk-image.nix gives, or what is needed where that is less. */
function nixpkgsSize(image: Image, tree: Tree, options: Ext4Options, warnings: string[]): number {
  const { layout } = image;
  const { diskSize } = nixpkgsEstimate(image.root, layout.name, image.additionalSpace, image.bootSize);
  const { size: needed } = diskFrom(layout, tree, options, Math.max(diskSize, diskSizeFor(layout, 1)));
  if (needed <= diskSize) return diskSize;
  warnings.push(
    `make-disk-image.nix would make a disk of ${formatBytes(diskSize)}, which is too small for the tree: ` +
      `it gets ${formatBytes(needed)}`,
  );
  return needed;
}

/** A root filesystem that does not fit, told in terms of the disk whose size the user gave. */
function rootError(
  error: unknown,
  image: Image,
  partition: LayoutPartition,
  tree: Tree,
  options: Ext4Options,
): unknown {
  if (!(error instanceof DoesNotFitError) || image.size === undefined) return error;
  const { layout, size } = image;
  const { size: needed, root: least } = diskFrom(
    layout,
    tree,
    options,
    Math.max(size, diskSizeFor(layout, 1)),
  );
  const missing = needed - size;
  const { files, directories, inodeTables, journal } = least.usage;
  const before = needed - least.size;
  return new DoesNotFitError(
    `the tree does not fit: a disk of ${formatBytes(image.size)} is ${formatBytes(missing)} too small, use at least ` +
      `${formatBytes(needed)}: partition ${partition.name} needs ${formatSize(least.size)} (files ${formatSize(files)}, ` +
      `directories ${formatSize(directories)}, inodes ${formatSize(inodeTables)}` +
      `${journal > 0 ? `, journal ${formatSize(journal)}` : ""})` +
      `${before > 0 ? `, what is around it ${formatSize(before)}` : ""}${largest(tree)}`,
    missing,
    { partition: partition.name, cause: error },
  );
}

const LISTED_PATHS = 5;

function largest(tree: Tree): string {
  const paths = largestPaths(tree, LISTED_PATHS).map(
    ({ path, bytes }) => `\n  ${formatSize(bytes).padStart(12)}  ${path}`,
  );
  return paths.length === 0 ? "" : `\nlargest paths:${paths.join("")}`;
}

function planTable(image: Image, sectors: number, partitions: readonly PartitionPlan[]): TablePlan {
  const { layout, sectorSize } = image;
  switch (layout.table) {
    case "none":
      return { type: "none" };
    case "mbr": {
      const entries = partitions.map(({ number, type, bootable, offset, size }) => ({
        number,
        type: type as number,
        bootable,
        firstLba: offset / sectorSize,
        sectors: size / sectorSize,
      }));
      const { geometry } = layout;
      const disk = { sectors, sectorSize, signature: image.diskSignature, partitions: entries };
      return { type: "mbr", plan: planMbr(geometry === undefined ? disk : { ...disk, geometry }) };
    }
    case "gpt": {
      const entries = partitions.map(({ number, name, type, guid, offset, size }) => ({
        number,
        name,
        type: type as string,
        guid: guid!,
        firstLba: offset / sectorSize,
        lastLba: (offset + size) / sectorSize - 1,
      }));
      return {
        type: "gpt",
        plan: planGpt({ sectors, sectorSize, diskGuid: image.diskGuid, partitions: entries }),
      };
    }
  }
}
