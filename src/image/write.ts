import { checkArgument } from "../arguments/index.ts";
import { ext4Runs, ext4Written, writeExt4 } from "../ext4/index.ts";
import {
  type ByteRange,
  type CancelSignal,
  type ContentReader,
  type Extent,
  merged,
  type ProgressListener,
  shifted,
  type Target,
} from "../extents/index.ts";
import { fatWritten, writeFat } from "../fat32/index.ts";
import { type FormatName, type HashLoader, type Output, writeDisk } from "../formats/index.ts";
import { writeGpt } from "../gpt/index.ts";
import type { RawContent } from "../layouts/index.ts";
import { writeMbr } from "../mbr/index.ts";
import type { PackerFactory } from "../packing/index.ts";
import { imagePlanKind, targetOrOutputs, writeOptionsKind } from "./arguments.ts";
import { imageFree } from "./free.ts";
import type { FilesystemPlan, ImagePlan, PartitionPlan, TablePlan } from "./plan.ts";
import { tableRanges } from "./table-ranges.ts";

/** How an image is written. */
export interface WriteOptions {
  /** With one target: its format. Default `raw`. */
  readonly format?: FormatName | undefined;
  readonly signal?: CancelSignal | undefined;
  /** Told how far the writing is, in bytes of content and metadata: holes and free space are not counted. */
  readonly onProgress?: ProgressListener | undefined;
  /** What packs. Default: a package, in the thread of the caller; `diskwright/node` has one with threads. */
  readonly packers?: PackerFactory | undefined;
  /** SHA-256. Default: a package. */
  readonly hash?: HashLoader | undefined;
  /** Writes formats that cannot say the sector size of the disk as well, with a warning. Default: they are refused. */
  readonly ignoreSectorSize?: boolean | undefined;
  /** Bytes of a physical sector, for formats that say it. Default 4096. */
  readonly physicalSectorSize?: 512 | 4096 | undefined;
  /** Called with what whoever wrote the image should know. */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

/**
 * Writes a planned image into a target, or into several as different formats, in one ascending pass over its
 * content. The targets are committed when everything is written, and aborted otherwise.
 *
 * @throws DiskwrightError `SOURCE_CHANGED` or `SOURCE_UNREADABLE` for content that is not what was planned,
 *   `INVALID_SPEC` for a disk that a format cannot hold, `ABORTED` when the signal asked for it, and what the
 *   targets throw.
 */
export async function write(
  plan: ImagePlan,
  target: Target | readonly Output[],
  options: WriteOptions = {},
): Promise<void> {
  checkArgument("plan", plan, imagePlanKind);
  checkArgument("target", target, targetOrOutputs);
  checkArgument("options", options, writeOptionsKind);
  const { format, ...writing } = options;
  if (isOutputs(target) && format !== undefined) {
    throw new TypeError("options.format is for one target: of several outputs each has its own");
  }
  const { identity, time, sectorSize } = plan.image;
  const outputs = isOutputs(target) ? target : [{ format, target }];
  const disk = {
    size: plan.size,
    extents: () => imageExtents(plan),
    free: () => imageFree(plan),
    runs: () => imageRuns(plan),
    written: () => imageWritten(plan),
  };
  await writeDisk(disk, outputs, {
    ...writing,
    sectorSize,
    time,
    seed: identity.uuid("container"),
    reader: readerOf(plan),
  });
}

function isOutputs(target: Target | readonly Output[]): target is readonly Output[] {
  return Array.isArray(target);
}

/** What opens the files of the host that an image is made of. */
function readerOf({ image, partitions }: ImagePlan): ContentReader | undefined {
  const trees = [image.root, ...partitions.flatMap(({ filesystem }) => filesystem?.plan.tree ?? [])];
  return image.reader ?? trees.find(({ reader }) => reader !== undefined)?.reader;
}

/** The extents of a whole image, in ascending order. */
export function imageExtents(plan: ImagePlan): Iterable<Extent> {
  return merged(contentExtents(plan), tableExtents(plan.table));
}

/** What lies in partitions and between them, in ascending order. */
function* contentExtents(plan: ImagePlan): Generator<Extent> {
  for (const { offset, filesystem, raw } of partsInOrder(plan)) {
    if (filesystem !== undefined) yield* shifted(filesystemExtents(filesystem), offset);
    else if (raw !== undefined) yield* rawExtents(raw, offset);
  }
}

type Part = Pick<PartitionPlan, "offset" | "filesystem" | "raw">;

/** Partitions and what lies outside of them, by where they start. */
function partsInOrder({ partitions, gaps }: ImagePlan): Part[] {
  const parts: Part[] = [
    ...partitions,
    ...gaps.map(({ offset, raw }) => ({ offset, raw, filesystem: undefined })),
  ];
  return parts.sort((a, b) => a.offset - b.offset);
}

/** Where the content of ext4 filesystems lies with no gap between it. */
function* imageRuns({ partitions }: ImagePlan): Generator<ByteRange> {
  for (const { offset, filesystem } of partitions) {
    if (filesystem?.type !== "ext4") continue;
    for (const { position, length } of ext4Runs(filesystem.plan))
      yield { position: offset + position, length };
  }
}

function* rawExtents({ content, data }: RawContent, at: number): Generator<Extent> {
  const ranges = data ?? (content.size === 0 ? [] : [{ offset: 0, length: content.size }]);
  for (const { offset, length } of ranges) yield { position: at + offset, length, source: content, offset };
}

function tableExtents(table: TablePlan): Iterable<Extent> {
  if (table.type === "gpt") return writeGpt(table.plan);
  return table.type === "mbr" ? writeMbr(table.plan) : [];
}

function filesystemExtents(filesystem: FilesystemPlan): Iterable<Extent> {
  return filesystem.type === "ext4" ? writeExt4(filesystem.plan) : writeFat(filesystem.plan);
}

/** About where something is written, ascending. */
function imageWritten(plan: ImagePlan): Iterable<ByteRange> {
  const tables = tableRanges(plan).map(({ offset, length }) => ({ position: offset, length }));
  return merged(
    contentWritten(plan),
    tables.sort((a, b) => a.position - b.position),
  );
}

function* contentWritten(plan: ImagePlan): Generator<ByteRange> {
  for (const { offset, filesystem, raw } of partsInOrder(plan)) {
    if (filesystem !== undefined) {
      for (const { position, length } of filesystemWritten(filesystem))
        yield { position: offset + position, length };
    } else if (raw !== undefined) yield* rawExtents(raw, offset);
  }
}

function filesystemWritten(filesystem: FilesystemPlan): Iterable<ByteRange> {
  return filesystem.type === "ext4" ? ext4Written(filesystem.plan) : fatWritten(filesystem.plan);
}
