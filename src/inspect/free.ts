import { DiskwrightError } from "../errors.ts";
import { openExt4 } from "../ext4/index.ts";
import { type ByteRange, type ByteSource, signatureAreas, sourceWindow, without } from "../extents/index.ts";
import { readFat } from "../fat32/index.ts";
import { type InspectOptions, inspect } from "./inspect.ts";
import type { PartitionReport } from "./report.ts";

/**
 * The bytes of a disk that its filesystems call free, in ascending order: free blocks of ext2, ext3 and ext4, free
 * clusters of FAT. A filesystem in which something is wrong, or whose journal has to be replayed, has none, as its
 * bitmaps may be out of date. What lies outside of these filesystems counts: no structure says that it is free.
 *
 * @throws DiskwrightError `CORRUPT` when there is a partition table that cannot be trusted.
 */
export async function* freeRanges(disk: ByteSource, options: InspectOptions = {}): AsyncGenerator<ByteRange> {
  const { table } = await inspect(disk, options);
  for (const { offset, size, filesystem } of apart(table.partitions)) {
    const end = Math.min(offset + size, disk.size);
    if (filesystem === null || filesystem.problems.length > 0) continue;
    const areas = signatureAreas(end - offset);
    for await (const range of freeInVolume(sourceWindow(disk, offset, end - offset))) {
      for (const { position, length } of without([range], areas)) {
        yield { position: offset + position, length };
      }
    }
  }
}

/** The partitions that overlap no other, in the order in which they lie. */
function apart(partitions: readonly PartitionReport[]): PartitionReport[] {
  const sorted = [...partitions].sort((a, b) => a.offset - b.offset);
  let covered = 0;
  return sorted.filter(({ offset, size }, index) => {
    const isBehind = offset >= covered;
    covered = Math.max(covered, offset + size);
    return isBehind && (sorted[index + 1]?.offset ?? Number.POSITIVE_INFINITY) >= offset + size;
  });
}

async function* freeInVolume(source: ByteSource): AsyncGenerator<ByteRange> {
  const volume = (await openExt4(source)) ?? (await readFat(source));
  if (volume === undefined) return;
  try {
    yield* volume.freeRanges();
  } catch (error) {
    // Of a filesystem that is damaged further on, the rest is not known to be free.
    if (!(error instanceof DiskwrightError) || error.code !== "CORRUPT") throw error;
  }
}
