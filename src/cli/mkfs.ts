import { formatSize, type Identity, identity, parseSize } from "../bytes/index.ts";
import type { ByteRange, Extent } from "../extents/index.ts";
import type { FatOptions as FatPlanOptions } from "../fat32/index.ts";
import { writeDisk } from "../formats/index.ts";
import type { FilesystemPlan } from "../image/index.ts";
import { NIX_STORE_LABEL } from "../layouts/index.ts";
import { nativeHash, packers, stage } from "../node/index.ts";
import { checkSources, ext4TuningOf, sourcesOf } from "../spec/index.ts";
import { type DigestOptions, type Tree, treeDigest } from "../tree/index.ts";
import { UsageError } from "./exit.ts";
import { type Ext4Tuning, ext4FieldsOf } from "./ext4-options.ts";
import { refuseProblems, sourceFields } from "./flags.ts";
import type { OutputOptions, SourceOptions } from "./options.ts";
import { checkOutputs, namedOutputs, openOutputs, printJson, unusedOptions, wroteLine } from "./output.ts";
import { sourceDateEpoch } from "./parse.ts";
import { stageOptions } from "./source.ts";
import { talk, warnAll } from "./talk.ts";

interface FilesystemOptions extends SourceOptions, OutputOptions {
  readonly size?: string;
  readonly additionalSpace?: string;
  readonly label?: string;
}

/** What the options of `mkfs ext4` hold. */
export interface Ext4Options extends FilesystemOptions, Ext4Tuning {
  readonly uuid?: string;
}

/** What the options of `mkfs fat` hold. */
export interface FatOptions extends FilesystemOptions {
  readonly bits?: "12" | "16" | "32" | "auto";
  readonly sectorSize?: string;
  readonly serial?: number;
  readonly skipUnsupported?: boolean;
}

/** A filesystem that is planned, and the bytes that it will have. */
interface Planned {
  /** What it is to its maker: fat32, ext3. */
  readonly name: string;
  readonly filesystem: FilesystemPlan;
  extents(): Iterable<Extent>;
  readonly runs?: () => Iterable<ByteRange>;
  written(): Iterable<ByteRange>;
  /** Bytes of a sector of the disk that it is for. */
  readonly sectorSize?: 512 | 4096;
  readonly freeBytes: number;
  readonly warnings: readonly string[];
}

/** Everything that a filesystem is made with but its tree, for identifiers without a seed. */
function identityOf(
  tree: Tree,
  stored: DigestOptions["stored"],
  { seed, time = sourceDateEpoch() }: FilesystemOptions,
  settings: object,
): Identity {
  if (seed !== undefined) return identity(seed);
  return identity(
    `filesystem/${treeDigest(tree, { stored, time })}/${JSON.stringify({ ...settings, time })}`,
  );
}

function sizesOf(options: FilesystemOptions): { size?: number; freeBytes?: number } {
  const isComputed = options.size === undefined || options.size === "auto" || options.size === "minimal";
  if (options.size === "minimal" && options.additionalSpace !== undefined) {
    throw new UsageError('--size minimal leaves no additional space: use "auto" with it');
  }
  return {
    ...(isComputed ? {} : { size: parseSize(options.size!) }),
    ...(options.additionalSpace === undefined ? {} : { freeBytes: parseSize(options.additionalSpace) }),
  };
}

/** `diskwright mkfs ext4` */
export async function runExt4(path: string, options: Ext4Options, signal: AbortSignal): Promise<void> {
  const { ext4Runs, ext4Written, planExt4, writeExt4 } = await import("../ext4/index.ts");
  await run(path, options, signal, true, (tree) => {
    const { onlyNixStore, label = onlyNixStore ? NIX_STORE_LABEL : undefined } = options;
    const { time = sourceDateEpoch() } = options;
    const settings = { ...ext4TuningOf(ext4FieldsOf(options)), ...sizesOf(options), label };
    const plan = planExt4(tree, {
      ...settings,
      uuid: options.uuid ?? identityOf(tree, "all", options, settings).uuid("filesystem"),
      time,
    });
    const { usage, warnings } = plan;
    return {
      name: options.type ?? "ext4",
      filesystem: { type: "ext4", plan },
      extents: () => writeExt4(plan),
      runs: () => ext4Runs(plan),
      written: () => ext4Written(plan),
      freeBytes: usage.free,
      warnings,
    };
  });
}

/** `diskwright mkfs fat` */
export async function runFat(path: string, options: FatOptions, signal: AbortSignal): Promise<void> {
  const { fatWritten, planFat, writeFat } = await import("../fat32/index.ts");
  await run(path, options, signal, false, (tree) => {
    const { label, bits = "32", sectorSize = "512", time = sourceDateEpoch() } = options;
    const settings = {
      ...sizesOf(options),
      label,
      bits: (bits === "auto" ? bits : Number(bits)) as FatPlanOptions["bits"],
      sectorSize: Number(sectorSize) as FatPlanOptions["sectorSize"],
      unsupported: options.skipUnsupported ? ("skip" as const) : ("error" as const),
    };
    const plan = planFat(tree, {
      ...settings,
      serial: options.serial ?? identityOf(tree, "names", options, settings).serial("filesystem"),
      time,
    });
    const { freeBytes, skipped } = plan;
    const warnings = [...plan.warnings, ...skipped.map((left) => `left out ${left}`)];
    return {
      name: plan.type,
      filesystem: { type: "fat", plan },
      extents: () => writeFat(plan),
      written: () => fatWritten(plan),
      // Disks have no sectors of 1024 or 2048 bytes: such a FAT lies on smaller ones.
      sectorSize: sectorSize === "4096" ? 4096 : 512,
      freeBytes,
      warnings,
    };
  });
}

async function run(
  path: string,
  options: FilesystemOptions,
  signal: AbortSignal,
  hasOwners: boolean,
  planned: (tree: Tree) => Planned,
): Promise<void> {
  const { output, json = false } = options;
  if (output === undefined) throw new UsageError("nowhere to write to: name the image with -o");
  const outputs = namedOutputs(output, undefined);
  const voice = talk(options);
  checkOutputs(outputs, options, voice);
  const { spool, ...fields } = await sourceFields(options);
  refuseProblems(checkSources(fields));
  const paths = outputs.map((named) => named.path);
  const staging = stageOptions(paths, voice, signal);
  const time = options.time ?? sourceDateEpoch();
  const spoolDirectory = spool ?? staging.spoolDirectory;
  const sources = sourcesOf({ ...fields, root: [path] });
  const tree = await stage(sources, { ...staging, hasOwners, time, spoolDirectory });
  const { name, filesystem, extents, runs, written, sectorSize, freeBytes, warnings } = planned(tree);
  const { describeFilesystem, filesystemFree } = await import("../image/index.ts");
  warnAll(voice, [...warnings, ...unusedOptions(outputs, options)]);
  // What is no whole block stays free at the end: the image has the size that was asked for.
  const size = sizesOf(options).size ?? filesystem.plan.size;
  const free = (): Iterable<ByteRange> => filesystemFree(filesystem, size);
  const disk = { size, extents, free, runs, written };
  await writeDisk(disk, openOutputs(outputs, { ...options, spool }, signal, voice), {
    signal,
    seed: options.seed,
    time,
    packers: packers({ workers: options.workers, isPortable: options.portable }),
    hash: nativeHash,
    sectorSize,
    ignoreSectorSize: options.ignoreSectorSize,
    onWarning: voice.warn,
    reader: tree.reader,
    onProgress: voice.writing,
  });
  for (const one of outputs) {
    voice.say(`${wroteLine(one, { kind: name, size, what: "filesystem" })}, ${formatSize(freeBytes)} free`);
  }
  if (!json) return;
  await printJson(describeFilesystem(filesystem));
}
