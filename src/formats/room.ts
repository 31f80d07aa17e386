import type { Extent } from "../extents/index.ts";

/** Bytes of a run that is worth telling of. */
export const LONG_RUN = 64 * 1024 * 1024;

/** Gaps that a file has no hole for. */
const BLOCK = 4096;

/** Bytes that are written one after the other. */
export interface Run {
  readonly position: number;
  readonly length: number;
}

/** The long runs of what ascending extents cover. */
export function* longRuns(extents: Iterable<Extent>): Generator<Run> {
  let start = 0;
  let end = 0;
  for (const { position, length } of extents) {
    if (position - end >= BLOCK) {
      if (end - start >= LONG_RUN) yield { position: start, length: end - start };
      start = position;
    }
    end = position + length;
  }
  if (end - start >= LONG_RUN) yield { position: start, length: end - start };
}
