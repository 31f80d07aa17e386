import { formatBytes } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import {
  type Awaitable,
  type ByteSource,
  type CancelSignal,
  type Extent,
  type FunctionContent,
  readInto,
  sourceContent,
} from "../extents/index.ts";
import type { SectorSizes } from "./sectors.ts";
import { StartCounts } from "./start-counts.ts";
import { UnitSet } from "./unit-set.ts";

/** A virtual disk, as it is stored in a container. `size` is that of the disk. */
export interface Disk extends ByteSource {
  /** The format's name, such as `qcow2`. */
  readonly format: string;
  /** What is wrong with the container and does not keep it from being read. */
  readonly problems: readonly string[];
  /** What the container says of itself, for people. */
  readonly details: Readonly<Record<string, string | number | boolean>>;
  /** The disk's sectors, where the container says how large they are. */
  readonly sectors?: SectorSizes | undefined;
  /**
   * The parts of the disk that are stored, batch by batch: ascending, never overlapping. What none covers
   * reads as zeros; what one covers may be zeros as well.
   *
   * @throws DiskwrightError `ABORTED` when `signal` says so, where the parts take long to find.
   */
  stored(signal?: CancelSignal): AsyncIterable<readonly Extent[]>;
}

/** Where consecutive units of a disk are stored. */
export type UnitRun =
  /** They read as zeros. */
  | { readonly units: number; readonly type: "zeros" }
  /** They lie one behind the other in the file. */
  | { readonly units: number; readonly type: "plain"; readonly position: number }
  /** One unit, compressed. */
  | {
      readonly units: 1;
      readonly type: "packed";
      unpack(): Awaitable<Uint8Array>;
      /** Where it starts in the file, where nothing else keeps two units from one place. */
      readonly start?: number;
      /** With `start`: the bytes that it takes at least. */
      readonly least?: number;
    }
  /** They are those of another disk, at the same positions. */
  | { readonly units: number; readonly type: "below"; readonly disk: ByteSource };

/** What a {@link unitDisk} is made of. */
export interface UnitDiskParts {
  readonly format: string;
  readonly problems?: readonly string[];
  readonly details?: Disk["details"];
  readonly sectors?: SectorSizes;
  /** The container. */
  readonly file: ByteSource;
  /** Bytes of the disk. */
  readonly size: number;
  /** Bytes of a unit. */
  readonly unitSize: number;
  /** Where the units from `unit` on are stored: at least one, and as many as are told in one go. */
  run(unit: number): Awaitable<UnitRun>;
}

/** How many extents are handed out together. */
const BATCH = 1024;

/** A disk whose container maps it in units of one size. */
export function unitDisk(parts: UnitDiskParts): Disk {
  const { format, file, size, unitSize, problems = [], details = {}, sectors } = parts;
  const content = sourceContent(file);
  const units = Math.ceil(size / unitSize);

  async function fill(position: number, into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const at = position + done;
      const run = await checkedRun(Math.floor(at / unitSize));
      const within = at % unitSize;
      const part = into.subarray(done, Math.min(into.length, done + run.units * unitSize - within));
      if (run.type === "zeros") part.fill(0);
      else if (run.type === "plain") await readInto(file, run.position + within, part);
      else if (run.type === "below") await readBelow(run.disk, at, part);
      else part.set((await run.unpack()).subarray(within, within + part.length));
      done += part.length;
    }
  }

  /** Nothing outside of the file is read, whatever its tables say. */
  async function checkedRun(unit: number): Promise<UnitRun> {
    const run = await parts.run(unit);
    if (run.type !== "plain") return run;
    const length = Math.min(run.units * unitSize, size - unit * unitSize);
    if (run.position < 0 || run.position + length > file.size) {
      throw new DiskwrightError(
        "CORRUPT",
        `the ${format} file places bytes ${unit * unitSize} to ${unit * unitSize + length} of the disk at ${run.position}, but it ends at ${file.size}: it is damaged or cut off`,
      );
    }
    return run;
  }

  async function* stored(): AsyncGenerator<readonly Extent[]> {
    const taken = new UnitSet();
    const starts = new StartCounts();
    let batch: Extent[] = [];
    for (let unit = 0; unit < units; ) {
      const run = await checkedRun(unit);
      const position = unit * unitSize;
      const length = Math.min(run.units * unitSize, size - position);
      if (run.type === "plain") {
        claim(taken, run.position, run.units, unitSize, format);
        batch.push({ position, length, source: content, offset: run.position });
      } else if (run.type === "packed") {
        const { start, least = 1 } = run;
        if (start !== undefined && !starts.add(start, least)) throw crowded(format, start);
        batch.push({ position, length, source: unpacked(run.unpack, length), offset: 0 });
      } else if (run.type === "below" && position < run.disk.size) {
        const stored = Math.min(length, run.disk.size - position);
        batch.push({ position, length: stored, source: sourceContent(run.disk), offset: position });
      }
      unit += run.units;
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  return {
    format,
    size,
    room: file.room,
    problems,
    details,
    sectors,
    async read(position, length): Promise<Uint8Array> {
      const bytes = new Uint8Array(length);
      await fill(position, bytes);
      return bytes;
    },
    readInto: fill,
    stored,
  };
}

async function readBelow(disk: ByteSource, position: number, into: Uint8Array): Promise<void> {
  const there = into.subarray(0, Math.max(0, Math.min(into.length, disk.size - position)));
  if (there.length > 0) await readInto(disk, position, there);
  into.fill(0, there.length);
}

/**
 * No two units of a sound container lie at the same place. A small file that says so would become a disk
 * without end.
 */
function claim(taken: UnitSet, position: number, units: number, unitSize: number, format: string): void {
  const first = Math.floor(position / unitSize);
  for (let unit = first; unit < first + units; unit++) {
    if (taken.has(unit)) {
      throw new DiskwrightError(
        "CORRUPT",
        `the ${format} file places two parts of the disk at ${formatBytes(position)}: its tables are damaged`,
      );
    }
    taken.add(unit);
  }
}

function crowded(format: string, position: number): DiskwrightError {
  return new DiskwrightError(
    "CORRUPT",
    `the ${format} file places more compressed parts of the disk around ${formatBytes(position)} than can lie there: its tables are damaged`,
  );
}

/** A unit that is unpacked when it is first read. */
function unpacked(unpack: () => Awaitable<Uint8Array>, size: number): FunctionContent {
  let bytes: Uint8Array | undefined;
  return {
    type: "function",
    size,
    async read(offset, into): Promise<number> {
      bytes ??= await unpack();
      const part = bytes.subarray(offset, Math.min(size, offset + into.length));
      into.set(part);
      if (offset + part.length >= size) bytes = undefined;
      return part.length;
    },
  };
}

/** A raw image: the disk as it is. */
export function rawDisk(file: ByteSource): Disk {
  return {
    format: "raw",
    size: file.size,
    room: file.room,
    problems: [],
    details: {},
    read: (position, length) => file.read(position, length),
    readInto: (position, into) => readInto(file, position, into),
    async *stored() {
      if (file.size > 0) {
        yield [{ position: 0, length: file.size, source: sourceContent(file), offset: 0 }];
      }
    },
  };
}
