import { type Command, Option } from "commander";
import { READABLE_FORMATS } from "../formats/index.ts";
import type { LayoutName } from "../layouts/index.ts";
import { addExt4Tuning, type Ext4Tuning } from "./ext4-options.ts";
import {
  parseCount,
  parseLevel,
  parseOwner,
  parseSeconds,
  parseSector,
  parseSignature,
  parseTime,
  parseWorkers,
} from "./parse.ts";
import { PROGRESS_STYLES, type TalkOptions } from "./talk.ts";

/** The options that decide what goes in, once commander has read them. */
export interface SourceOptions {
  readonly contents?: readonly string[];
  readonly exclude?: readonly string[];
  readonly directory?: readonly string[];
  readonly symlink?: readonly string[];
  readonly file?: readonly string[];
  readonly storePaths?: string;
  readonly onlyNixStore?: boolean;
  readonly manifest?: readonly string[];
  readonly owner?: string;
  readonly idMap?: readonly string[];
  readonly uidMap?: readonly string[];
  readonly gidMap?: readonly string[];
  readonly xattrs?: "none" | "portable" | "all";
  readonly holes?: "keep" | "detect";
  readonly hardLinks?: "keep" | "split";
  readonly links?: "refuse" | "split";
  readonly spool?: string;
  readonly time?: number;
  readonly seed?: string;
}

/** Where the image goes, and what is said of it. */
export interface OutputOptions extends PackingOptions, TalkOptions {
  readonly output?: readonly string[];
  readonly force?: boolean;
  readonly json?: boolean;
}

/** How outputs are compressed. */
export interface PackingOptions {
  readonly compressionLevel?: number;
  readonly clusterSize?: string;
  readonly ignoreSectorSize?: boolean;
  readonly portable?: boolean;
  readonly workers?: number;
  readonly zeros?: "holes" | "stored";
}

/** What makes the image boot. */
export interface BootOptions {
  readonly bootloader?: "systemd-boot" | "grub" | "unified-kernel" | "none";
  readonly unifiedKernels?: boolean;
  readonly bootFiles?: string;
  readonly kernelOptions?: string;
  readonly bootTimeout?: number;
  readonly bootEntry?: readonly string[];
  readonly serialConsole?: boolean;
  readonly efiVars?: string;
  readonly efiVarsFrom?: string;
}

/** The virtual machine in which a script is run. */
export interface MachineOptions {
  readonly kernel?: string;
  readonly kernelFrom?: string;
  readonly modules?: string;
  readonly busybox?: string;
  readonly firmware?: "bios" | "uefi";
  readonly accelerator?: "auto" | "kvm" | "hvf" | "whpx" | "tcg";
  readonly vmTimeout?: number;
  readonly memory?: number;
  readonly cpus?: number;
  readonly device?: readonly string[];
  readonly qemu?: string;
  readonly qemuArgument?: readonly string[];
  readonly consoleLog?: string;
  readonly vmInPlace?: boolean;
  readonly dryRun?: boolean;
}

/** What is run inside of an image that is built, and afterwards. */
export interface StepOptions extends MachineOptions {
  readonly runInVm?: string;
  readonly after?: string;
}

/** What `build` and `plan` have in common. */
export interface ImageOptions extends SourceOptions, BootOptions, Ext4Tuning, PackingOptions, TalkOptions {
  readonly output?: readonly string[];
  readonly sizeMultiple?: string;
  readonly root?: readonly string[];
  readonly layout?: LayoutName;
  readonly table?: "gpt" | "mbr" | "none";
  readonly partition?: readonly string[];
  readonly gap?: readonly string[];
  readonly bootCode?: string;
  readonly alignment?: string;
  readonly endGap?: string;
  readonly gptEntriesAt?: string;
  readonly protectiveMbrBootable?: boolean;
  readonly protectiveMbrEntry?: "first" | "last";
  readonly fstab?: true | "uuid" | "partuuid" | "label";
  readonly discoverable?: string;
  readonly size?: string;
  readonly additionalSpace?: string;
  readonly bootSize?: string;
  readonly label?: string;
  readonly sectorSize?: number;
  readonly diskGuid?: string;
  readonly diskSignature?: number;
  readonly rootGuid?: string;
  readonly rootFsUuid?: string;
  readonly skipUnsupported?: boolean;
  readonly compat?: "nixpkgs";
  readonly format?: string;
  readonly json?: boolean;
}

export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

/** The options that decide what goes in, for every command that reads sources. */
export function addSourceOptions(command: Command): Command {
  return command
    .optionsGroup("What goes in:")
    .option("--exclude <glob>", "leave out what matches; may be given again", collect)
    .option(
      "--contents <file|rule>",
      "a file with a list of rules, or one rule: 'source: ./etc, target: /etc, mode: 755, user: root'",
      collect,
    )
    .option("--directory <path|fields>", "make a directory; may be given again", collect)
    .option("--symlink <path=target|fields>", "make a symlink; may be given again", collect)
    .option("--file <path=text|fields>", "make a file of text; may be given again", collect)
    .option("--store-paths <file>", "put the paths that a file lists, one a line, at the same paths")
    .option(
      "--only-nix-store",
      "put the store paths at the root of the filesystem; excludes --contents and --bootloader",
    )
    .option("--manifest <file>", "set types, modes, owners and more from an mtree(5) file", collect)
    .option("--owner <uid:gid>", "give every file of the sources this owner and group", parseOwner)
    .option(
      "--id-map <ranges>",
      "INSIDE:OUTSIDE:COUNT: ids from OUTSIDE on become those from INSIDE on",
      collect,
    )
    .option("--uid-map <ranges>", "the same for users only", collect)
    .option("--gid-map <ranges>", "the same for groups only", collect)
    .addOption(
      new Option(
        "--xattrs <which>",
        "extended attributes to keep; portable (default): all but the host's own, such as SELinux labels",
      ).choices(["none", "portable", "all"]),
    )
    .addOption(
      new Option(
        "--holes <which>",
        "detect: zeros become holes in every file of a tar (default: keep)",
      ).choices(["keep", "detect"]),
    )
    .addOption(
      new Option(
        "--hard-links <which>",
        "split: make each name of a file a file of its own (default: keep)",
      ).choices(["keep", "split"]),
    )
    .addOption(
      new Option(
        "--links <which>",
        "split: store a file with more than 65,000 hard links as several files (default: refuse)",
      ).choices(["refuse", "split"]),
    )
    .option(
      "--spool <directory>",
      "where to keep content that cannot be read twice (default: beside the output)",
    )
    .option(
      "--time <seconds|date>",
      "the only clock (default: $SOURCE_DATE_EPOCH, else 1970); later times become it",
      parseTime,
    )
    .option(
      "--seed <text>",
      "derive all identifiers from this text (default: from the description and the metadata of the tree, so that two systems never share one)",
    )
    .optionsGroup("Options:");
}

/** The options of `build` and `plan`. */
export function addImageOptions(command: Command): Command {
  command
    .option(
      "--root <source>",
      "what goes in: a directory, a tar, - for a tar on standard input, each with :/target if need be; later ones go over earlier ones",
      collect,
    )
    .option("--layout <name>", "how the disk is divided, see below (default: efi)")
    .option(
      "--size <size>",
      'size of the disk; "auto": as small as the tree and the additional space allow; "minimal": without that',
    )
    .option(
      "--additional-space <size>",
      "free space in the root filesystem when the size is auto (default: 512M)",
    )
    .option("--boot-size <size>", "size of the boot partition (default: 256M)")
    .option(
      "--label <text>",
      "label of the root filesystem (default: root; with --only-nix-store: nix-store)",
    );
  addSourceOptions(command);
  command
    .addOption(
      new Option("--sector-size <bytes>", "bytes of a sector (default: 512)")
        .choices(["512", "4096"])
        .argParser(parseSector),
    )
    .option(
      "--partition <fields>",
      "a partition of a layout of one's own: 'name: root, size: rest, …'",
      collect,
    )
    .addOption(
      new Option("--table <kind>", "its partition table (default: gpt)").choices(["gpt", "mbr", "none"]),
    )
    .option("--gap <fields>", "bytes outside of partitions: 'offset: 8K, image: u-boot.bin'", collect)
    .option("--boot-code <file>", "what a BIOS runs: up to 440 bytes, or a boot sector")
    .option("--alignment <size>", "what starts of partitions are multiples of (default: 1M)")
    .option("--end-gap <size>", "what stays free at the end of the disk (default: room for the GPT)")
    .option("--gpt-entries-at <size>", "where the GPT entries start (default: behind the header)")
    .option(
      "--protective-mbr-bootable",
      "make the protective partition in front of a GPT active, for BIOSes that start nothing else",
    )
    .addOption(
      new Option(
        "--protective-mbr-entry <place>",
        "which entry it has in a hybrid MBR (default: last, behind the others)",
      ).choices(["first", "last"]),
    )
    .addOption(
      new Option("--fstab [by]", "write /etc/fstab, with filesystems by uuid, partuuid or label").choices([
        "uuid",
        "partuuid",
        "label",
      ]),
    )
    .option(
      "--discoverable <architecture>",
      "give partitions the types by which systemd finds them, for x86-64 …",
    )
    .option("--disk-guid <guid>", "GUID of the disk (GPT)")
    .option("--disk-signature <number>", "signature of the disk (MBR)", parseSignature)
    .option("--root-guid <guid>", "GUID of the root partition (GPT)")
    .option("--root-fs-uuid <uuid>", "UUID of the root filesystem")
    .option("--skip-unsupported", "leave out what FAT cannot hold (symlinks, devices) instead of refusing it")
    .addOption(
      new Option("--compat <program>", "tables, identifiers and sizes as another program makes them").choices(
        ["nixpkgs"],
      ),
    )
    .option(
      "--size-multiple <size>",
      "what a computed size of the disk is a multiple of (default: what the format asks for)",
    )
    .option("--format <name>", "format of the image, see below (default: by the name of the output)");
  addPackingOptions(command);
  addBootOptions(command);
  return addExt4Tuning(command, "Root filesystem:");
}

/** The options that make the image boot. */
function addBootOptions(command: Command): Command {
  return command
    .optionsGroup("What makes it boot:")
    .addOption(
      new Option(
        "--bootloader <name>",
        "what starts the system: its files and sectors are placed, no program is run (default: none)",
      ).choices(["systemd-boot", "grub", "unified-kernel", "none"]),
    )
    .option(
      "--unified-kernels",
      "with systemd-boot: one file for each kernel, with its initrds and its command line",
    )
    .option(
      "--kernel-options <text>",
      "the kernel command line; without a root in it, that of the image is added (default: that of the tree)",
    )
    .option(
      "--boot-entry <fields>",
      "an entry of the boot menu: 'title: …, linux: /boot/vmlinuz, initrd: …'; may be given again (default: NixOS' generations, or the kernels in the tree)",
      collect,
    )
    .option("--boot-timeout <seconds>", "how long the boot menu waits", parseSeconds)
    .option(
      "--boot-files <directory>",
      "the boot loader's own files, such as /usr/lib/grub or /usr/lib/systemd/boot/efi (default: those in the tree)",
    )
    .option("--serial-console", "have GRUB, started by a BIOS, use the first serial port as well")
    .option(
      "--efi-vars <file>",
      "write variables of UEFI firmware to a file, with an entry that starts the boot loader",
    )
    .option(
      "--efi-vars-from <file>",
      "what they are added to (default: the template of the firmware of this host)",
    );
}

/** The options of what is started in QEMU. */
export function addMachineOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--accelerator <name>",
        "what runs the machine (default: that of the system if it works, otherwise tcg)",
      ).choices(["auto", "kvm", "hvf", "whpx", "tcg"]),
    )
    .option("--memory <MiB>", "its memory, in mebibytes", parseCount)
    .option("--cpus <number>", "its processors", parseCount)
    .option("--qemu <file>", "the program (default: qemu-system-x86_64)")
    .option("--qemu-argument <text>", "a further argument of QEMU; may be given again", collect)
    .option("--dry-run", "print the command line of QEMU, and start and write nothing");
}

/** The options of a script that is run in a virtual machine. */
export function addScriptOptions(command: Command): Command {
  return addMachineOptions(command)
    .option("--kernel <path>", "the kernel that runs it, a path of the tree (default: the newest there)")
    .option(
      "--kernel-from <directory>",
      "a directory of the host with kernel and modules, in place of the tree",
    )
    .option("--modules <path>", "the directory of its modules (default: /lib/modules/RELEASE)")
    .addOption(
      new Option(
        "--firmware <kind>",
        "what the machine has: with uefi the script can set variables of UEFI, which --efi-vars keeps (default: bios)",
      ).choices(["bios", "uefi"]),
    )
    .option("--busybox <file>", "a static busybox (default: that of the host, or of the tree)")
    .option("--vm-timeout <seconds>", "when the machine is ended (default: 900)", parseSeconds)
    .option("--device <path>", "a further name of the disk, such as /dev/sda; may be given again", collect)
    .option("--console-log <file>", "a file for what the kernel prints")
    .option(
      "--vm-in-place",
      "keep the filesystems as the machine leaves them: then no two runs give the same bytes",
    );
}

/** What is run inside of an image that is built, and afterwards. */
export function addStepOptions(command: Command): Command {
  command
    .optionsGroup("What runs inside, and afterwards:")
    .option(
      "--run-in-vm <script>",
      "run a script as root inside of the image, in QEMU, before it is written",
    );
  return addScriptOptions(command).option(
    "--after <command>",
    "run a command of the host's shell when the images are complete; $diskImage is the first of them",
  );
}

/** Says as JSON what was written. */
export function addJsonOption(command: Command): Command {
  return command.option("--json", "describe on standard output, as JSON, what was written");
}

/** The options of `mkfs`. */
export function addFilesystemOptions(command: Command): Command {
  command
    .option("--size <size>", 'size of the filesystem (default: "minimal", the smallest that holds the tree)')
    .option("--additional-space <size>", "free space to leave when no size is given (default: 0)")
    .option("--label <text>", "label of the filesystem");
  return addPackingOptions(addSourceOptions(command));
}

/** The options of `mkfs ext4`. */
export function addExt4Options(command: Command): Command {
  addFilesystemOptions(command).option(
    "--uuid <uuid>",
    "UUID of the filesystem (default: derived from the seed)",
  );
  return addExt4Tuning(command, "Tuning:");
}

/** The options of `mkfs fat`. */
export function addFatOptions(command: Command): Command {
  return addFilesystemOptions(command)
    .addOption(
      new Option(
        "--bits <type>",
        "12, 16, 32, or auto: the largest that the size allows (default: 32)",
      ).choices(["12", "16", "32", "auto"]),
    )
    .addOption(
      new Option("--sector-size <bytes>", "bytes of a sector (default: 512)").choices([
        "512",
        "1024",
        "2048",
        "4096",
      ]),
    )
    .option(
      "--serial <number>",
      "serial number, such as 0x1234abcd (default: derived from the seed)",
      parseSignature,
    )
    .option(
      "--skip-unsupported",
      "leave out what FAT cannot hold (symlinks, devices) instead of refusing it",
    );
}

/** How outputs are compressed. */
export function addPackingOptions(command: Command): Command {
  return command
    .option(
      "--compression-level <number>",
      "how hard compressed formats try: 0 to 9 of deflate (default: 6), 1 to 22 of zstd (default: 3)",
      parseLevel,
    )
    .option("--cluster-size <size>", "bytes of a cluster of qcow2 (default: 64K)")
    .addOption(
      new Option(
        "--zeros <which>",
        "of raw images: holes leaves zeros out of the file (default); stored writes the zeros that count, for programs such as bmaptool create that copy only what a file stores",
      ).choices(["holes", "stored"]),
    )
    .option(
      "--ignore-sector-size",
      "write disks with sectors of 4096 bytes also in formats that cannot say it (vdi, vpc, vmdk, gce), with a warning",
    )
    .option(
      "--portable",
      "compress with packages in place of Node's libraries: slower, and the bytes depend on no version of Node",
    )
    .option(
      "--workers <number>",
      "how many threads compress; the bytes are the same for any number (default: one for each processor)",
      parseWorkers,
    );
}

/** Where the image goes, and what is said of it. */
export function addOutputOptions(command: Command): Command {
  return command
    .option(
      "-o, --output <file>",
      "the image to write, - for standard output, FORMAT:FILE for another format than the name says; may be given again: all are written in one pass",
      collect,
    )
    .option("--force", "write into an output that is a device, and to a terminal")
    .option("-q, --quiet", "say nothing unless something is wrong")
    .addOption(progressOption());
}

/** How progress is shown. */
export function progressOption(): Option {
  return new Option(
    "--progress <style>",
    "auto (default): one line on a terminal, unless $CI is set or $TERM is dumb; plain: new lines, for logs; none",
  ).choices(PROGRESS_STYLES);
}

export const BACKING_HELP =
  "open the disk that a qcow2 is a difference to; its name comes from the image, so trust it";

/** Where an image is unpacked that is packed as a whole. */
export function spoolOption(): Option {
  return new Option(
    "--spool <directory>",
    "where what a packed image (gzip, zstd, xz) holds is kept meanwhile (default: beside it)",
  );
}

/** Which format an image is of. */
export function fromOption(): Option {
  return new Option("--from <format>", "format of the image (default: found by its first bytes)").choices(
    READABLE_FORMATS,
  );
}

/** The options of `convert`. */
export function addConvertOptions(command: Command): Command {
  addOutputOptions(command);
  command
    .option("--format <name>", "format of the outputs, see below (default: by their names)")
    .addOption(fromOption())
    .option("--backing", BACKING_HELP)
    .addOption(
      new Option(
        "--sector-size <bytes>",
        "bytes of a sector of the disk (default: what the image says, else what its GPT is laid out for)",
      )
        .choices(["512", "4096"])
        .argParser(parseSector),
    );
  addPackingOptions(command);
  return command
    .option(
      "--seed <text>",
      'what identifiers of the container are derived from, with what the disk holds (default: "diskwright")',
    )
    .option(
      "--time <seconds|date>",
      "the time that containers are dated with (default: $SOURCE_DATE_EPOCH, else 1970)",
      parseTime,
    )
    .option("--spool <directory>", "where what cannot be read or written in order is kept meanwhile");
}
