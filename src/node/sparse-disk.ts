import { realpathSync, statSync } from "node:fs";
import { type Disk, isZeros, rawDisk } from "../container/index.ts";
import { bytesExtent, type Extent, eventLoopTurn } from "../extents/index.ts";
import type { FileSource } from "./file-source.ts";
import { ReadAhead } from "./read-ahead.ts";
import { maybeSparse, ScannedFile, WINDOW } from "./sparse.ts";

/** How many windows of holes are looked at between two turns of the event loop. */
const HOLES_BETWEEN_TURNS = 1024;

/** The end of a part by which one sees that a hole may have begun. */
const TAIL = 4096;

const ZEROS = Buffer.alloc(WINDOW);

/**
 * A raw image in a file of the host. What follows is read by another thread while a part is written. Holes are
 * passed over where the system lets them be found: where data ends in zeros, what follows is looked at past the
 * page cache until data comes.
 */
export function rawFileDisk(path: string, file: FileSource): Disk {
  const isSparse = maybeSparse(statSync(path, { bigint: true }));

  async function* stored(): AsyncGenerator<readonly Extent[]> {
    const scanned = isSparse ? new ScannedFile(Buffer.from(realpathSync(path))) : undefined;
    const ahead = new ReadAhead(file);
    try {
      for (let position = 0; position < file.size; position = ahead.position) {
        if (scanned !== undefined) position = await endOfHole(scanned, position, file.size);
        ahead.seek(position);
        for (let part = await ahead.next(); part !== undefined; part = await ahead.next()) {
          yield [bytesExtent(part.position, part.bytes)];
          if (scanned !== undefined && isZeros(part.bytes.subarray(-TAIL))) ahead.stop();
        }
      }
    } finally {
      await ahead.close();
      scanned?.close();
    }
  }

  return { ...rawDisk(file), stored };
}

/** The first window from `position` on that is not all zeros. */
async function endOfHole(scanned: ScannedFile, position: number, size: number): Promise<number> {
  let untilTurn = HOLES_BETWEEN_TURNS;
  for (let at = position; at < size; at += WINDOW) {
    const length = Math.min(WINDOW, size - at);
    if (ZEROS.compare(scanned.read(at, length), 0, length, 0, length) !== 0) return at;
    if (--untilTurn > 0) continue;
    untilTurn = HOLES_BETWEEN_TURNS;
    await eventLoopTurn(undefined);
  }
  return size;
}
