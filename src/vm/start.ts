import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { checkArgument } from "../arguments/index.ts";
import { DiskwrightError, throwProblems } from "../errors.ts";
import { type ChosenAccelerator, chooseAccelerator } from "./accelerator.ts";
import { startOptionsKind } from "./arguments.ts";
import { endWithProcess, startFailure } from "./child.ts";
import { type Accelerator, startArguments } from "./command-line.ts";
import { findFirmware } from "./firmware.ts";
import { machineProblems } from "./options.ts";
import { findQemu } from "./programs.ts";
import type { CommandLine } from "./run.ts";
import { scratchStem, withScratch } from "./scratch.ts";
import { type FirmwareStore, firmwareStore, makeStore } from "./variables.ts";

/** An image that is to be started, to try it. */
export interface StartOptions {
  readonly image: string;
  /** QEMU's name for the driver of its format: `raw`, `qcow2`, `vdi`, `vpc`, `vhdx`, `vmdk`. */
  readonly format: string;
  /** Bytes of a sector of the disk. Default 512. */
  readonly sectorSize?: 512 | 4096 | undefined;
  readonly firmware: "bios" | "uefi";
  /** UEFI that starts only what is signed. */
  readonly secureBoot?: boolean | undefined;
  /** A store of UEFI's variables. What the machine changes in it is kept with `keepChanges`, which makes it if need be. */
  readonly variables?: string | undefined;
  /** Whether what the machine writes stays in the image. Default: no, the image is left as it is. */
  readonly keepChanges?: boolean | undefined;
  /** Default 1024. */
  readonly memoryMiB?: number | undefined;
  /** Default 2. */
  readonly cpus?: number | undefined;
  readonly accelerator?: Accelerator | "auto" | undefined;
  /** What the disk is connected by. Default `virtio`; more kernels have the driver for `nvme` built in. */
  readonly disk?: "virtio" | "nvme" | undefined;
  /** A window with the screen, or nothing but the serial line. Default `none`. */
  readonly display?: "none" | "window" | undefined;
  readonly qemu?: string | undefined;
  readonly extraArguments?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Find everything, but start nothing. */
  readonly dryRun?: boolean | undefined;
}

/** How a machine that was started ended, or how it would be started. */
export interface StartResult {
  readonly status: "ended" | "planned";
  readonly command: CommandLine;
  readonly accelerator: ChosenAccelerator;
  /** With which QEMU ended; `undefined` when nothing was started. */
  readonly exitCode: number | undefined;
}

/**
 * Starts an image, with its serial line on standard input and output, and waits until the machine is off. Ctrl-A X
 * ends it.
 *
 * @throws DiskwrightError `VM_NO_…` when something is missing for it, `VM_QEMU_KILLED` or `ABORTED` when it was ended
 *   by a signal.
 */
export async function startImage(options: StartOptions): Promise<StartResult> {
  checkArgument("options", options, startOptionsKind);
  const { memoryMiB = 1024, cpus = 2, keepChanges = false, signal } = options;
  throwProblems("INVALID_SPEC", "the image cannot be started", machineProblems({ memoryMiB, cpus }));
  const qemu = findQemu(options.qemu);
  const accelerator = await chooseAccelerator(options.accelerator ?? "auto", qemu, signal);

  const storeIn = (directory: string): FirmwareStore | undefined =>
    options.firmware === "bios" ? undefined : storeOf(options, qemu, directory);
  const commandWith = (store: FirmwareStore | undefined): CommandLine => ({
    program: qemu,
    args: startArguments({
      image: { path: options.image, format: options.format },
      firmware: store?.firmware,
      accelerator: accelerator.accelerator,
      disk: options.disk ?? "virtio",
      sectorSize: options.sectorSize ?? 512,
      display: options.display ?? "none",
      extraArguments: options.extraArguments ?? [],
      memoryMiB,
      cpus,
      keepChanges,
    }),
  });
  if (options.dryRun) {
    const command = commandWith(storeIn(`${scratchStem()}XXXXXX`));
    return { status: "planned", command, accelerator, exitCode: undefined };
  }
  return await withScratch(async (directory) => {
    const store = storeIn(directory);
    if (store !== undefined) makeStore(store);
    const command = commandWith(store);
    return { status: "ended", command, accelerator, exitCode: await run(command, signal) };
  });
}

/** Firmware with variables that the machine may write: the caller's own when changes are kept. */
function storeOf(
  { variables, keepChanges, secureBoot }: StartOptions,
  qemu: string,
  directory: string,
): FirmwareStore {
  const firmware = findFirmware({ qemu, secureBoot, variables });
  const isKept = keepChanges && variables !== undefined;
  return firmwareStore(firmware, variables, isKept ? variables : join(directory, "variables"));
}

/** How long QEMU may take to end in order, which sets the terminal right again. */
const GRACE_MILLISECONDS = 500;

async function run({ program, args }: CommandLine, signal: AbortSignal | undefined): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit" });
  const release = endWithProcess(child);
  let timer: NodeJS.Timeout | undefined;
  const abort = (): void => {
    child.kill("SIGTERM");
    timer = setTimeout(() => child.kill("SIGKILL"), GRACE_MILLISECONDS);
  };
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  try {
    const { code, endedBy } = await ended(program, child);
    if (signal?.aborted) throw new DiskwrightError("ABORTED", "stopped on request");
    if (code === null) throw new DiskwrightError("VM_QEMU_KILLED", `QEMU was ended by the signal ${endedBy}`);
    return code;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    release();
  }
}

async function ended(
  program: string,
  child: ChildProcess,
): Promise<{ readonly code: number | null; readonly endedBy: string | null }> {
  return await new Promise((resolve, reject) => {
    child.on("error", (error) => reject(startFailure(program, error)));
    child.on("close", (code, endedBy) => resolve({ code, endedBy }));
  });
}
