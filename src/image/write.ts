import { ext4Runs, writeExt4 } from "../ext4/index.ts";
import {
  type ByteRange,
  type CancelSignal,
  type ContentReader,
  type Extent,
  merged,
  shifted,
  type Target,
} from "../extents/index.ts";
import { writeFat } from "../fat32/index.ts";
import { type FormatName, type HashLoader, type Output, writeDisk } from "../formats/index.ts";
import { writeGpt } from "../gpt/index.ts";
import type { RawContent } from "../layouts/index.ts";
import { writeMbr } from "../mbr/index.ts";
import type { PackerFactory } from "../packing/index.ts";
import type { FilesystemPlan, ImagePlan, TablePlan } from "./plan.ts";

/** How far the writing is, in bytes; holes are not counted. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

/** What {@link write} can be told. */
export interface WriteOptions {
  /** With one target: its format. Default `raw`. */
  readonly format?: FormatName | undefined;
  readonly signal?: CancelSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** What packs. Default: a package, in the thread of the caller; `diskwright/node` has one with threads. */
  readonly packers?: PackerFactory | undefined;
  /** SHA-256. Default: a package. */
  readonly hash?: HashLoader | undefined;
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
  const { format, signal, onProgress, packers, hash } = options;
  const { identity, time } = plan.image;
  const total = writtenBytes(plan);
  const outputs = isOutputs(target) ? target : [{ format, target }];
  const disk = { size: plan.size, extents: () => imageExtents(plan), runs: () => imageRuns(plan) };
  await writeDisk(disk, outputs, {
    signal,
    packers,
    hash,
    time,
    seed: identity.uuid("container"),
    reader: readerOf(plan),
    onProgress: onProgress && ((written) => onProgress({ done: Math.min(written, total), total })),
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
function* contentExtents({ partitions, gaps }: ImagePlan): Generator<Extent> {
  const parts = [
    ...partitions.map(({ offset, filesystem, raw }) => ({ offset, filesystem, raw })),
    ...gaps.map(({ offset, raw }) => ({ offset, raw, filesystem: undefined })),
  ];
  for (const { offset, filesystem, raw } of parts.sort((a, b) => a.offset - b.offset)) {
    if (filesystem !== undefined) yield* shifted(filesystemExtents(filesystem), offset);
    else if (raw !== undefined) yield* rawExtents(raw, offset);
  }
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

/** About how many bytes will be written: what is in use. */
function writtenBytes({ partitions, gaps }: ImagePlan): number {
  const inPartitions = partitions.reduce(
    (sum, { filesystem, raw }) => sum + (filesystem ? filesystemBytes(filesystem) : (raw?.content.size ?? 0)),
    0,
  );
  return gaps.reduce((sum, { raw }) => sum + raw.content.size, Math.max(1, inPartitions));
}

function filesystemBytes({ plan, type }: FilesystemPlan): number {
  const free = type === "ext4" ? plan.usage.free : plan.freeBytes;
  return Math.max(1, plan.size - free);
}
