import { randomUUID } from "node:crypto";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkArgument } from "../arguments/index.ts";
import { DiskwrightError } from "../errors.ts";
import { reasonOf, replaceFile, writeAll } from "../node/index.ts";
import { type ChosenAccelerator, chooseAccelerator } from "./accelerator.ts";
import { vmOptionsKind } from "./arguments.ts";
import { type Accelerator, type StepMachine, stepArguments } from "./command-line.ts";
import { VmError, type VmEvidence } from "./error.ts";
import { type Firmware, findFirmware } from "./firmware.ts";
import {
  type InitPlan,
  initScript,
  type OutputLine,
  SCRIPT_PATH,
  type VmLink,
  type VmMount,
} from "./init-script.ts";
import { initramfs } from "./initramfs.ts";
import type { Kernel } from "./kernel.ts";
import { type MachineEnd, runMachine, type VmTimings } from "./machine.ts";
import { type ModuleSet, modulesToLoad, type WantedModules } from "./modules.ts";
import { checkOptions } from "./options.ts";
import { type Busybox, findBusybox, findQemu } from "./programs.ts";
import { panicOf, readableTail } from "./protocol.ts";
import { scratchStem, withScratch, writeScratch } from "./scratch.ts";
import { type FirmwareStore, firmwareStore, makeStore } from "./variables.ts";
import { failureOf } from "./verdict.ts";

/** A script that is to be run as root inside an image, and the machine for it. */
export interface VmOptions {
  /** A raw image, which is written to: whoever keeps the old one works on a copy, and drops it when this fails. */
  readonly image: string;
  /** Bytes of a sector of the disk. Default 512. */
  readonly sectorSize?: 512 | 4096 | undefined;
  /** The partition with the root filesystem, from 1; 0 when it is the whole image. Its type is ext4 by default. */
  readonly root: { readonly partition: number; readonly type?: string | undefined };
  /** Further filesystems of the image. */
  readonly mounts?: readonly VmMount[] | undefined;
  /** Names of the disk and its partitions below `/dev`. */
  readonly links?: readonly VmLink[] | undefined;
  /**
   * The script itself, as text or as bytes; its first line says what runs it (`#!/bin/bash`), otherwise it is
   * `/bin/sh`.
   */
  readonly script: Uint8Array | string;
  readonly kernel: Kernel;
  /** A static busybox for x86-64. Default: one of this host, or of the system that the kernel came with. */
  readonly busybox?: string | undefined;
  /** UEFI firmware, so that the script can set variables. Default: the BIOS. */
  readonly efi?: VmFirmware | undefined;
  /** Default 512. */
  readonly memoryMiB?: number | undefined;
  /** Default 1, which is fastest for most scripts when no accelerator works. */
  readonly cpus?: number | undefined;
  /** Default `auto`: the one of the system if it works, and else `tcg`, which needs none. */
  readonly accelerator?: Accelerator | "auto" | undefined;
  /** After so many seconds the machine is ended. Default 900. */
  readonly timeoutSeconds?: number | undefined;
  /** Ends the machine. */
  readonly signal?: AbortSignal | undefined;
  /** The program. Default: qemu-system-x86_64 of PATH. */
  readonly qemu?: string | undefined;
  /** Further arguments of QEMU. */
  readonly extraArguments?: readonly string[] | undefined;
  /** Variables for the script, beside PATH, HOME and LC_ALL, which it has. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** What the clock shows at the start, in seconds since 1970. Default: the time of the host. */
  readonly time?: number | undefined;
  /** Called with what the script prints, as it comes. */
  readonly onOutput?: ((bytes: Uint8Array) => void) | undefined;
  /** Called with what the kernel prints. */
  readonly onConsole?: ((bytes: Uint8Array) => void) | undefined;
  /** A file for all that the kernel prints. */
  readonly consoleLog?: string | undefined;
  /** Find everything, but start nothing. */
  readonly dryRun?: boolean | undefined;
}

/** Firmware for a step. */
export interface VmFirmware {
  /** The store of variables: it is made if it is missing, and replaced when all went well. */
  readonly variables: string;
  readonly secureBoot?: boolean | undefined;
}

/** A program and its arguments. */
export interface CommandLine {
  readonly program: string;
  readonly args: readonly string[];
}

/** What a machine is made of. */
interface VmFacts {
  /** What is run; with `dryRun`, the files of the machine have names that do not exist. */
  readonly command: CommandLine;
  readonly accelerator: ChosenAccelerator;
  /** The release of the kernel. */
  readonly kernel: string;
}

/** What would be run. */
export interface VmPlanned extends VmFacts {
  readonly status: "planned";
}

/** A script that was run, with success. */
export interface VmDone extends VmFacts {
  readonly status: "done";
  readonly exitCode: 0;
  /** What the script printed; of more than a mebibyte, the end. */
  readonly output: string;
  /** The end of what the kernel printed. */
  readonly consoleTail: string;
  readonly timings: VmTimings;
}

export type VmResult = VmPlanned | VmDone;

const DEFAULTS = { sectorSize: 512, type: "ext4", memoryMiB: 512, cpus: 1, timeoutSeconds: 900 } as const;

const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LC_ALL: "C.UTF-8",
} as const;

/** How much of the console an error shows, in bytes. */
const SHOWN_CONSOLE = 4096;

/**
 * Runs a script as root inside an image, in a virtual machine that has nothing but the image: no network, and nothing
 * of the host. The image is sound when this returns, and not to be used when it throws.
 *
 * @throws VmError with one of the codes that begin with `VM_`, or `ABORTED`, when the run failed; DiskwrightError
 *   with `VM_NO_…` when something is missing for it, or `INVALID_SPEC`, before anything is started.
 */
export async function runInImage(options: VmOptions): Promise<VmResult> {
  checkArgument("options", options, vmOptionsKind);
  const settings = settingsOf(options);
  checkOptions(settings);
  checkHost();
  const prepared = await prepare(settings);
  if (options.dryRun) return { status: "planned", ...factsOf(settings, prepared, `${scratchStem()}XXXXXX`) };
  return await withScratch((directory) => runPrepared(settings, prepared, directory));
}

/** The options with all that has a default. */
interface Settings extends VmOptions {
  readonly script: Uint8Array;
  readonly sectorSize: 512 | 4096;
  readonly root: { readonly partition: number; readonly type: string };
  readonly mounts: readonly VmMount[];
  readonly links: readonly VmLink[];
  readonly environment: Readonly<Record<string, string>>;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly timeoutSeconds: number;
}

function settingsOf(options: VmOptions): Settings {
  return {
    ...options,
    script: typeof options.script === "string" ? Buffer.from(options.script) : options.script,
    sectorSize: options.sectorSize ?? DEFAULTS.sectorSize,
    root: { partition: options.root.partition, type: options.root.type ?? DEFAULTS.type },
    mounts: [...(options.mounts ?? [])].sort((a, b) => depth(a.path) - depth(b.path)),
    links: options.links ?? [],
    environment: { ...ENVIRONMENT, ...options.environment },
    memoryMiB: options.memoryMiB ?? DEFAULTS.memoryMiB,
    cpus: options.cpus ?? DEFAULTS.cpus,
    timeoutSeconds: options.timeoutSeconds ?? DEFAULTS.timeoutSeconds,
  };
}

/** What a machine is made of, found and checked. */
interface Prepared {
  readonly qemu: string;
  readonly accelerator: ChosenAccelerator;
  readonly firmware: Firmware | undefined;
  readonly nonce: string;
  readonly output: OutputLine;
  /** What the kernel starts from. */
  readonly archive: Uint8Array;
}

async function prepare(settings: Settings): Promise<Prepared> {
  const { kernel, efi, signal } = settings;
  const qemu = findQemu(settings.qemu);
  const busybox = await findBusybox(settings.busybox, kernel.modules.files);
  const modules = await modulesToLoad(kernel, wantedModules(settings));
  const firmware = efi && findFirmware({ ...efi, qemu });
  const accelerator = await chooseAccelerator(settings.accelerator ?? "auto", qemu, signal);
  const nonce = `diskwright-${randomUUID()}`;
  const output = modules.has("virtio_console") ? "virtio" : "serial";
  const archive = startArchive(settings, { nonce, output }, modules, busybox);
  return { qemu, accelerator, firmware, nonce, output, archive };
}

/** The machine, with its files in a directory. */
function machineIn(
  settings: Settings,
  { accelerator, output }: Prepared,
  store: FirmwareStore | undefined,
  directory: string,
): StepMachine {
  return {
    ...settings,
    accelerator: accelerator.accelerator,
    firmware: store?.firmware,
    extraArguments: settings.extraArguments ?? [],
    kernel: join(directory, "kernel"),
    initramfs: join(directory, "initramfs"),
    output,
    time: settings.time,
  };
}

function storeIn({ efi }: Settings, { firmware }: Prepared, directory: string): FirmwareStore | undefined {
  return efi && firmware && firmwareStore(firmware, efi.variables, join(directory, "variables"));
}

function factsOf(settings: Settings, prepared: Prepared, directory: string): VmFacts {
  const store = storeIn(settings, prepared, directory);
  const args = stepArguments(machineIn(settings, prepared, store, directory));
  const { qemu, accelerator } = prepared;
  return { command: { program: qemu, args }, accelerator, kernel: settings.kernel.release };
}

async function runPrepared(settings: Settings, prepared: Prepared, directory: string): Promise<VmDone> {
  const { kernel, efi, signal, onOutput, timeoutSeconds } = settings;
  const { qemu, nonce } = prepared;
  const store = storeIn(settings, prepared, directory);
  const machine = machineIn(settings, prepared, store, directory);
  writeScratch(machine.kernel, kernel.bytes);
  writeScratch(machine.initramfs, prepared.archive);
  if (store !== undefined) makeStore(store);
  const args = stepArguments(machine);
  const end = await withConsoleLog(settings, (onConsole) =>
    runMachine({ qemu, args, nonce, timeoutSeconds, signal, onOutput, onConsole }),
  );
  throwFailure(settings, end);
  if (efi !== undefined && store !== undefined) {
    await replaceFile(efi.variables, readFileSync(store.firmware.variables.path));
  }
  return {
    status: "done",
    ...factsOf(settings, prepared, directory),
    exitCode: 0,
    output: Buffer.from(end.output.bytes).toString(),
    consoleTail: readableTail(end.console, SHOWN_CONSOLE),
    timings: end.timings,
  };
}

function depth(path: string): number {
  return path.split("/").length;
}

/** QEMU for Windows cannot take over the descriptors by which it is listened to. */
function checkHost(): void {
  if (process.platform !== "win32") return;
  throw new DiskwrightError(
    "VM_NO_QEMU",
    "scripts are run in virtual machines on Linux, macOS and other Unix systems: use the Windows Subsystem for Linux",
  );
}

/** Filesystems whose module has another name. */
const FILESYSTEM_MODULES: Readonly<Record<string, string>> = { ext2: "ext4", ext3: "ext4" };

function wantedModules({ root, mounts, efi }: Settings): WantedModules {
  const types = [root, ...mounts].map(({ type }) => type);
  return {
    required: [
      "virtio_pci",
      "virtio_blk",
      ...types.map((type) => FILESYSTEM_MODULES[type] ?? type),
      ...(efi === undefined ? [] : ["efivarfs"]),
    ],
    optional: [
      // ext4 asks for it by what it computes, and FAT for the alphabets of its names.
      "crc32c_generic",
      ...(types.includes("vfat") ? ["nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8"] : []),
      "virtio_console",
      "virtio_rng",
    ],
  };
}

/** What the kernel starts from. */
function startArchive(
  settings: Settings,
  line: Pick<InitPlan, "nonce" | "output">,
  { modules }: ModuleSet,
  { bytes: busybox }: Busybox,
): Uint8Array {
  const { script } = settings;
  const hasInterpreter = script[0] === 0x23 && script[1] === 0x21;
  const command = hasInterpreter ? [SCRIPT_PATH] : ["/bin/sh", SCRIPT_PATH];
  const init = initScript({ ...settings, ...line, modules, command });
  return initramfs({ init, busybox, modules, script });
}

/** Has all that the kernel prints written to a file as well, if one is named. */
async function withConsoleLog<Result>(
  { consoleLog, onConsole }: VmOptions,
  run: (onConsole: ((bytes: Uint8Array) => void) | undefined) => Promise<Result>,
): Promise<Result> {
  if (consoleLog === undefined) return await run(onConsole);
  const attempt = <Value>(action: () => Value): Value => {
    try {
      return action();
    } catch (error) {
      throw new DiskwrightError("OUTPUT", `${consoleLog}: ${reasonOf(error)}`, {
        path: consoleLog,
        cause: error,
      });
    }
  };
  const descriptor = attempt(() => openSync(consoleLog, "w"));
  try {
    return await run((bytes) => {
      attempt(() => writeAll(descriptor, bytes, null));
      onConsole?.(bytes);
    });
  } finally {
    closeSync(descriptor);
  }
}

/** How much of the output an error shows that nobody has seen, in bytes. */
const SHOWN_OUTPUT = 1024;

function throwFailure({ image, timeoutSeconds, memoryMiB, onOutput }: Settings, end: MachineEnd): void {
  const { records, events, exit, endedFor, qemuMessages } = end;
  const panic = panicOf(end.console.bytes);
  const failure = failureOf({
    image,
    records,
    events,
    exit,
    endedFor,
    timeoutSeconds,
    memoryMiB,
    panic,
    qemuMessages,
  });
  if (failure === undefined) return;
  const evidence: VmEvidence = {
    exitCode: records.find((record) => record.type === "exit")?.code,
    output: Buffer.from(end.output.bytes).toString(),
    consoleTail: readableTail(end.console, SHOWN_CONSOLE),
    qemuMessages,
    timings: end.timings,
  };
  const unseen = onOutput === undefined ? readableTail(end.output, SHOWN_OUTPUT) : "";
  const message = `${failure.message}${shown("the script's output", unseen)}${shown("the console", evidence.consoleTail)}`;
  throw new VmError(failure.code, message, evidence, { path: image });
}

function shown(what: string, text: string): string {
  return text === "" ? "" : `\n${what} ended with:\n${text.replaceAll(/^/gm, "  | ")}`;
}
