import type { ReadableFormat } from "../formats/index.ts";
import { inspect } from "../inspect/index.ts";
import { aboutImage, fileCompression, openImage } from "../node/index.ts";
import { startImage } from "../vm/index.ts";
import { UsageError } from "./exit.ts";
import { shellLine } from "./machine.ts";
import type { MachineOptions } from "./options.ts";
import { print } from "./output.ts";

/** What the options of `run` hold. */
export interface RunOptions extends MachineOptions {
  readonly firmware?: "bios" | "uefi";
  readonly efiVars?: string;
  readonly secureBoot?: boolean;
  readonly keep?: boolean;
  readonly window?: boolean;
  readonly disk?: "virtio" | "nvme";
  readonly backing?: boolean;
  readonly from?: ReadableFormat;
}

/** What QEMU calls the formats that it opens itself. */
const DRIVERS: Readonly<Record<string, string>> = {
  raw: "raw",
  qcow2: "qcow2",
  vdi: "vdi",
  vpc: "vpc",
  vhdx: "vhdx",
  vmdk: "vmdk",
};

/** `diskwright run` */
export async function runRun(path: string, options: RunOptions, signal: AbortSignal): Promise<void> {
  const { format, sectorSize, hasEfi } = await lookAt(path, options);
  const driver = DRIVERS[format];
  if (driver === undefined) {
    throw new UsageError(`${path}: QEMU cannot start ${format}: convert it first (diskwright convert)`);
  }
  if (format === "vhdx" && sectorSize !== 512) {
    throw new UsageError(
      `${path}: QEMU cannot start a vhdx with sectors of ${sectorSize} bytes: convert it to qcow2 first (diskwright convert)`,
    );
  }
  const result = await startImage({
    image: path,
    format: driver,
    sectorSize,
    firmware: options.firmware ?? (hasEfi ? "uefi" : "bios"),
    secureBoot: options.secureBoot,
    variables: options.efiVars,
    keepChanges: options.keep,
    memoryMiB: options.memory,
    cpus: options.cpus,
    accelerator: options.accelerator,
    disk: options.disk,
    display: options.window ? "window" : "none",
    qemu: options.qemu,
    extraArguments: options.qemuArgument,
    signal,
    dryRun: options.dryRun,
  });
  if (result.status === "planned") await print(shellLine(result.command));
  else if (result.exitCode !== 0) throw new UsageError(`QEMU ended with the status ${result.exitCode}`);
}

async function lookAt(
  path: string,
  { from, backing }: RunOptions,
): Promise<{ readonly format: string; readonly sectorSize: 512 | 4096; readonly hasEfi: boolean }> {
  const compression = from === undefined ? fileCompression(path) : undefined;
  if (compression !== undefined) {
    throw new UsageError(
      `${path}: QEMU cannot start what is packed by ${compression}: unpack it first (diskwright convert)`,
    );
  }
  const { disk, close } = await openImage(path, { format: from, isBackingAllowed: backing });
  try {
    const { table, format } = await aboutImage(path, () => inspect(disk));
    const hasEfi = table.partitions.some(({ typeName, type }) => typeName === "esp" || type === "0xef");
    return { format, sectorSize: table.sectorSize === 4096 ? 4096 : 512, hasEfi };
  } finally {
    close();
  }
}
