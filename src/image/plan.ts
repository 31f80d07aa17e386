import { checkArgument } from "../arguments/index.ts";
import { appendAll, formatBytes } from "../bytes/index.ts";
import type { Ext4Plan } from "../ext4/index.ts";
import type { FatPlan } from "../fat32/index.ts";
import { type GptPlan, PARTITION_ATTRIBUTES } from "../gpt/index.ts";
import type { Gap, NumberedPartition, RawContent } from "../layouts/index.ts";
import type { MbrPlan } from "../mbr/index.ts";
import { nixpkgsEstimate, nixpkgsReserved } from "../sizing/index.ts";
import { alignmentWarnings } from "./alignment.ts";
import { imageKind } from "./arguments.ts";
import { assignTree } from "./assign.ts";
import { checkFeatures, placedBoot } from "./boot.ts";
import { type Placement, place } from "./place.ts";
import { checkRoom } from "./room.ts";
import type { Slot } from "./slot.ts";
import type { Image } from "./spec.ts";
import { planTable } from "./table.ts";

/** The plan of the filesystem in a partition. */
export type FilesystemPlan =
  | { readonly type: "ext4"; readonly plan: Ext4Plan }
  | { readonly type: "fat"; readonly plan: FatPlan };

/** A partition with its place. Offsets and sizes are in bytes. */
export interface PartitionPlan {
  readonly number: number;
  readonly name: string;
  /** What a GPT calls it. */
  readonly gptName: string;
  /** The name or GUID of a GPT type, or the name or byte of an MBR type. */
  readonly type: string | number;
  readonly guid: string | undefined;
  readonly bootable: boolean;
  readonly attributes: bigint;
  readonly hybrid: NumberedPartition["hybrid"];
  readonly offset: number;
  readonly size: number;
  readonly mount: string | undefined;
  readonly filesystem: FilesystemPlan | undefined;
  readonly raw: RawContent | undefined;
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
  /** What lies outside of all partitions. */
  readonly gaps: readonly Gap[];
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
  checkArgument("image", image, imageKind);
  const { layout, sectorSize } = image;
  const warnings: string[] = [...(image.boot?.warnings ?? [])];
  const trees = assignTree(image, warnings);
  const slots = layout.partitions.map((partition): Slot => ({ partition, tree: trees.get(partition.name) }));
  const { size, ranges, filesystems } = placed(image, slots, warnings);
  const partitions = layout.partitions
    .map((partition, index): PartitionPlan => {
      const { start, end } = ranges[index]!;
      return partitionPlan(image, partition, start, end - start, filesystems[index]);
    })
    .sort((a, b) => a.number - b.number);
  for (const { name, filesystem } of partitions) {
    if (filesystem !== undefined)
      appendAll(
        warnings,
        filesystem.plan.warnings.map((text) => `${name}: ${text}`),
      );
    if (filesystem?.type === "fat")
      appendAll(
        warnings,
        filesystem.plan.skipped.map((path) => `${name}: left out ${path}`),
      );
  }
  for (const warning of alignmentWarnings(image, partitions)) warnings.push(warning);
  checkFeatures(image, partitions, warnings);
  const gaps = byOffset(layout.gaps ?? []);
  const raw = image.boot?.raw;
  const boot =
    raw === undefined
      ? { partitions, gaps, bootCode: image.bootCode }
      : placedBoot(image, raw, partitions, gaps);
  const table = planTable(image, size / sectorSize, boot);
  const planned = { image, size, table, partitions: boot.partitions, gaps: boot.gaps, warnings };
  checkRoom(planned);
  return planned;
}

function byOffset(gaps: readonly Gap[]): Gap[] {
  return [...gaps].sort((a, b) => a.offset - b.offset);
}

function placed(image: Image, slots: readonly Slot[], warnings: string[]): Placement {
  if (image.size !== undefined) return place(image, slots, { size: image.size });
  if (image.compat === undefined) return place(image, slots, { additionalSpace: image.additionalSpace });
  // What the formula of make-disk-image.nix gives, or what is needed where that is less.
  const reserved = nixpkgsReserved(image.layout.table, image.bootSize);
  const { diskSize } = nixpkgsEstimate(image.root, image.additionalSpace, reserved);
  const placement = place(image, slots, { least: diskSize });
  if (placement.size > diskSize) {
    warnings.push(
      `make-disk-image.nix would make a disk of ${formatBytes(diskSize)}, which is too small for the tree: ` +
        `it gets ${formatBytes(placement.size)}`,
    );
  }
  return placement;
}

function partitionPlan(
  image: Image,
  partition: NumberedPartition,
  offset: number,
  size: number,
  filesystem: FilesystemPlan | undefined,
): PartitionPlan {
  const { name, gptName = name, number, type, bootable = false, hybrid, mount, raw } = partition;
  // What an MBR has as a flag, a GPT has as an attribute.
  const isActive = bootable && image.layout.table === "gpt";
  const attributes = (partition.attributes ?? 0n) | (isActive ? PARTITION_ATTRIBUTES.legacyBootable : 0n);
  const guid = partition.guid ?? image.identity.uuid(`partition/${name}`);
  return {
    number,
    name,
    gptName,
    type,
    guid: image.layout.table === "gpt" ? guid : undefined,
    bootable,
    attributes,
    hybrid,
    offset,
    size,
    mount,
    filesystem,
    raw,
  };
}
