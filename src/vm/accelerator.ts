import { existsSync } from "node:fs";
import { join } from "node:path";
import { DiskwrightError } from "../errors.ts";
import { runProgram } from "./child.ts";
import type { Accelerator } from "./command-line.ts";
import { withScratch, writeScratch } from "./scratch.ts";

/** What became of trying an accelerator. */
export interface AcceleratorProbe {
  readonly accelerator: Accelerator;
  readonly works: boolean;
  /** Why it does not work; empty when it does. */
  readonly reason: string;
}

/** What a machine is run with, and what was tried before. */
export interface ChosenAccelerator {
  readonly accelerator: Accelerator;
  readonly probe: AcceleratorProbe | undefined;
}

/** What the system here may have. */
export function nativeAccelerator(platform: string = process.platform): Accelerator | undefined {
  return ({ linux: "kvm", darwin: "hvf", win32: "whpx" } as const)[platform as "linux"];
}

// mov dx, 0x501; mov al, 0x10; out dx, al; hlt; jmp to the hlt
const PROGRAM = [0xba, 0x01, 0x05, 0xb0, 0x10, 0xee, 0xf4, 0xeb, 0xfd];
const SECTOR_SIZE = 512;
/** QEMU's isa-debug-exit makes status 2n + 1 of the number n that is written to its port, 0x501. */
const STATUS = 0x21;
/** Translation takes a third of a second for it; an accelerator that hangs takes for ever. */
const LIMIT_MILLISECONDS = 3000;

/**
 * Tries an accelerator by running something with it. That it can be opened tells little: in a container or a nested
 * machine it may fail at the first instruction, or never come to it.
 */
export async function probeAccelerator(
  accelerator: Accelerator,
  qemu: string,
  signal?: AbortSignal | undefined,
): Promise<AcceleratorProbe> {
  if (accelerator === "kvm" && process.platform === "linux" && !existsSync("/dev/kvm")) {
    return { accelerator, works: false, reason: "there is no /dev/kvm" };
  }
  return await withScratch(async (directory) => {
    const path = join(directory, "sector");
    const sector = new Uint8Array(SECTOR_SIZE);
    sector.set(PROGRAM);
    sector.set([0x55, 0xaa], SECTOR_SIZE - 2);
    writeScratch(path, sector);
    const args = [
      ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
      ...["-machine", "pc", "-accel", accelerator, "-cpu", "max", "-m", "16"],
      ...["-device", "isa-debug-exit"],
      ...["-drive", `format=raw,file.driver=file,file.filename=${path.replaceAll(",", ",,")}`],
    ];
    const result = await runProgram(qemu, args, { milliseconds: LIMIT_MILLISECONDS, signal });
    if (signal?.aborted) throw new DiskwrightError("ABORTED", "stopped on request");
    const works = result.code === STATUS;
    return { accelerator, works, reason: works ? "" : reasonOfResult(result) };
  });
}

function reasonOfResult({
  code,
  signal,
  startError,
  isTimedOut,
  stderr,
}: Awaited<ReturnType<typeof runProgram>>): string {
  if (startError !== undefined) return startError.message;
  if (isTimedOut) return `it started, but ran nothing within ${LIMIT_MILLISECONDS / 1000} seconds`;
  const said = stderr.trim().split("\n").at(-1)!;
  return said === "" ? `QEMU ended with ${signal ?? `status ${code}`}` : said;
}

/**
 * What a machine is to be run with: what is asked for, or with `auto` the accelerator of the system if it works, and
 * else translation.
 *
 * @throws DiskwrightError `VM_NO_ACCELERATOR` when the one that is asked for does not work.
 */
export async function chooseAccelerator(
  wanted: Accelerator | "auto",
  qemu: string,
  signal?: AbortSignal | undefined,
): Promise<ChosenAccelerator> {
  const tried = wanted === "auto" ? nativeAccelerator() : wanted;
  if (tried === undefined || tried === "tcg") return { accelerator: "tcg", probe: undefined };
  const probe = await probeAccelerator(tried, qemu, signal);
  if (probe.works) return { accelerator: tried, probe };
  if (wanted === "auto") return { accelerator: "tcg", probe };
  throw new DiskwrightError(
    "VM_NO_ACCELERATOR",
    `${wanted} does not work here: ${probe.reason}; without one (--accelerator tcg) machines run, but some ten times slower`,
  );
}
