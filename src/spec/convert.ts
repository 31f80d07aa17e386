import type { GivenEntry } from "../boot/index.ts";
import { parseTime } from "../bytes/index.ts";
import type { ContentReader } from "../extents/index.ts";
import { parseAttributes } from "../gpt/index.ts";
import { type FstabSource, type ImageSpec, image } from "../image/index.ts";
import {
  type Gap,
  type Layout,
  type LayoutFilesystem,
  type LayoutPartition,
  NIX_STORE_LABEL,
  type RawContent,
} from "../layouts/index.ts";
import { mbrTypeByte } from "../mbr/index.ts";
import { type Tree, treeOf } from "../tree/index.ts";
import { bytesOf, ext4TuningOf, maybe, namesOf } from "./fields.ts";
import type { FilesystemSpec, RootFilesystemSpec } from "./filesystem.ts";
import type { PartitionSpec } from "./partition.ts";
import type { Spec } from "./schema.ts";

// From a whole spec to what the library takes, and back.

function filesystemOf(spec: FilesystemSpec): LayoutFilesystem {
  const { type, label, uuid, serial, ...tuning } = spec;
  if (type === "fat" || type === "fat12" || type === "fat16" || type === "fat32") {
    const bits = type === "fat" ? "auto" : (Number(type.slice(3)) as 12 | 16 | 32);
    return { type: "fat", label, serial: maybe(serial, Number), bits };
  }
  return { type: "ext4", label, uuid, options: ext4TuningOf({ type, ...tuning }) };
}

/** What a partition holds that is not a part of the tree. */
export interface PartitionContent {
  readonly tree?: Tree | undefined;
  readonly raw?: RawContent | undefined;
}

/** What the files that a spec names hold, in the order of the spec. */
export interface SpecContent {
  readonly root: Tree;
  readonly partitions?: readonly PartitionContent[];
  readonly gaps?: readonly RawContent[];
  readonly bootCode?: Uint8Array | undefined;
  readonly reader?: ContentReader | undefined;
}

/** The entries of the boot menu that a spec names. */
export function bootEntriesOf({ bootEntries }: Spec): readonly GivenEntry[] | undefined {
  return bootEntries?.map(({ initrd, ...entry }) => ({
    ...entry,
    initrds: typeof initrd === "string" ? [initrd] : initrd,
  }));
}

/** What the library takes for a spec, with what its files hold. */
export function imageSpecOf(spec: Spec, content: SpecContent): ImageSpec {
  return {
    root: content.root,
    layout: spec.partitions === undefined ? spec.layout : layoutOf(spec, spec.partitions, content),
    size: spec.size,
    additionalSpace: spec.additionalSpace,
    sizeMultiple: maybe(spec.sizeMultiple, bytesOf),
    bootSize: spec.bootSize,
    label: spec.label ?? (spec.onlyNixStore && spec.partitions === undefined ? NIX_STORE_LABEL : undefined),
    seed: spec.seed,
    variant: variantOf(spec),
    time: maybe(spec.time, (time) => (typeof time === "number" ? time : parseTime(time))),
    sectorSize: spec.sectorSize,
    rootFilesystem: maybe(spec.filesystem, ext4TuningOf),
    diskGuid: spec.diskGuid,
    diskSignature: maybe(spec.diskSignature, Number),
    protectiveMbrBootable: spec.protectiveMbrBootable,
    rootGuid: spec.rootGuid,
    rootFilesystemUuid: spec.rootFsUuid,
    bootCode: content.bootCode,
    unsupported: spec.skipUnsupported ? "skip" : "error",
    fstab: fstabOf(spec.fstab),
    discoverable: spec.discoverable,
    compat: spec.compat,
    reader: content.reader,
  };
}

/** The fields of a spec that make another image of the same tree and layout. */
function variantOf(spec: Spec): string | undefined {
  const { bootloader, kernelOptions, unifiedKernels, bootTimeout, bootEntries, serialConsole, runInVm } =
    spec;
  const fields = { bootloader, kernelOptions, unifiedKernels, bootTimeout, bootEntries, serialConsole };
  const isPlain = runInVm === undefined && Object.values(fields).every((field) => field === undefined);
  return isPlain ? undefined : JSON.stringify({ ...fields, hasScript: runInVm !== undefined });
}

function fstabOf(fstab: Spec["fstab"]): FstabSource | undefined {
  if (fstab === undefined || fstab === false) return undefined;
  return fstab === true ? "uuid" : fstab;
}

function layoutOf(spec: Spec, partitions: readonly PartitionSpec[], content: SpecContent): Layout {
  const table = spec.table ?? "gpt";
  const names = namesFor(partitions);
  return {
    name: "custom",
    table,
    partitions: partitions.map((partition, index) =>
      partitionOf(partition, names[index]!, content.partitions?.[index] ?? {}),
    ),
    gaps: (spec.gaps ?? []).map(
      (gap, index): Gap => ({
        name: gap.name ?? gap.image.replace(/^.*[/\\]/s, ""),
        offset: bytesOf(gap.offset),
        maximum: maybe(gap.maximum, bytesOf),
        raw: content.gaps?.[index] ?? { content: { type: "bytes", size: 0, bytes: new Uint8Array(0) } },
      }),
    ),
    alignment: maybe(spec.alignment, bytesOf),
    endGap: maybe(spec.endGap, bytesOf),
    gptEntriesAt: maybe(spec.gptEntriesAt, bytesOf),
    protectiveMbrEntry: spec.protectiveMbrEntry,
  };
}

/** A name for each partition: its own, or by where it is mounted or its type, or by its place. */
function namesFor(partitions: readonly PartitionSpec[]): string[] {
  const taken = new Set(partitions.flatMap(({ name }) => name ?? []));
  return partitions.map(({ name, mount, type }, index) => {
    if (name !== undefined) return name;
    const isWord = typeof type === "string" && !/^(0x|[0-9a-f]{8}-)/i.test(type) && type !== "linux-generic";
    const place = mount === "/" ? "root" : mount?.slice(1).replaceAll("/", "-");
    const wanted = place ?? (isWord ? type : `partition-${index + 1}`);
    const own = taken.has(wanted) ? `${wanted}-${index + 1}` : wanted;
    taken.add(own);
    return own;
  });
}

function partitionOf(spec: PartitionSpec, name: string, content: PartitionContent): LayoutPartition {
  const { size = spec.image === undefined ? "rest" : "minimal", hybrid } = spec;
  const filesystem = maybe(spec.filesystem, filesystemOf);
  return {
    name,
    number: spec.number,
    type: spec.type ?? "linux-generic",
    start: maybe(spec.start, bytesOf),
    alignment: maybe(spec.alignment, bytesOf),
    size: size === "rest" || size === "minimal" ? size : bytesOf(size),
    weight: spec.weight,
    minimum: maybe(spec.minimum, bytesOf),
    maximum: maybe(spec.maximum, bytesOf),
    additionalSpace: maybe(spec.additionalSpace, bytesOf),
    bootable: spec.bootable,
    attributes: maybe(namesOf(spec.attributes), parseAttributes),
    hybrid: hybrid && { type: mbrTypeByte(hybrid.type), bootable: hybrid.bootable },
    guid: spec.guid,
    filesystem,
    mount: spec.mount,
    mountOptions: spec.fstabOptions,
    tree: content.tree,
    raw: content.raw,
  };
}

/** The fields of a spec that a layout in full takes the place of. */
const FOLDED = ["layout", "label", "rootGuid", "rootFsUuid", "filesystem", "diskGuid"] as const;

/** The spec with the preset that it names, or has by default, written out as partitions. */
export function expandPreset(spec: Spec): Spec {
  if (spec.partitions !== undefined) return spec;
  const { layout } = image(imageSpecOf(spec, { root: treeOf([]) }));
  const kept = Object.fromEntries(
    Object.entries(spec).filter(([name]) => !(FOLDED as readonly string[]).includes(name)),
  ) as Spec;
  const hasBoot = layout.partitions.length > 1 && layout.name !== "legacy+gpt";
  return {
    ...kept,
    // make-disk-image.nix reckons with the text of the boot size; elsewhere partitions have their sizes.
    bootSize: spec.compat === undefined || !hasBoot ? undefined : (spec.bootSize ?? "256M"),
    table: layout.table,
    diskGuid: spec.diskGuid ?? layout.diskGuid,
    alignment: layout.alignment,
    endGap: layout.endGap,
    partitions: layout.partitions.map((partition) => partitionSpec(partition, layout, spec.filesystem)),
  };
}

function partitionSpec(
  partition: LayoutPartition,
  layout: Layout,
  tuning: RootFilesystemSpec | undefined,
): PartitionSpec {
  const { name, number, type, start, size, bootable, attributes, guid, filesystem, mount } = partition;
  return given({
    name,
    number: layout.table === "none" ? undefined : number,
    type,
    start,
    size,
    bootable,
    attributes: attributes === undefined || attributes === 0n ? undefined : [`0x${attributes.toString(16)}`],
    guid,
    filesystem: filesystem && filesystemSpec(filesystem, mount === "/" ? tuning : undefined),
    mount,
  });
}

function filesystemSpec(filesystem: LayoutFilesystem, tuning: RootFilesystemSpec = {}): FilesystemSpec {
  const { label } = filesystem;
  if (filesystem.type === "fat") {
    const bits = filesystem.bits ?? 32;
    return given({
      type: bits === "auto" ? "fat" : (`fat${bits}` as const),
      label,
      serial: filesystem.serial,
    });
  }
  return given({ ...tuning, type: tuning.type ?? "ext4", label, uuid: filesystem.uuid });
}

function given<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}
