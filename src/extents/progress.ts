import type { ByteRange } from "./extent.ts";

/** How far work is, in bytes. */
export interface Progress {
  /** Never less than before. It equals `total` once: when all is done, to the last rename. */
  readonly done: number;
  /** More than 0, and the same each time. */
  readonly total: number;
}

/** Takes how far work is. */
export type ProgressListener = (progress: Progress) => void;

/** Turns how far a disk is written into progress. */
export interface ProgressMeter {
  /** Everything that lies before `position` is written. Positions must only grow. */
  reached(position: number): void;
  /** All is done. */
  finished(): void;
}

/**
 * Measures progress by the ranges of a disk that have to be written: ascending, not overlapping, and the same each
 * time. They need not be exact: gaps between them count as nothing, and what was counted as well as what was not is
 * done in the end.
 */
export function progressMeter(ranges: () => Iterable<ByteRange>, listener: ProgressListener): ProgressMeter {
  let all = 0;
  for (const { length } of ranges()) all += length;
  const total = Math.max(1, all);
  const lengthBefore = lengthCounter(ranges());
  let last = -1;
  return {
    reached(position): void {
      // The total is for the end: files may still have to take their names.
      const done = Math.min(lengthBefore(position), total - 1);
      if (done <= last) return;
      last = done;
      listener({ done, total });
    },
    finished: () => listener({ done: total, total }),
  };
}

/** Counts how many bytes of ascending ranges lie before a position. The positions must only grow. */
function lengthCounter(ranges: Iterable<ByteRange>): (position: number) => number {
  const following = ranges[Symbol.iterator]();
  let passed = 0;
  let next = following.next();
  return (position) => {
    while (!next.done && next.value.position + next.value.length <= position) {
      passed += next.value.length;
      next = following.next();
    }
    return passed + (next.done ? 0 : Math.max(0, position - next.value.position));
  };
}
