import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { reasonOf } from "../node/index.ts";
import type { MachineSpec } from "../spec/index.ts";
import { type CommandLine, findKernel, hostFiles, type ImageStep, type Kernel } from "../vm/index.ts";
import { UsageError } from "./exit.ts";
import type { NamedOutput } from "./output.ts";
import type { Talk } from "./talk.ts";

/** What a script is run with, for `build` and `vm`. */
export interface StepSettings {
  readonly script: string;
  readonly machine: MachineSpec;
  /** UEFI, and its variables. Default: the BIOS. */
  readonly efi: ImageStep["efi"];
  readonly outputs: readonly NamedOutput[];
  readonly time: number | undefined;
  readonly voice: Talk;
  readonly signal: AbortSignal;
  /** Where the script's output goes. */
  readonly onOutput: ((bytes: Uint8Array) => void) | undefined;
}

/** The options of a machine as the library takes them. The disk is kept beside the first output meanwhile. */
export async function stepOf(settings: StepSettings): Promise<ImageStep> {
  const { machine, efi, outputs, time, signal, onOutput, voice } = settings;
  const file = outputs.find(({ path }) => path !== "-");
  return {
    script: scriptText(settings.script),
    kernel: await kernelOf(machine),
    busybox: machine.busybox,
    efi,
    accelerator: machine.accelerator,
    timeoutSeconds: machine.timeout,
    memoryMiB: machine.memory,
    cpus: machine.cpus,
    devices: machine.devices,
    qemu: machine.qemu,
    extraArguments: machine.qemuArguments,
    consoleLog: machine.consoleLog,
    isInPlace: machine.inPlace,
    directory: file && dirname(resolve(file.path)),
    time,
    environment: time === undefined ? {} : { SOURCE_DATE_EPOCH: String(time) },
    signal,
    onOutput: (bytes) => {
      voice.end();
      onOutput?.(bytes);
    },
  };
}

/** A kernel of the host, or how that of the tree is found. */
async function kernelOf({ kernel, kernelFrom, modules }: MachineSpec): Promise<ImageStep["kernel"]> {
  const places = { kernel, modules };
  const isFound = kernelFrom === undefined;
  return isFound ? places : ((await findKernel(hostFiles(resolve(kernelFrom)), places)) satisfies Kernel);
}

function scriptText(path: string): Uint8Array {
  try {
    return readFileSync(path === "-" ? 0 : path);
  } catch (error) {
    throw new UsageError(`${path}: ${reasonOf(error)}`);
  }
}

/** A command line as a shell reads it. */
export function shellLine({ program, args }: CommandLine): string {
  return [program, ...args].map(shellWord).join(" ");
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
