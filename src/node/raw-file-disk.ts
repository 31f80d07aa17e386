import { type Disk, isZeros } from "../container/index.ts";
import { bytesExtent, type CancelSignal, type Extent, eventLoopTurn } from "../extents/index.ts";
import type { NamedFileSource } from "./file-source.ts";
import { Holes, hasHoles } from "./holes.ts";
import { ReadAhead } from "./read-ahead.ts";

/** How much of a hole is looked at between two turns of the event loop. A multiple of the windows. */
const HOLE_BETWEEN_TURNS = 256 * 1024 * 1024;

/** The end of a part by which one sees that a hole may have begun. */
const TAIL = 4096;

/**
 * A raw image in a file of the host that has a name. What follows is read by another thread while a part is
 * written. Holes are passed over where the system lets them be found: where data ends in zeros, what follows is
 * looked at past the page cache until data comes.
 */
export class RawFileDisk implements Disk {
  readonly format = "raw";
  readonly problems: readonly string[];
  readonly details: Disk["details"] = {};
  readonly size: number;
  readonly room: number | undefined;
  readonly file: NamedFileSource;

  constructor(file: NamedFileSource, problems: readonly string[] = []) {
    this.file = file;
    this.problems = problems;
    this.size = file.size;
    this.room = file.room;
  }

  read(position: number, length: number): Uint8Array {
    return this.file.read(position, length);
  }

  readInto(position: number, into: Uint8Array): void {
    this.file.readInto(position, into);
  }

  /** @throws DiskwrightError `SOURCE_CHANGED` when the file was changed, removed or replaced meanwhile. */
  async *stored(signal?: CancelSignal): AsyncGenerator<readonly Extent[]> {
    const holes = hasHoles(this.file) ? new Holes(this.file) : undefined;
    const ahead = new ReadAhead(this.file);
    try {
      for (let position = 0; position < this.size; position = ahead.position) {
        if (holes !== undefined) position = await endOfHole(holes, position, signal);
        ahead.seek(position);
        for (let part = await ahead.next(); part !== undefined; part = await ahead.next()) {
          yield [bytesExtent(part.position, part.bytes)];
          if (holes !== undefined && isZeros(part.bytes.subarray(-TAIL))) ahead.stop();
        }
      }
      this.file.verify();
    } finally {
      await ahead.close();
      holes?.close();
    }
  }
}

async function endOfHole(holes: Holes, position: number, signal: CancelSignal | undefined): Promise<number> {
  for (let from = position; ; ) {
    const end = holes.skip(from, HOLE_BETWEEN_TURNS);
    if (end < from + HOLE_BETWEEN_TURNS) return end;
    from = end;
    await eventLoopTurn(signal);
  }
}
