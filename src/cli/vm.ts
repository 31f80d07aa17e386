import type { ReadableFormat } from "../formats/index.ts";
import { describeDisk } from "../harvest/index.ts";
import { type ImageSpec, image, plan } from "../image/index.ts";
import { hasType, isEfiSystemPartition, type Layout, type LayoutPartition } from "../layouts/index.ts";
import { aboutImage, fileCompression, openImage } from "../node/index.ts";
import { type ImageStep, planStep, runInPlannedImage, type VmDone } from "../vm/index.ts";
import { UsageError } from "./exit.ts";
import { machineFields } from "./flags.ts";
import { shellLine, stepOf } from "./machine.ts";
import type { MachineOptions, OutputOptions } from "./options.ts";
import { checkFile, checkOutputs, namedOutputs, print, printJson, wroteLine } from "./output.ts";
import { sourceDateEpoch } from "./parse.ts";
import { standardError, standardOutput } from "./streams.ts";
import { type Talk, talk, warnAll } from "./talk.ts";
import { writeImage } from "./write-image.ts";

/** What the options of `vm` hold. */
export interface VmCommandOptions extends MachineOptions, OutputOptions {
  readonly script: string;
  readonly efiVars?: string;
  readonly efiVarsFrom?: string;
  readonly rootPartition?: number;
  readonly mount?: readonly string[];
  readonly time?: number;
  readonly format?: string;
  readonly from?: ReadableFormat;
  readonly spool?: string;
  readonly backing?: boolean;
}

/** `diskwright vm` */
export async function runVm(path: string, options: VmCommandOptions, signal: AbortSignal): Promise<void> {
  const { json = false } = options;
  const voice = talk(options);
  const compression = options.from === undefined ? fileCompression(path) : undefined;
  const { disk, close } = await openImage(path, {
    format: options.from,
    isBackingAllowed: options.backing,
    spoolDirectory: options.spool,
    signal,
    onProgress: voice.unpacking,
  });
  try {
    // Of those that are packed, only what is made for Google's cloud is written the way it was.
    if (options.output === undefined && compression !== (disk.format === "gce" ? "gzip" : undefined)) {
      const how = compression === undefined ? "in a tar" : `packed by ${compression}`;
      throw new UsageError(`${path} is ${how}: name the image that is written with -o`);
    }
    // What lies below it would become a part of it.
    if (options.output === undefined && disk.details.backingFile === true) {
      throw new UsageError(`${path} is a difference to another disk: name the image that is written with -o`);
    }
    // Without an output the image itself is replaced, in the format that it has.
    const named = options.output ?? [`${disk.format}:${path}`];
    const outputs = namedOutputs(named, options.format);
    if (outputs.some((output) => output.path === "-")) {
      throw new UsageError("standard output is for what the script prints: name a file with -o");
    }
    checkOutputs(outputs, options, voice);
    if (options.efiVars !== undefined) checkFile(options.efiVars, outputs);
    warnAll(voice, disk.problems);
    const described = await aboutImage(path, () => describeDisk(disk));
    warnAll(voice, described.warnings);
    const time = options.time ?? sourceDateEpoch();
    const planned = plan(image({ ...mounted(described.spec, options), time: time ?? described.spec.time }));
    const run = async (efi: ImageStep["efi"]): Promise<VmDone | undefined> => {
      const step = await stepOf({
        script: options.script,
        machine: machineFields(options),
        efi,
        outputs,
        time,
        voice,
        signal,
        onOutput: (bytes) => void (json ? standardError() : standardOutput()).write(bytes),
      });
      if (options.dryRun) {
        await print(shellLine((await planStep(planned, step)).command));
        return undefined;
      }
      return await runInPlannedImage(planned, step, async (stepped) => {
        if ("plan" in stepped) warnAll(voice, stepped.plan.warnings);
        const { workers, portable } = options;
        const physicalSectorSize = disk.sectors?.physical;
        const writing = { outputs, options, workers, portable, voice, signal, physicalSectorSize };
        await writeImage(stepped, planned, writing);
        return stepped.result;
      });
    };
    const result = await withFirmware(options, voice, run);
    if (result === undefined) return;
    for (const output of outputs) voice.say(wroteLine(output, { size: planned.size }));
    if (json) {
      const { exitCode, output, accelerator, kernel, timings } = result;
      await printJson({ exitCode, output, accelerator, kernel, timings });
    }
  } finally {
    close();
  }
}

/** Gives a script the machine that is asked for: one with UEFI when variables of it are named. */
async function withFirmware<Result>(
  options: VmCommandOptions,
  voice: Talk,
  run: (efi: ImageStep["efi"]) => Promise<Result>,
): Promise<Result> {
  const { efiVars, efiVarsFrom, dryRun } = options;
  const isNamed = efiVars !== undefined || efiVarsFrom !== undefined;
  const { firmware = isNamed ? "uefi" : "bios" } = options;
  if (firmware === "bios") {
    if (isNamed) throw new UsageError("a BIOS has no variables: use --firmware uefi with --efi-vars");
    return await run(undefined);
  }
  const { lostVariables, startVariables, withUefi } = await import("./firmware.ts");
  if (efiVars === undefined) voice.warn(lostVariables);
  return await withUefi(startVariables(efiVars, efiVarsFrom), dryRun ? undefined : efiVars, run);
}

/** The description of a disk with what is mounted where: as asked, or as the layouts of this house have it. */
function mounted(spec: ImageSpec, options: VmCommandOptions): ImageSpec {
  const layout = spec.layout as Layout;
  const { partitions } = layout;
  const asked = new Map((options.mount ?? []).map(parseMount));
  const root = rootOf(partitions, options.rootPartition);
  const hasXbootldr = partitions.some((partition) => hasType(partition, "xbootldr"));
  const place = (partition: LayoutPartition): string | undefined => {
    if (partition === root) return "/";
    if (partition.filesystem === undefined) return undefined;
    if (asked.size > 0) return asked.get(partition.number ?? 0);
    if (hasType(partition, "xbootldr")) return "/boot";
    return isEfiSystemPartition(partition) ? (hasXbootldr ? "/efi" : "/boot") : undefined;
  };
  return {
    ...spec,
    layout: { ...layout, partitions: partitions.map((one) => ({ ...one, mount: place(one) })) },
  };
}

function parseMount(text: string): [number, string] {
  const match = /^(\d+):(\/.+)$/.exec(text);
  if (match === null)
    throw new UsageError(`--mount "${text}": write the partition, a colon, and where: 1:/boot`);
  return [Number(match[1]), match[2]!];
}

function rootOf(partitions: readonly LayoutPartition[], number: number | undefined): LayoutPartition {
  const candidates = partitions.filter(
    (partition) =>
      partition.filesystem?.type === "ext4" && (number === undefined || partition.number === number),
  );
  const [root] = candidates;
  if (candidates.length === 1) return root!;
  const found = candidates.map((partition) => partition.number).join(", ");
  throw new UsageError(
    candidates.length === 0
      ? `${number === undefined ? "no partition" : `partition ${number}`} has an ext4 filesystem, in which the script could run`
      : `partitions ${found} have ext4 filesystems: name the root with --root-partition`,
  );
}
