import { formatBytes, formatSize, largestOf, MIB, roundUp } from "../bytes/index.ts";
import { DiskwrightError, DoesNotFitError, problemsError } from "../errors.ts";
import { gptUsableRange } from "../gpt/index.ts";
import { backupGptSize, isLogical, type NumberedPartition } from "../layouts/index.ts";
import { type DiskRange, divide, type Share } from "../sizing/index.ts";
import { largest } from "./largest.ts";
import type { FilesystemPlan } from "./plan.ts";
import { planFilesystem, REMEDY, type Slot, tooSmallForTree } from "./slot.ts";
import type { Image } from "./spec.ts";

/** Disks with a table end on a multiple of this: hypervisors and clouds ask for it. */
const DISK_GRAIN: number = MIB;

/** What the disk is to be like, in bytes. */
export interface Wanted {
  /** The size of the disk. Default: the smallest that holds everything. */
  readonly size?: number;
  /** The least size of a disk whose size is computed. */
  readonly least?: number;
  /** What a computed size leaves free in the root filesystem. */
  readonly additionalSpace?: number;
}

/** Where all partitions lie, and the filesystems in them; both in the order of the layout. */
export interface Placement {
  readonly size: number;
  readonly ranges: readonly DiskRange[];
  readonly filesystems: readonly (FilesystemPlan | undefined)[];
}

/** What a partition needs at least, and how that was found. */
interface Need {
  readonly size: number;
  /** The smallest filesystem that holds the tree and the free space. */
  readonly smallest?: FilesystemPlan | undefined;
}

/**
 * Finds the place of every partition, and plans their filesystems. Sizes that are not fixed follow from what
 * the partitions hold.
 *
 * @throws DoesNotFitError in terms of the sizes that were given: of a partition, or of the disk.
 */
export function place(image: Image, slots: readonly Slot[], wanted: Wanted): Placement {
  try {
    return placeAll(image, slots, wanted);
  } catch (error) {
    throw isAboutTree(error) ? allProblems(image, slots, error) : error;
  }
}

function isAboutTree(error: unknown): error is DiskwrightError {
  return (
    error instanceof DiskwrightError && (error.code === "INVALID_TREE" || error.code === "UNSUPPORTED_ENTRY")
  );
}

/** What the filesystems cannot hold, all of them in one error. */
function allProblems(image: Image, slots: readonly Slot[], first: DiskwrightError): DiskwrightError {
  const errors = slots.flatMap((slot) => {
    const { size } = slot.partition;
    try {
      planFilesystem(image, slot, typeof size === "number" ? { size } : {});
    } catch (error) {
      if (isAboutTree(error)) return [error];
      // Whether it fits is another question.
      if (!(error instanceof DiskwrightError)) throw error;
    }
    return [];
  });
  if (errors.length < 2) return first;
  const code = errors.some((error) => error.code === "UNSUPPORTED_ENTRY")
    ? "UNSUPPORTED_ENTRY"
    : "INVALID_TREE";
  return problemsError(
    code,
    `the partitions cannot hold the tree ${REMEDY}`,
    errors.flatMap(({ problems, message }) => (problems.length === 0 ? [message] : problems)),
  );
}

function placeAll(image: Image, slots: readonly Slot[], wanted: Wanted): Placement {
  const needs = slots.map((slot) => needOf(image, slot, wanted, isContested(slots)));
  for (;;) {
    const size = wanted.size ?? smallestDisk(image, slots, needs, wanted.least ?? 0);
    const ranges = rangesOn(image, slots, needs, size, wanted);
    const filesystems: (FilesystemPlan | undefined)[] = [];
    let isSettled = true;
    for (const [index, slot] of slots.entries()) {
      const { start, end } = ranges[index]!;
      const { smallest } = needs[index]!;
      try {
        filesystems.push(planIn(image, slot, start, end - start, smallest, wanted));
      } catch (error) {
        if (!(error instanceof DoesNotFitError)) throw error;
        if (typeof slot.partition.size === "number") throw tooSmallForTree(image, slot, end - start, error);
        // From some size on a filesystem has a journal, so that not every larger one holds the tree.
        if (wanted.size !== undefined && slot.partition.size === "rest")
          throw fullDisk(image, slots, slot, error);
        const needed = roundUp(end - start + error.missingBytes, alignmentOf(image, slot.partition));
        needs[index] = { ...needs[index]!, size: needed };
        isSettled = false;
      }
    }
    if (isSettled) return { size, ranges, filesystems };
  }
}

/** Whether several partitions divide what is left: then each must be known to get what it needs. */
function isContested(slots: readonly Slot[]): boolean {
  return slots.filter(({ partition }) => partition.size === "rest").length > 1;
}

function needOf(image: Image, slot: Slot, wanted: Wanted, contested: boolean): Need {
  const { partition, tree } = slot;
  const { size, minimum = 0, raw } = partition;
  if (typeof size === "number") return { size };
  const alignment = alignmentOf(image, partition);
  if (raw !== undefined) return { size: roundUp(Math.max(raw.content.size, minimum, 1), alignment) };
  // The only one that takes the rest is tried in the room that there is; so is one with a least size.
  const isTried = size === "rest" && !contested && wanted.additionalSpace === undefined;
  if (tree === undefined || isTried) return { size: roundUp(Math.max(minimum, 1), alignment) };
  const smallest = planFilesystem(image, slot, { freeBytes: freeBytesOf(slot, wanted) })!;
  return { size: roundUp(Math.max(minimum, smallest.plan.size), alignment), smallest };
}

/** What a computed size leaves free in a partition. */
function freeBytesOf({ partition }: Slot, wanted: Wanted): number {
  const { additionalSpace, mount, size } = partition;
  if (size === "rest" && wanted.size !== undefined) return 0;
  return additionalSpace ?? (mount === "/" && size === "rest" ? (wanted.additionalSpace ?? 0) : 0);
}

function planIn(
  image: Image,
  slot: Slot,
  start: number,
  size: number,
  smallest: FilesystemPlan | undefined,
  wanted: Wanted,
): FilesystemPlan | undefined {
  if (smallest?.type === "ext4") {
    if (smallest.plan.size === size) return smallest;
    const inodes = smallest.plan.inventory.lastInode + smallest.plan.freeInodes;
    return planFilesystem(image, slot, { start, size, freeBytes: freeBytesOf(slot, wanted), inodes });
  }
  return planFilesystem(image, slot, { start, size });
}

function alignmentOf({ layout }: Image, { alignment }: NumberedPartition): number {
  return alignment ?? layout.alignment ?? (layout.table === "none" ? 1 : MIB);
}

function sharesOf(image: Image, slots: readonly Slot[], needs: readonly Need[]): Share[] {
  return slots.map(({ partition }, index) => {
    const { name, start, weight = 1, maximum = Number.POSITIVE_INFINITY, size } = partition;
    const minimum = needs[index]!.size;
    if (minimum > maximum) {
      throw new DoesNotFitError(
        `partition ${name} needs ${formatBytes(minimum)}, its maximum is ${formatBytes(maximum)}: raise it`,
        minimum - maximum,
        { partition: name },
      );
    }
    const alignment = alignmentOf(image, partition);
    return {
      name,
      start: image.layout.table === "none" ? 0 : start,
      alignment,
      // The extended boot record of a logical partition lies before it.
      lead: isLogical(image.layout, partition) ? Math.min(alignment, DISK_GRAIN) : 0,
      minimum,
      maximum,
      weight: size === "rest" ? weight : 0,
    };
  });
}

/** Where partitions can start: behind the table, and behind what lies there outside of partitions. */
function firstByte({ layout, sectorSize }: Image): number {
  const { start = Number.POSITIVE_INFINITY } = layout.partitions[0]!;
  if (layout.table === "none") return 0;
  let first: number = sectorSize;
  if (layout.table === "gpt") {
    const standard = gptUsableRange({ sectorSize, sectors: DISK_GRAIN / sectorSize }).firstUsableLba;
    first =
      layout.gptEntriesAt === undefined
        ? standard * sectorSize
        : layout.gptEntriesAt + (standard - 2) * sectorSize;
  }
  for (const { offset, raw } of [...(layout.gaps ?? [])].sort((a, b) => a.offset - b.offset)) {
    if (offset <= roundUp(first, MIB) && offset < start)
      first = Math.max(first, roundUp(offset + raw.content.size, sectorSize));
  }
  return first;
}

function endGapOf({ layout, sectorSize }: Image): number {
  return layout.endGap ?? (layout.table === "gpt" ? backupGptSize(sectorSize) : 0);
}

/** The smallest disk, in whole mebibytes where it has a table, on which every partition gets what it needs. */
function smallestDisk(image: Image, slots: readonly Slot[], needs: readonly Need[], least: number): number {
  const ranges = divide(sharesOf(image, slots, needs), { first: firstByte(image) });
  const end = largestOf([
    ranges.at(-1)!.end,
    ...(image.layout.gaps ?? []).map(({ offset, raw }) => offset + raw.content.size),
  ]);
  if (image.layout.table === "none") return roundUp(Math.max(least, end), image.sizeMultiple);
  const grain = alignmentOf(image, slots.at(-1)!.partition);
  const whole = roundUp(roundUp(end, grain) + endGapOf(image), DISK_GRAIN);
  return roundUp(Math.max(least, whole), image.sizeMultiple);
}

function rangesOn(
  image: Image,
  slots: readonly Slot[],
  needs: readonly Need[],
  size: number,
  wanted: Wanted,
): DiskRange[] {
  try {
    return divide(sharesOf(image, slots, needs), { first: firstByte(image), end: size - endGapOf(image) });
  } catch (error) {
    if (!(error instanceof DoesNotFitError) || wanted.size === undefined) throw error;
    throw fullDisk(image, slots, slots.at(-1)!, error);
  }
}

/** A disk of fixed size that is too small, told in terms of the size that was given. */
function fullDisk(image: Image, slots: readonly Slot[], slot: Slot, cause: DoesNotFitError): DiskwrightError {
  const size = image.size!;
  const least = place(image, slots, { least: size });
  const missing = least.size - size;
  const index = slots.indexOf(slot);
  const { start, end } = least.ranges[index]!;
  const needed = end - start;
  const filesystem = least.filesystems[index];
  const uses = filesystem?.type === "ext4" ? ` (${usesOf(filesystem)})` : "";
  const around = least.size - needed;
  // make-disk-image.nix counts the size of the disk in mebibytes.
  const inMebibytes = image.compat === undefined ? "" : ` (--size ${Math.ceil(least.size / MIB)})`;
  return new DoesNotFitError(
    `the tree does not fit: a disk of ${formatBytes(size)} is ${formatBytes(missing)} too small, use at least ` +
      `${formatBytes(least.size)}${inMebibytes}: partition ${slot.partition.name} needs ${formatSize(needed)}${uses}` +
      `${around > 0 ? `, what is around it ${formatSize(around)}` : ""}${slot.tree === undefined ? "" : largest(slot.tree)}`,
    missing,
    { partition: slot.partition.name, cause },
  );
}

function usesOf({ plan }: Extract<FilesystemPlan, { type: "ext4" }>): string {
  const { files, directories, inodeTables, journal } = plan.usage;
  const uses = [
    `files ${formatSize(files)}`,
    `directories ${formatSize(directories)}`,
    `inodes ${formatSize(inodeTables)}`,
    ...(journal > 0 ? [`journal ${formatSize(journal)}`] : []),
  ];
  return uses.join(", ");
}
