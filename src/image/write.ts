import { writeExt4 } from "../ext4/index.ts";
import {
  type CancelSignal,
  type ContentReader,
  type Extent,
  merged,
  shifted,
  type Target,
} from "../extents/index.ts";
import { writeFat } from "../fat32/index.ts";
import { type FormatName, writeFormat } from "../formats/index.ts";
import { writeGpt } from "../gpt/index.ts";
import type { RawContent } from "../layouts/index.ts";
import { writeMbr } from "../mbr/index.ts";
import type { FilesystemPlan, ImagePlan, TablePlan } from "./plan.ts";

/** How far the writing is, in bytes; holes are not counted. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

/** What {@link write} can be told. */
export interface WriteOptions {
  /** The container. Default `raw`. */
  readonly format?: FormatName | undefined;
  readonly signal?: CancelSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/**
 * Writes a planned image into a target, in one ascending pass. The target is committed when everything is
 * written, and aborted otherwise.
 *
 * @throws DiskwrightError `SOURCE_CHANGED` or `SOURCE_UNREADABLE` for content that is not what was planned,
 *   `ABORTED` when the signal asked for it, and what the target throws.
 */
export async function write(plan: ImagePlan, target: Target, options: WriteOptions = {}): Promise<void> {
  const { format = "raw", signal, onProgress } = options;
  const total = writtenBytes(plan);
  await writeFormat(format, imageExtents(plan), plan.size, target, {
    signal,
    reader: readerOf(plan),
    onProgress: onProgress && ((written) => onProgress({ done: Math.min(written, total), total })),
  });
}

/** What opens the files of the host that an image is made of; one reader serves all of a host's files. */
function readerOf({ image, partitions }: ImagePlan): ContentReader | undefined {
  if (image.reader !== undefined) return image.reader;
  const trees = [image.root, ...partitions.flatMap(({ filesystem }) => filesystem?.plan.tree ?? [])];
  for (const { origins } of trees) {
    for (const { reader } of origins) if (reader !== undefined) return reader;
  }
  return undefined;
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
