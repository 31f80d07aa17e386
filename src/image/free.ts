import { ext4Free } from "../ext4/index.ts";
import { type ByteRange, freeBeside, merged, signatureAreas, united, without } from "../extents/index.ts";
import { fatFree } from "../fat32/index.ts";
import type { FilesystemPlan, ImagePlan, PartitionPlan } from "./plan.ts";
import { tableRanges } from "./table-ranges.ts";

/**
 * The free ranges of an image, in ascending order: what lies between partitions, and what their filesystems call
 * free. Every other byte that no extent covers must read as zero.
 */
export function imageFree(plan: ImagePlan): Iterable<ByteRange> {
  const { partitions, gaps, size } = plan;
  const used = united([
    ...tableRanges(plan).map(({ offset, length }) => ({ position: offset, length })),
    ...partitions.map((partition) => ({ position: partition.offset, length: partition.size })),
    ...gaps.map(({ offset, raw }) => ({ position: offset, length: raw.content.size })),
  ]);
  const free = merged(freeBeside(used, size), freeInPartitions(partitions));
  return without(free, signatureAreas(size));
}

/** The free ranges of a filesystem that fills `size` bytes, in ascending order. */
export function filesystemFree(filesystem: FilesystemPlan, size: number): Iterable<ByteRange> {
  return without(merged(freeIn(filesystem), behind(filesystem.plan.size, size)), signatureAreas(size));
}

function* freeInPartitions(partitions: readonly PartitionPlan[]): Generator<ByteRange> {
  for (const { offset, size, filesystem, raw } of [...partitions].sort((a, b) => a.offset - b.offset)) {
    const free =
      filesystem === undefined
        ? without(behind(raw?.content.size ?? 0, size), signatureAreas(size))
        : filesystemFree(filesystem, size);
    for (const { position, length } of free) yield { position: offset + position, length };
  }
}

function freeIn(filesystem: FilesystemPlan): Iterable<ByteRange> {
  return filesystem.type === "ext4" ? ext4Free(filesystem.plan) : fatFree(filesystem.plan);
}

function behind(position: number, end: number): readonly ByteRange[] {
  return position < end ? [{ position, length: end - position }] : [];
}
