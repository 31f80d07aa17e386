import { type Command, Option } from "commander";
import { FORMAT_NAMES, type FormatName, formatFacts } from "../formats/index.ts";
import type { BuildOptions } from "./build.ts";
import type { ConvertOptions } from "./convert.ts";
import type { DoctorOptions } from "./doctor.ts";
import type { InspectOptions } from "./inspect.ts";
import { type AddOptions, LaterOptions } from "./later.ts";
import type { Ext4Options, FatOptions } from "./mkfs.ts";
import {
  addConvertOptions,
  addExt4Options,
  addFatOptions,
  addImageOptions,
  addJsonOption,
  addMachineOptions,
  addOutputOptions,
  addScriptOptions,
  addStepOptions,
  BACKING_HELP,
  collect,
  fromOption,
  type ImageOptions,
  progressOption,
  spoolOption,
} from "./options.ts";
import { parseCount, parseTime } from "./parse.ts";
import type { RunOptions } from "./run.ts";
import type { VmCommandOptions } from "./vm.ts";

// The commands and their help. What a command does is loaded when it is run: starting takes a good part of a
// short run.

/** Adds every command to the program. */
export function addCommands(program: Command, signal: AbortSignal): void {
  const later = new LaterOptions();
  const imageCommand = (name: string, add: AddOptions): Command =>
    later
      .command(program, name, (command) => add(addImageOptions(command)))
      .argument("[spec|source]", SPEC_HELP);

  imageCommand("build", (command) => addStepOptions(addJsonOption(addOutputOptions(command))))
    .summary("make a disk image of directories and tars")
    .description(
      "Makes a disk image of directories and tars: partition table, filesystems, and every file in its place.",
    )
    .addHelpText("after", `${IMAGE_HELP}\n${FORMATS_HELP}\n${BUILD_EXAMPLES}`)
    .action(async (path: string | undefined, options: BuildOptions) =>
      (await import("./build.ts")).runBuild(path, options, signal),
    );

  imageCommand("plan", (command) =>
    command
      .option("--json", "as JSON, with every byte range")
      .option("-q, --quiet", "no progress")
      .addOption(progressOption()),
  )
    .summary("say what build would write, and why it has that size")
    .description("Says what build would write: partitions, filesystems, what takes the room, where it lies.")
    .addHelpText("after", IMAGE_HELP)
    .action(async (path: string | undefined, options: ImageOptions) =>
      (await import("./build.ts")).runPlan(path, options, signal),
    );

  imageCommand("spec", (command) => command)
    .summary("write out a spec in full, presets as partitions")
    .description(
      "Writes the spec that a file and options make, as JSON: presets are written out as partitions.",
    )
    .addHelpText("after", IMAGE_HELP)
    .action(async (path: string | undefined, options: ImageOptions) =>
      (await import("./build.ts")).runSpec(path, options),
    );

  const mkfs = program
    .command("mkfs")
    .summary("make one filesystem, with no partition table")
    .description("Makes one filesystem of a directory, with no partition table around it.");
  later
    .command(mkfs, "ext4", (command) => addJsonOption(addOutputOptions(addExt4Options(command))))
    .argument("<source>", SOURCE_HELP)
    .summary("make an ext4 filesystem")
    .description("Makes an ext4 filesystem of a directory, by default the smallest that holds it.")
    .action(async (path: string, options: Ext4Options) =>
      (await import("./mkfs.ts")).runExt4(path, options, signal),
    );
  later
    .command(mkfs, "fat", (command) => addJsonOption(addOutputOptions(addFatOptions(command))))
    .alias("vfat")
    .argument("<source>", SOURCE_HELP)
    .summary("make a FAT filesystem")
    .description("Makes a FAT filesystem of a directory, FAT32 unless --bits says otherwise.")
    .action(async (path: string, options: FatOptions) =>
      (await import("./mkfs.ts")).runFat(path, options, signal),
    );

  program
    .command("inspect")
    .summary("say what an image holds")
    .description(
      "Says what an image holds: partition table, partitions, filesystems, and what is wrong with them.",
    )
    .argument("<image>", "a disk image, or an image of one filesystem")
    .addOption(
      new Option(
        "--sector-size <bytes>",
        "bytes of a sector (default: found by where the table lies)",
      ).choices(["512", "4096"]),
    )
    .option("--no-check", "do not check filesystems as a whole: only say what opening them shows")
    .addOption(fromOption())
    .option("--backing", BACKING_HELP)
    .addOption(spoolOption())
    .addOption(progressOption())
    .option("--json", "as JSON")
    .action(async (path: string, options: InspectOptions) =>
      (await import("./inspect.ts")).runInspect(path, options, signal),
    );

  later
    .command(program, "convert", addConvertOptions)
    .summary("turn an image into one of another format")
    .description(
      "Turns an image into one or several of other formats, in one pass. Zeros are left out; the size of the disk stays as it is.",
    )
    .argument("<image>", "a disk image, of any format that is read")
    .argument("[outputs...]", "the images to write, as with -o")
    .addHelpText("after", `${FORMATS_HELP}\n${CONVERT_EXAMPLES}`)
    .action(async (path: string, outputs: string[], options: ConvertOptions) =>
      (await import("./convert.ts")).runConvert(path, outputs, options, signal),
    );

  later
    .command(program, "vm", addVmOptions)
    .summary("run a script as root inside an image, in QEMU")
    .description(
      "Runs a script as root inside an image, in a virtual machine without network, and writes the image anew with what it holds then.",
    )
    .argument("<image>", "a disk image, of any format that is read")
    .addHelpText("after", VM_EXAMPLES)
    .action(async (path: string, options: VmCommandOptions) =>
      (await import("./vm.ts")).runVm(path, options, signal),
    );

  later
    .command(program, "run", addRunOptions)
    .summary("start an image in QEMU, to try it")
    .description("Starts an image in QEMU, with its serial line on the terminal.")
    .argument("<image>", "a disk image, of any format that QEMU knows")
    .addHelpText("after", RUN_EXAMPLES)
    .action(async (path: string, options: RunOptions) =>
      (await import("./run.ts")).runRun(path, options, signal),
    );

  program
    .command("doctor")
    .summary("say what of QEMU, firmware and accelerators works here")
    .description("Says what of all that virtual machines need works here, by trying it, and what for.")
    .option("--qemu <file>", "the program (default: qemu-system-x86_64)")
    .option("--busybox <file>", "a static busybox")
    .option("--json", "as JSON")
    .action(async (options: DoctorOptions) => (await import("./doctor.ts")).runDoctor(options, signal));

  later.serve(program);
  later.serve(mkfs);
}

function addVmOptions(command: Command): Command {
  return addScriptOptions(addOutputOptions(command))
    .requiredOption("--script <file>", "what is run, - for standard input")
    .option(
      "--efi-vars <file>",
      "variables of UEFI, which the script can change; made if it is missing (implies --firmware uefi)",
    )
    .option("--efi-vars-from <file>", "what they are made from (default: the template of the firmware)")
    .option(
      "--root-partition <number>",
      "the partition with the root filesystem (default: the ext4 one)",
      parseCount,
    )
    .option(
      "--mount <number:path>",
      "a partition that is mounted; may be given again (default: XBOOTLDR at /boot, the ESP at /boot, or else at /efi)",
      collect,
    )
    .option("--time <seconds|date>", "the only clock (default: $SOURCE_DATE_EPOCH, else 1970)", parseTime)
    .option("--format <name>", "format of the outputs, see build (default: by their names)")
    .addOption(fromOption())
    .option("--backing", BACKING_HELP)
    .addOption(spoolOption())
    .option("--json", "say as JSON how it ended");
}

function addRunOptions(command: Command): Command {
  return addMachineOptions(command)
    .addOption(
      new Option(
        "--firmware <kind>",
        "what starts it (default: UEFI where there is an EFI system partition)",
      ).choices(["bios", "uefi"]),
    )
    .option("--efi-vars <file>", "variables of UEFI (default: those of a new machine)")
    .option("--secure-boot", "UEFI that starts only what is signed")
    .option("--keep", "keep what the machine writes to the image and to its variables")
    .option("--window", "a window with the screen")
    .addOption(
      new Option("--disk <kind>", "what connects the disk (default: virtio)").choices(["virtio", "nvme"]),
    )
    .addOption(fromOption())
    .option("--backing", BACKING_HELP);
}

const RUN_EXAMPLES = `
The serial line of the machine is the terminal; Ctrl-A X ends it. Nothing is written to the image without --keep.`;

const VM_EXAMPLES = `
Examples:
  diskwright vm disk.img --script setup.sh
  diskwright vm disk.qcow2 --script setup.sh -o done.qcow2 --mount 1:/boot/efi
  diskwright vm disk.img --script - --kernel-from /usr/lib/guest < setup.sh`;

const SPEC_HELP =
  "a file that describes the image, in YAML or JSON, with options that win over it; or what goes in first, as with --root: a directory, a tar, - for a tar on standard input";

const SOURCE_HELP = "a directory, a tar, or - for a tar on standard input";

const IMAGE_HELP = `
Sizes are bytes, or numbers with K, M, G, T (powers of 1024) or KB, MB, GB, TB (powers of 1000).

Layouts:
  none         no partition table: one ext4 filesystem
  legacy       MBR, the root partition from 1 MiB
  legacy+gpt   GPT, a BIOS boot partition for GRUB, the root partition
  efi          GPT, an EFI system partition at /boot, the root partition
  efixbootldr  GPT, an EFI system partition at /efi, an XBOOTLDR partition at /boot, the root partition
  hybrid       GPT, as efi, with a BIOS boot partition for GRUB`;

const FORMATS_HELP = `
Formats, with the ends of names that say them:
${FORMAT_NAMES.map((name) => `  ${name.padEnd(18)}${formatLine(name)}`).join("\n")}`;

function formatLine(name: FormatName): string {
  const { what, suffixes, isOrdered } = formatFacts(name);
  const ends = suffixes.map((suffix) => `.${suffix}`).join(", ");
  return `${what}${ends === "" ? "" : ` (${ends})`}${isOrdered ? "" : "; standard output gets it when all is written"}`;
}

const CONVERT_EXAMPLES = `
Examples:
  diskwright convert disk.img disk.qcow2
  diskwright convert disk.qcow2 qcow2-compressed:small.qcow2 vmdk-stream:disk.vmdk azure:disk.vhd
  diskwright convert disk.vmdk disk.img disk.img.bmap
  diskwright convert disk.vhdx raw-zstd:- > disk.img.zst`;

const BUILD_EXAMPLES = `
Examples:
  diskwright build ./tree -o disk.img
  diskwright build --root ./tree --layout legacy --size 4G --owner 0:0 -o disk.img
  diskwright build machine.yaml -o disk.img
  tar -c … | diskwright build - -o disk.img
  diskwright build --root ./tree -o disk.img -o disk.img.bmap -o qcow2-compressed:disk.qcow2
  diskwright build --root base.tar.zst --root ./overlay --manifest owners.mtree -o disk.img
  diskwright build --root ./tree --layout none --additional-space 0 -o - | gzip > root.ext4.gz`;
