import { checkArgument, type Kind } from "../arguments/index.ts";
import type { Identity } from "../bytes/index.ts";
import {
  type ContainerFacts,
  type Disk,
  type SectorSizes,
  UnitSet,
  withoutZeros,
} from "../container/index.ts";
import {
  type ByteRange,
  type Extent,
  extentsKind,
  type ProgressListener,
  type ProgressMeter,
  progressMeter,
  Sweep,
  type SweepOptions,
  type SweepWriter,
  sweep,
  type Target,
} from "../extents/index.ts";
import { type PackerFactory, portablePacker } from "../packing/index.ts";
import {
  batchesKind,
  copyDiskKind,
  diskKind,
  freeRangesKind,
  outputsKind,
  plannedDiskKind,
  rangesKind,
  writeDiskKind,
} from "./arguments.ts";
import type { HashLoader } from "./bmap.ts";
import { Fingerprint } from "./fingerprint.ts";
import { type FormatName, formatFacts } from "./names.ts";
import { type FreeRanges, type PreparedFormat, prepareFormat, type TargetContext } from "./prepare.ts";
import { checkSectorSize, copiedSectors, plannedSectors, type SectorSizeOptions } from "./sector-size.ts";

/** Where a disk goes, and as what. */
export interface Output {
  /** Default `raw`. */
  readonly format?: FormatName | undefined;
  readonly target: Target;
  /** The level of compression, as the compressor counts. */
  readonly level?: number | undefined;
  /** Of qcow2: bytes of a cluster. */
  readonly clusterSize?: number | undefined;
  /**
   * Of raw: what becomes of zeros that count, such as the log of a new journal. `holes` (default) leaves them out: a
   * new file reads as zeros there. `stored` writes them, so that a program that copies only what the file stores
   * (`bmaptool create`) copies them as well.
   */
  readonly zeros?: "holes" | "stored" | undefined;
}

/** How disks are written. */
export interface WriteDiskOptions extends Pick<SweepOptions, "reader" | "signal">, SectorSizeOptions {
  /** Told how far the work is, in bytes. A disk that is read twice is half done after the first time. */
  readonly onProgress?: ProgressListener | undefined;
  /** Writes formats that cannot say the sector size of the disk as well, with a warning. Default: they are refused. */
  readonly ignoreSectorSize?: boolean | undefined;
  /** Called with what whoever wrote the disk should know. */
  readonly onWarning?: ((warning: string) => void) | undefined;
  /** What identifiers of containers are derived from, with what the disk is. Default `diskwright`. */
  readonly seed?: string | undefined;
  /** The time that containers are dated with, in seconds since 1970. Default 0. */
  readonly time?: number | undefined;
  /** What packs. Default: a package, in the thread of the caller. `diskwright/node` has one with threads. */
  readonly packers?: PackerFactory | undefined;
  /** SHA-256. Default: a package. */
  readonly hash?: HashLoader | undefined;
}

/** A disk whose extents are known, and can be gone through more than once. */
export interface PlannedDisk {
  /** Bytes of the disk. */
  readonly size: number;
  extents(): Iterable<Extent>;
  /** The bytes that no reader looks at, ascending; see {@link ByteKind}. Default: none. */
  readonly free?: (() => Iterable<ByteRange>) | undefined;
  /** Where content lies with no gap between it, ascending, as far as that is known without going through extents. */
  readonly runs?: (() => Iterable<ByteRange>) | undefined;
  /** About where something is written, ascending: what progress is measured by. Default: the whole disk. */
  readonly written?: (() => Iterable<ByteRange>) | undefined;
}

/** Options of {@link copyDisk}. */
export interface CopyDiskOptions extends WriteDiskOptions {
  /**
   * The bytes of the disk that no reader looks at, ascending; `freeRanges` of `diskwright/inspect` finds them. Zeros in
   * them are left out of a block map, and of raw images that store zeros. Default: none, so that all zeros count.
   */
  readonly free?: FreeRanges | undefined;
}

const DEFAULT_SEED = "diskwright";

/**
 * Writes a planned disk to every output in one pass over its content. The targets are committed when
 * everything is written, and all of them aborted when anything goes wrong.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a disk that a format cannot hold; what the targets throw.
 */
export async function writeDisk(
  disk: PlannedDisk,
  outputs: readonly Output[],
  options: WriteDiskOptions = {},
): Promise<void> {
  checkArgument("disk", disk, plannedDiskKind);
  checkArgument("outputs", outputs, outputsKind);
  checkArgument("options", options, writeDiskKind);
  const { size } = disk;
  const extents = (): Iterable<Extent> => given("disk.extents()", disk.extents(), extentsKind);
  const free = disk.free && ((): Iterable<ByteRange> => given("disk.free()", disk.free!(), rangesKind));
  const written =
    disk.written && ((): Iterable<ByteRange> => given("disk.written()", disk.written!(), rangesKind));
  const meter = meterOf(written ?? wholeOf(disk), options);
  await writing(outputs, options, async (targets) => {
    const formats = await prepareAll(size, plannedSectors(options), outputs, options);
    const survey = formats.some(({ isForeseeing }) => isForeseeing) ? new Survey(formats) : undefined;
    if (survey !== undefined) for (const extent of extents()) survey.addExtent(extent);
    const known = { size, free, survey, fingerprint: survey?.fingerprint };
    await openAll(targets, formats, outputs, options, known);
    reserveRoom(outputs, formats, survey?.content, disk);
    await sweep(extents(), toAll(targets), { ...options, onWritten: meter?.reached });
  });
  meter?.finished();
}

/**
 * Copies a disk from a container to every output in one pass. Zeros are left out. A target that takes bytes
 * in order only, such as a pipe, has the disk read once more before, for what there is to come.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a disk that a format cannot hold; `CORRUPT` for a damaged
 *   container; what the targets throw.
 */
export async function copyDisk(
  disk: Disk,
  outputs: readonly Output[],
  options: CopyDiskOptions = {},
): Promise<void> {
  checkArgument("disk", disk, diskKind);
  checkArgument("outputs", outputs, outputsKind);
  checkArgument("options", options, copyDiskKind);
  const { size } = disk;
  const meter = meterOf(wholeOf(disk), options);
  await writing(outputs, options, async (targets) => {
    const names = outputs.map(({ format = "raw" }) => format);
    const sectors = await copiedSectors(disk, names, options, options.onWarning ?? (() => {}));
    const formats = await prepareAll(size, sectors, outputs, options);
    const needsSurvey = formats.some(
      ({ isForeseeing }, index) => isForeseeing && outputs[index]!.target.resize === undefined,
    );
    const survey = needsSurvey ? new Survey(formats) : undefined;
    if (survey !== undefined) {
      await sweepDisk(disk, (position, bytes) => survey.addBytes(position, bytes), {
        ...options,
        onWritten: (end) => meter?.reached(Math.floor(end / 2)),
      });
    }
    const isNamed = outputs.some(({ format = "raw" }) => formatFacts(format).isNamed);
    const fingerprint = survey?.fingerprint ?? (isNamed ? new Fingerprint() : undefined);
    const { free: own } = options;
    const free = own && ((): ReturnType<FreeRanges> => given("options.free()", own(), freeRangesKind));
    const known = { size, free, survey, fingerprint };
    await openAll(targets, formats, outputs, options, known);
    const room = disk.room === undefined ? undefined : Math.min(disk.room, size);
    reserveRoom(outputs, formats, survey?.content ?? room);
    const toTargets = toAll(targets);
    const isCounted = survey === undefined && fingerprint !== undefined;
    await sweepDisk(disk, isCounted ? counted(fingerprint, toTargets) : toTargets, {
      ...options,
      onWritten:
        survey === undefined ? meter?.reached : (end) => meter?.reached(Math.floor((size + end) / 2)),
    });
  });
  meter?.finished();
}

/** What a function of the caller gave, checked as an argument is. */
function given<Value>(name: string, value: Value, kind: Kind): Value {
  checkArgument(name, value, kind);
  return value;
}

function wholeOf({ size }: { readonly size: number }): () => Iterable<ByteRange> {
  return () => [{ position: 0, length: size }];
}

function meterOf(
  ranges: () => Iterable<ByteRange>,
  { onProgress }: WriteDiskOptions,
): ProgressMeter | undefined {
  return onProgress && progressMeter(ranges, onProgress);
}

/** Counts what is written. */
function counted(fingerprint: Fingerprint, write: SweepWriter): SweepWriter {
  return (position, bytes) => {
    fingerprint.addSamples(position, bytes);
    return write(position, bytes);
  };
}

async function sweepDisk(disk: Disk, write: SweepWriter, options: SweepOptions): Promise<void> {
  const sweeping = new Sweep(withoutZeros(write), options);
  const stored = given("disk.stored()", disk.stored(options.signal), batchesKind);
  for await (const extents of stored) await sweeping.add(extents);
  await sweeping.end();
}

/** What is known of a disk before it is written: which units have content, and what tells it from others. */
class Survey {
  readonly fingerprint = new Fingerprint();
  readonly #units = new Map<number, UnitSet>();
  /** Bytes of content. */
  content = 0;

  constructor(formats: readonly PreparedFormat[]) {
    for (const { unitSize } of formats) {
      if (unitSize !== undefined) this.#units.set(unitSize, new UnitSet());
    }
  }

  addExtent(extent: Extent): void {
    this.fingerprint.addExtent(extent);
    this.#add(extent.position, extent.length);
  }

  addBytes(position: number, bytes: Uint8Array): void {
    this.fingerprint.addSamples(position, bytes);
    this.#add(position, bytes.length);
  }

  units(unitSize: number): UnitSet {
    return this.#units.get(unitSize)!;
  }

  #add(position: number, length: number): void {
    this.content += length;
    for (const [unitSize, units] of this.#units) units.addBytes(position, length, unitSize);
  }
}

async function prepareAll(
  size: number,
  sectors: SectorSizes,
  outputs: readonly Output[],
  { time = 0, ignoreSectorSize = false, onWarning }: WriteDiskOptions,
): Promise<PreparedFormat[]> {
  for (const { format = "raw" } of outputs) {
    const warning = checkSectorSize(format, sectors, ignoreSectorSize);
    if (warning !== undefined) onWarning?.(warning);
  }
  return await Promise.all(
    outputs.map(({ format = "raw", level, clusterSize, zeros }) =>
      prepareFormat(format, { size, sectors, time, level, clusterSize, zeros }),
    ),
  );
}

/** What is known of a disk when the targets are opened. */
interface KnownDisk {
  readonly size: number;
  readonly free: FreeRanges | undefined;
  readonly survey: Survey | undefined;
  readonly fingerprint: Fingerprint | undefined;
}

/** Puts the targets of all outputs into `targets`, so that those that are open are known when one fails. */
async function openAll(
  targets: Target[],
  formats: readonly PreparedFormat[],
  outputs: readonly Output[],
  options: WriteDiskOptions,
  { size, free, survey, fingerprint }: KnownDisk,
): Promise<void> {
  const { seed = DEFAULT_SEED, time = 0, packers = portablePacker, signal } = options;
  const { hash = async () => (await import("./portable-hash.ts")).portableHash } = options;
  const facts = (): ContainerFacts => ({
    get identity(): Identity {
      if (fingerprint === undefined) throw new TypeError("a format that is not named asks for its identity");
      return fingerprint.identity(seed, size);
    },
    time,
  });
  const units = survey && ((unitSize: number) => survey.units(unitSize));
  for (const [index, { target }] of outputs.entries()) {
    const context: TargetContext = { into: heldBack(target), facts, units, free, packers, hash, signal };
    targets.push(await formats[index]!.target(context));
  }
  for (const target of targets) await target.begin(size);
}

/** Tells the targets of all outputs what will be written without gaps, as far as that is known. */
function reserveRoom(
  outputs: readonly Output[],
  formats: readonly PreparedFormat[],
  content: number | undefined,
  disk?: PlannedDisk,
): void {
  for (const [index, { target }] of outputs.entries()) {
    if (target.reserve === undefined) continue;
    const { placing } = formats[index]!;
    if (placing === "dense" && content !== undefined) target.reserve(0, content);
    if (placing !== "same") continue;
    const runs = given("disk.runs()", disk?.runs?.() ?? [], rangesKind);
    for (const { position, length } of runs) target.reserve(position, length);
  }
}

function toAll(targets: readonly Target[]): SweepWriter {
  if (targets.length === 1) {
    const [only] = targets;
    return (position, bytes) => only!.write(position, bytes);
  }
  return async (position, bytes) => {
    for (const target of targets) await target.write(position, bytes);
  };
}

/** Does the work, and then shows every output, or none. */
async function writing(
  outputs: readonly Output[],
  options: SweepOptions,
  work: (targets: Target[]) => Promise<void>,
): Promise<void> {
  const targets: Target[] = [];
  try {
    await work(targets);
    for (const target of targets) await target.commit();
    for (const { target } of outputs) await target.commit();
  } catch (error) {
    await abortAll(targets);
    await abortAll(outputs.map(({ target }) => target));
    throw error;
  } finally {
    await options.reader?.close();
  }
}

/** Every target drops what it has, even when another one fails at that: what went wrong before is what is told. */
async function abortAll(targets: readonly Target[]): Promise<void> {
  await Promise.allSettled(targets.map(async (target) => target.abort()));
}

/** A target that is complete and not yet shown: of several outputs, the first waits for the last. */
function heldBack(target: Target): Target {
  return {
    begin: (size) => target.begin(size),
    write: (position, bytes) => target.write(position, bytes),
    ...(target.resize === undefined ? {} : { resize: (size: number) => target.resize!(size) }),
    commit(): void {},
    abort(): void {},
  };
}
