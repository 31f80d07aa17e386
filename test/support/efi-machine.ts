import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { EfiPartition } from "../../src/boot/index.ts";
import { type ImageSpec, image, plan, write } from "../../src/image/index.ts";
import { fileTarget } from "../../src/node/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";

const FIRMWARE = "/usr/share/OVMF";

/** Firmware for machines in tests: its code, and the variables that it comes with. */
export interface Firmware {
  readonly code: string;
  readonly variables: string;
}

/** OVMF with flash memory of 4 MiB, and its older kind with 2 MiB. */
export const OVMF_4M: Firmware = {
  code: join(FIRMWARE, "OVMF_CODE_4M.fd"),
  variables: join(FIRMWARE, "OVMF_VARS_4M.fd"),
};
export const OVMF_2M: Firmware = {
  code: join(FIRMWARE, "OVMF_CODE.fd"),
  variables: join(FIRMWARE, "OVMF_VARS.fd"),
};

/** Files of variables that OVMF comes with: the usual one, and those of others that are there. */
export function firmwareVariables(): string[] {
  const others = ["_4M.ms.fd", "_4M.snakeoil.fd", ".fd", ".ms.fd"].map((suffix) =>
    join(FIRMWARE, `OVMF_VARS${suffix}`),
  );
  return [OVMF_4M.variables, ...others.filter((path) => existsSync(path))];
}

/** Writes a disk that is one EFI system partition with some files, and tells how firmware finds the partition. */
export async function writeEfiDisk(
  path: string,
  table: "gpt" | "mbr",
  entries: readonly Entry[],
): Promise<EfiPartition> {
  const megabyte = 2 ** 20;
  const esp = { name: "ESP", type: "esp", size: 64 * megabyte, mount: "/" };
  const spec: ImageSpec = {
    root: treeOf(entries),
    layout: { name: "custom", table, partitions: [{ ...esp, filesystem: { type: "fat" } }] },
  };
  const checked = image(spec);
  const planned = plan(checked);
  await write(planned, fileTarget(path));
  const { number, offset, size, guid } = planned.partitions[0]!;
  const place = { number, firstLba: offset / 512, sectors: size / 512 };
  return guid === undefined ? { ...place, signature: checked.diskSignature } : { ...place, guid };
}

/** A machine that is started once. */
export interface EfiMachine {
  readonly firmware: Firmware;
  /** Its flash memory, which it writes to. */
  readonly variables: string;
  readonly disk: string;
  /** It is stopped when its serial line said this. Default: it powers off. */
  readonly until?: string;
}

/** Starts a machine, and gives back what its serial line said until it was over. */
export async function bootEfi({ firmware, variables, disk, until }: EfiMachine): Promise<string> {
  const flash = (unit: number, file: string): string => `if=pflash,format=raw,unit=${unit},file=${file}`;
  const args = [
    ["-machine", "q35,smm=off,vmport=off", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512"],
    ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ["-drive", `${flash(0, firmware.code)},readonly=on`, "-drive", flash(1, variables)],
    ["-drive", `if=none,id=disk,file=${disk},format=raw,snapshot=on`],
    ["-device", "virtio-blk-pci,drive=disk", "-chardev", "stdio,id=console", "-serial", "chardev:console"],
  ].flat();
  const machine = spawn("qemu-system-x86_64", args, { stdio: ["ignore", "pipe", "pipe"] });
  const limit = setTimeout(() => machine.kill("SIGKILL"), 120_000);
  let said = "";
  const hear = (text: string): void => {
    said += text;
    if (until !== undefined && said.includes(until)) machine.kill();
  };
  machine.stdout.setEncoding("latin1").on("data", hear);
  machine.stderr.setEncoding("latin1").on("data", hear);
  await new Promise<void>((resolve, reject) => machine.on("close", () => resolve()).on("error", reject));
  clearTimeout(limit);
  return said;
}
