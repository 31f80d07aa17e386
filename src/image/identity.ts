import { hex, type Identity, identity } from "../bytes/index.ts";
import type { LayoutFilesystem, LayoutPartition, NumberedLayout, RawContent } from "../layouts/index.ts";
import { type Tree, treeDigest } from "../tree/index.ts";
import type { Image, ImageSpec } from "./spec.ts";

/** What an image is made of, as far as it decides the identity. */
export interface IdentityParts {
  readonly spec: ImageSpec;
  readonly layout: NumberedLayout;
  readonly sizes: Pick<Image, "size" | "additionalSpace">;
  readonly sectorSize: number;
}

/** What the identifiers of `compat` images are derived from, as far as make-disk-image.nix does not fix them. */
const COMPAT_SEED = "diskwright";

/**
 * What the identifiers of an image are derived from: its seed, or else its description and the metadata of what it
 * holds, so that two systems have different ones, and the same input always has the same. What is generated from
 * identifiers, such as /etc/fstab and the files of a boot loader, cannot count. The format of the output, the name of
 * a preset, and the place of a source on the host do not count either.
 */
export function imageIdentity({ spec, layout, sizes, sectorSize }: IdentityParts): Identity {
  if (spec.seed !== undefined) return identity(spec.seed);
  if (spec.compat !== undefined) return identity(COMPAT_SEED);
  const { time } = spec;
  const { partitions, gaps = [], name: _preset, diskGuid, ...ofLayout } = layout;
  const isFatOnly = partitions.every(({ filesystem }) => filesystem === undefined || isFat(filesystem));
  const description = {
    ...ofLayout,
    size: sizes.size,
    additionalSpace: sizes.additionalSpace,
    sectorSize,
    time,
    diskGuid: spec.diskGuid ?? diskGuid,
    diskSignature: spec.diskSignature,
    bootCode: spec.bootCode && hex(spec.bootCode),
    unsupported: spec.unsupported === "skip" ? "skip" : undefined,
    fstab: spec.fstab,
    discoverable: spec.discoverable,
    variant: spec.variant,
    root: digest(spec.root, isFatOnly, time),
    partitions: partitions.map((partition) => partitionDescription(partition, time)),
    gaps: gaps.map(({ offset, raw }) => ({ offset, raw: rawDescription(raw) })),
  };
  return identity(`image/${canonicalJson(description)}`);
}

function partitionDescription(partition: LayoutPartition, time: number | undefined): object {
  const { filesystem, tree, raw, attributes = 0n, bootable, ...rest } = partition;
  return {
    ...rest,
    attributes: attributes === 0n ? undefined : attributes.toString(),
    bootable: bootable === true ? true : undefined,
    filesystem: filesystem && filesystemDescription(filesystem),
    tree: tree && digest(tree, filesystem !== undefined && isFat(filesystem), time),
    raw: raw && rawDescription(raw),
  };
}

/** A filesystem with the defaults that can also be written out. */
function filesystemDescription(filesystem: LayoutFilesystem): object {
  if (isFat(filesystem)) return { ...filesystem, bits: filesystem.bits ?? 32 };
  return { ...filesystem, options: { ...filesystem.options, type: filesystem.options?.type ?? "ext4" } };
}

function isFat(filesystem: LayoutFilesystem): filesystem is Extract<LayoutFilesystem, { type: "fat" }> {
  return filesystem.type === "fat";
}

function rawDescription({ content }: RawContent): object {
  return { size: content.size };
}

/** On FAT no owners, modes and links are stored. */
function digest(tree: Tree, isFatOnly: boolean, time: number | undefined): string {
  return treeDigest(tree, { stored: isFatOnly ? "names" : "all", time });
}

/** JSON in which the order of fields makes no difference, nor a field that is undefined or an empty object. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) => {
    if (typeof field !== "object" || field === null || Array.isArray(field)) return field;
    const fields = Object.entries(field).filter(([, inner]) => !isNothing(inner));
    return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function isNothing(value: unknown): boolean {
  if (value === undefined) return true;
  return typeof value === "object" && value !== null && Object.values(value).every(isNothing);
}
