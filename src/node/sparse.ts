import { type BigIntStats, closeSync, constants, openSync, readSync } from "node:fs";
import type { DataRange } from "../tree/index.ts";
import { withReachable } from "./host-path.ts";

/** What is looked at in one go, and the size of the block that is a hole when it is all zeros. */
const WINDOW = 256 * 1024;
const BLOCK = 4096;
const ZEROS = Buffer.alloc(BLOCK);

/** Up to this size a file without blocks may still hold data: some filesystems keep it in the inode. */
const LARGEST_INLINE = 64 * 1024;

/** Whether a file has fewer blocks than its size needs, so that parts of it must be holes (or compressed). */
export function maybeSparse(status: BigIntStats): boolean {
  return status.blocks !== undefined && status.blocks * 512n < status.size;
}

const window = Buffer.alloc(WINDOW);

/**
 * The parts of a sparse file that hold data, in whole blocks of 4 KiB; `undefined` when all of it does. Node
 * offers no way to ask the system where the holes are, so the file is read; files that are not sparse are
 * not, and zeros that were written there stay data.
 */
export function dataRanges(path: Buffer, status: BigIntStats): readonly DataRange[] | undefined {
  const size = Number(status.size);
  if (status.blocks === 0n && size > LARGEST_INLINE) return [];
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);
  const descriptor = withReachable(path, (reachable) => openSync(reachable, flags));
  try {
    const ranges: { offset: number; length: number }[] = [];
    for (let offset = 0; offset < size; ) {
      const count = readSync(descriptor, window, 0, Math.min(WINDOW, size - offset), offset);
      if (count === 0) break;
      for (let at = 0; at < count; at += BLOCK) {
        const length = Math.min(BLOCK, count - at);
        if (window.compare(ZEROS, 0, length, at, at + length) === 0) continue;
        const last = ranges.at(-1);
        if (last !== undefined && last.offset + last.length === offset + at) last.length += length;
        else ranges.push({ offset: offset + at, length });
      }
      offset += count;
    }
    return ranges.length === 1 && ranges[0]!.offset === 0 && ranges[0]!.length === size ? undefined : ranges;
  } finally {
    closeSync(descriptor);
  }
}
