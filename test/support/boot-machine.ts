import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What tests say on the serial line when they got where they should. */
export const MARKER = "diskwright-was-here";

/** Where Debian has the firmware for UEFI. */
const FIRMWARE = "/usr/share/OVMF";

/** Whether firmware for UEFI is there. */
export function hasFirmware(): boolean {
  return existsSync(join(FIRMWARE, "OVMF_CODE_4M.fd"));
}

/** Puts a file into a staged directory. */
export function stageFile(root: string, path: string, content: string | Uint8Array, mode = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

/** The smallest system that says what it was started with: busybox, and an init that powers off. */
export function stageMiniSystem(root: string): void {
  for (const directory of ["bin", "dev", "proc", "sbin", "sys", "boot"]) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  copyFileSync("/usr/bin/busybox", join(root, "bin/busybox"));
  chmodSync(join(root, "bin/busybox"), 0o755);
  const init = [
    "#!/bin/busybox sh",
    "/bin/busybox mount -t devtmpfs none /dev",
    "/bin/busybox mount -t proc none /proc",
    `echo "${MARKER}: $(/bin/busybox cat /proc/cmdline)" >/dev/ttyS0`,
    "/bin/busybox poweroff -f",
    "",
  ];
  stageFile(root, "sbin/init", init.join("\n"), 0o755);
}

/** How a disk is started. */
export interface BootOptions {
  readonly firmware: "bios" | "uefi";
  /** QEMU's name for the format of the image. Default `raw`. */
  readonly format?: string;
  /** UEFI variables, of which a copy is used. Default: those of a new machine. */
  readonly variables?: string;
}

/** Emulation is slow, and the host may be busy. */
const SECONDS = 120;

/**
 * Starts a disk without writing to it, and gives back what the serial line said until the machine was off, without
 * what tells terminals about colours and places.
 */
export async function boot(image: string, scratch: string, options: BootOptions): Promise<string> {
  const args = [
    ["-machine", "q35,smm=off,vmport=off", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "512"],
    ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    options.firmware === "uefi" ? firmwareArguments(scratch, options.variables) : [],
    ["-drive", `if=none,id=disk,file=${image},format=${options.format ?? "raw"},cache=unsafe,snapshot=on`],
    ["-device", "nvme,drive=disk,serial=diskwright,bootindex=0", "-device", "virtio-rng-pci"],
    ["-chardev", "stdio,id=console", "-serial", "chardev:console"],
  ].flat();
  const machine = spawn("qemu-system-x86_64", args, { stdio: ["ignore", "pipe", "pipe"] });
  const limit = setTimeout(() => machine.kill("SIGKILL"), 1000 * SECONDS);
  let said = "";
  machine.stdout.setEncoding("latin1").on("data", (text) => (said += text));
  machine.stderr.setEncoding("latin1").on("data", (text) => (said += text));
  await new Promise<void>((resolve, reject) => machine.on("close", () => resolve()).on("error", reject));
  clearTimeout(limit);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with one
  return said.replace(/\x1b\[[0-9;?=]*[A-Za-z]/g, "").replaceAll("\r", "");
}

function firmwareArguments(scratch: string, from = join(FIRMWARE, "OVMF_VARS_4M.fd")): string[] {
  const variables = join(scratch, "variables.fd");
  copyFileSync(from, variables);
  const flash = (unit: number, file: string, rest = ""): string[] => [
    "-drive",
    `if=pflash,format=raw,unit=${unit},file=${file}${rest}`,
  ];
  return [...flash(0, join(FIRMWARE, "OVMF_CODE_4M.fd"), ",readonly=on"), ...flash(1, variables)];
}
