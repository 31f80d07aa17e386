import { SECTOR } from "../container/index.ts";
import { bytesExtent, type Extent } from "../extents/index.ts";
import { ENTRY } from "./structures.ts";

/** Entries of a grain directory that are made at a time. */
const DIRECTORY_PART = 16_384;

/** Sets an entry of a directory or a table to a place in the file, in bytes. */
export function putPlace(entries: DataView, index: number, position: number): void {
  entries.setUint32(ENTRY * index, position / SECTOR, true);
}

/**
 * The grain directory that starts at byte `start` and has so many entries: `places` are the tables that it
 * tells of and their places in bytes, ascending. Parts that tell of none stay holes.
 */
export function* directoryExtents(
  start: number,
  count: number,
  places: Iterable<readonly [table: number, position: number]>,
): Generator<Extent> {
  let first = -1;
  let part = new DataView(new ArrayBuffer(0));
  for (const [table, position] of places) {
    const firstOfPart = table - (table % DIRECTORY_PART);
    if (firstOfPart !== first) {
      if (first >= 0) yield bytesExtent(start + ENTRY * first, new Uint8Array(part.buffer));
      first = firstOfPart;
      part = new DataView(new ArrayBuffer(ENTRY * Math.min(DIRECTORY_PART, count - first)));
    }
    putPlace(part, table - first, position);
  }
  if (first >= 0) yield bytesExtent(start + ENTRY * first, new Uint8Array(part.buffer));
}
