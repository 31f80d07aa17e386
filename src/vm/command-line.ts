import { DISK_SERIAL, OUTPUT_PORT, type OutputLine } from "./init-script.ts";

/** What makes a guest's instructions run: hardware by way of the system, or QEMU's own translation (`tcg`). */
export type Accelerator = "kvm" | "hvf" | "whpx" | "tcg";

/** A file that QEMU opens, by the name of its driver for the format. */
export interface DriveFile {
  readonly path: string;
  readonly format: string;
}

/** Firmware as a machine has it. */
export interface MachineFirmware {
  readonly code: DriveFile;
  /** Written by the machine. */
  readonly variables: DriveFile;
  /** Whether it keeps secrets from the system by system management mode. */
  readonly needsSmm: boolean;
}

/** What every machine has. */
export interface Machine {
  readonly accelerator: Accelerator;
  readonly memoryMiB: number;
  readonly cpus: number;
  /** Bytes of a sector of the disk. */
  readonly sectorSize: 512 | 4096;
  /** UEFI; the BIOS that QEMU brings without it. */
  readonly firmware: MachineFirmware | undefined;
  /** Behind all others, so that they win. */
  readonly extraArguments: readonly string[];
}

/** A machine that runs a script in an image. */
export interface StepMachine extends Machine {
  /** A raw image; the machine writes to it. */
  readonly image: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly output: OutputLine;
  /** Seconds since 1970 that its clock shows at the start; the host's without it. */
  readonly time: number | undefined;
}

/** What of the machine comes and goes on which descriptor. */
export const DESCRIPTORS = { console: 3, output: 4, control: 5, monitor: 6 } as const;

// A kernel that gives up resets the machine at once, which ends QEMU. The processor's own randomness saves seconds at
// the start, and nothing here is worth attacking by timing.
const KERNEL_PARAMETERS =
  "console=ttyS0 loglevel=4 panic=-1 oops=panic random.trust_cpu=on mitigations=off 8250.nr_uarts=4";

/** The arguments of QEMU for a machine that runs a script in an image. */
export function stepArguments(machine: StepMachine): string[] {
  const { image, kernel, initramfs, output, time, sectorSize } = machine;
  const clock = time === undefined ? "utc" : new Date(time * 1000).toISOString().slice(0, 19);
  const disk = {
    driver: "raw",
    "node-name": "disk",
    discard: "unmap",
    // The image is worthless until the machine is done: nothing has to survive a loss of power.
    cache: { direct: false, "no-flush": true },
    file: { driver: "file", filename: image, discard: "unmap" },
  };
  return [
    ...machineArguments(machine, []),
    ...["-display", "none", "-no-reboot"],
    // It waits until its events are listened to, so that none is missed.
    "-S",
    ...["-kernel", kernel, "-initrd", initramfs, "-append", KERNEL_PARAMETERS],
    ...["-blockdev", JSON.stringify(disk)],
    ...[
      "-device",
      `virtio-blk-pci,drive=disk,serial=${DISK_SERIAL},werror=report,rerror=report${sectorProperties(sectorSize)}`,
    ],
    ...["-device", "virtio-rng-pci"],
    ...["-rtc", `base=${clock},clock=vm`],
    ...Object.entries(DESCRIPTORS).flatMap(([id, fd]) => ["-chardev", `socket,id=${id},fd=${fd}`]),
    ...["-serial", "chardev:console"],
    // Firmware speaks on the first two serial lines.
    ...["-serial", output === "serial" ? "chardev:output" : "null"],
    ...["-serial", "chardev:control"],
    ...(output === "virtio"
      ? [
          ...["-device", "virtio-serial-pci"],
          ...["-device", `virtserialport,chardev=output,name=${OUTPUT_PORT}`],
        ]
      : []),
    ...["-mon", "chardev=monitor,mode=control"],
    ...machine.extraArguments,
  ];
}

/** A machine that starts an image as its user would. */
export interface StartMachine extends Machine {
  readonly image: DriveFile;
  /** Whether what the machine writes stays in the image. */
  readonly keepChanges: boolean;
  readonly disk: "virtio" | "nvme";
  readonly display: "none" | "window";
}

const DISK_DEVICES = { virtio: "virtio-blk-pci", nvme: "nvme" } as const;

/** The arguments of QEMU for a machine that starts an image, with its serial line on standard input and output. */
export function startArguments(machine: StartMachine): string[] {
  const { image, keepChanges, disk, display, sectorSize } = machine;
  const drive = [
    "if=none,id=disk,discard=unmap",
    `format=${image.format}`,
    "file.driver=file",
    `file.filename=${image.path.replaceAll(",", ",,")}`,
    ...(keepChanges ? [] : ["snapshot=on,cache=unsafe"]),
  ];
  return [
    // Without graphics, the BIOS shows on the serial line what it would show on the screen.
    ...machineArguments(machine, display === "none" ? ["graphics=off"] : []),
    ...(display === "none" ? ["-display", "none"] : ["-device", "VGA"]),
    ...["-drive", drive.join(",")],
    // Before networks, and behind a kernel of the extra arguments.
    ...[
      "-device",
      `${DISK_DEVICES[disk]},drive=disk,serial=${DISK_SERIAL},bootindex=1${sectorProperties(sectorSize)}`,
    ],
    ...["-device", "virtio-rng-pci"],
    // Ctrl-A X ends the machine; Ctrl-C is for what runs in it.
    ...["-chardev", "stdio,id=console,mux=on,signal=off", "-serial", "chardev:console"],
    ...["-mon", "chardev=console,mode=readline"],
    ...machine.extraArguments,
  ];
}

/** What a disk whose sectors are not those of QEMU has. */
function sectorProperties(sectorSize: 512 | 4096): string {
  return sectorSize === 512 ? "" : `,logical_block_size=${sectorSize},physical_block_size=${sectorSize}`;
}

/** What every machine starts with. */
function machineArguments(
  { accelerator, memoryMiB, cpus, firmware }: Machine,
  properties: readonly string[],
): string[] {
  const type =
    firmware === undefined
      ? "pc"
      : `q35,smm=${firmware.needsSmm ? "on" : "off"},vmport=off,pflash0=code,pflash1=variables`;
  return [
    ...["-nodefaults", "-no-user-config"],
    ...["-machine", [type, ...properties].join(",")],
    ...["-accel", accelerator === "tcg" ? "tcg,thread=multi" : accelerator],
    ...["-cpu", "max", "-smp", String(cpus), "-m", String(memoryMiB)],
    ...(firmware === undefined ? [] : firmwareArguments(firmware)),
  ];
}

function firmwareArguments({ code, variables, needsSmm }: MachineFirmware): string[] {
  const flash = ({ path, format }: DriveFile, name: string, isReadOnly: boolean): string[] => [
    "-blockdev",
    JSON.stringify({
      driver: format,
      "node-name": name,
      "read-only": isReadOnly,
      file: { driver: "file", filename: path },
    }),
  ];
  return [
    ...flash(code, "code", true),
    ...flash(variables, "variables", false),
    // Only firmware itself, in system management mode, may write to the flash memory.
    ...(needsSmm ? ["-global", "driver=cfi.pflash01,property=secure,value=on"] : []),
  ];
}
