import { utf8, utf8Text } from "../../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../../errors.ts";
import { bytesContent } from "../../extents/index.ts";
import type { Tree } from "../../tree/index.ts";
import type { LinuxEntry } from "../entries/index.ts";
import type { BootContext, BootInstallation } from "../installation.ts";
import { BIOS_PLATFORM, installBios } from "./bios.ts";
import { MENU_DIRECTORY, type MenuOptions, menuConfiguration } from "./config.ts";
import { type EfiProgram, efiPrograms, installEfi } from "./efi.ts";
import { grubProblems, grubWarnings } from "./features.ts";
import { howToGet, type PlatformFiles, platformFiles } from "./platform-files.ts";
import { checkSerial, type SerialConsole } from "./serial.ts";
import { onVolume, volumesOf } from "./volumes.ts";

/** What starts GRUB. */
export type GrubFirmware = "bios" | "efi";

/** How GRUB is installed. */
export interface GrubOptions extends Omit<MenuOptions, "timeout"> {
  /** Seconds until the default entry starts, 0 … 86,400, or `"never"`. Default 5. */
  readonly timeout?: number | "never" | undefined;
  /** A serial console for GRUB started by a BIOS; firmware of UEFI has consoles of its own. Default: none. */
  readonly serial?: SerialConsole | undefined;
  /** What is to start it. Default: whatever the layout has a place for. */
  readonly firmware?: readonly GrubFirmware[] | undefined;
  /**
   * GRUB's own files, where they are not in the staged tree: a tree such as the host's `/usr/lib/grub`, with
   * `i386-pc` and the like in its root. `BootContext.reader` opens its files.
   */
  readonly grub?: Tree | undefined;
  /** Prebuilt images for UEFI, one for each processor. Default: those in GRUB's directory. */
  readonly efiPrograms?: readonly EfiProgram[] | undefined;
  /** Its directory in `/EFI`, and its name in the menu of firmware. Default: as the image has it. */
  readonly id?: string | undefined;
}

const GRUB_DIRECTORY = "/usr/lib/grub";
const DEFAULT_TIMEOUT = 5;

/**
 * GRUB for an image: boot code and a core image where a BIOS looks for them, prebuilt programs where UEFI does, its
 * modules and its menu in `/boot/grub`. No program of GRUB's is run.
 *
 * @throws DiskwrightError `INVALID_SPEC` when the layout has no place for it, or when it cannot be told of an entry;
 *   `SOURCE_UNREADABLE` when files of GRUB's, kernels or initrds are missing; `CORRUPT` and `UNSUPPORTED_IMAGE` for
 *   files that are not GRUB's.
 * @throws DoesNotFitError when its core image is larger than the room for it.
 */
export async function installGrub(context: BootContext, options: GrubOptions): Promise<BootInstallation> {
  const firmware = options.firmware ?? firmwareOf(context);
  const problems = [...placeProblems(context, firmware), ...idProblems(options.id)];
  throwProblems("INVALID_SPEC", "GRUB cannot be installed", problems);
  if (options.serial !== undefined) checkSerial(options.serial);
  const volumes = volumesOf(context);
  const home = onVolume(volumes, MENU_DIRECTORY);
  const { timeout = DEFAULT_TIMEOUT } = options;
  const entries = resolved(context.tree, options.entries);
  const menu = menuConfiguration({ ...options, entries, timeout }, volumes, home);
  const bios = firmware.includes("bios")
    ? await installBios(context, biosFiles(context, options), home, MENU_DIRECTORY, options.serial)
    : undefined;
  const efi = firmware.includes("efi")
    ? await installEfi(context, context.esp!, programsOf(context, options), home, options.id)
    : undefined;
  return {
    files: [
      { path: `${MENU_DIRECTORY}/grub.cfg`, content: bytesContent(utf8(menu)) },
      ...(bios?.files ?? []),
      ...(efi?.files ?? []),
    ],
    raw: bios?.raw,
    featureProblems: grubProblems,
    featureWarnings: grubWarnings,
    efiEntries: efi?.efiEntries ?? [],
    warnings: [],
  };
}

/** What the layout has a place for. */
function firmwareOf({ table, biosRoom, esp }: BootContext): GrubFirmware[] {
  const hasBios = table === "mbr" || (table === "gpt" && biosRoom !== undefined);
  return [...(hasBios ? ["bios" as const] : []), ...(esp === undefined ? [] : ["efi" as const])];
}

function* placeProblems(context: BootContext, firmware: readonly GrubFirmware[]): Generator<string> {
  const { table, biosRoom, esp } = context;
  if (firmware.length === 0) {
    yield "the layout has no place for it: use an MBR or a BIOS boot partition (legacy, legacy+gpt, hybrid), or an EFI system partition (efi, hybrid)";
  }
  if (firmware.includes("bios") && table === "none") {
    yield "a BIOS starts nothing from a disk without a partition table: use the layout legacy, legacy+gpt or hybrid";
  }
  if (firmware.includes("bios") && table === "gpt" && biosRoom === undefined) {
    yield "for a BIOS a GPT needs a BIOS boot partition (type bios-boot, 1 MiB): add one, or use the layout legacy+gpt or hybrid";
  }
  if (firmware.includes("efi") && esp === undefined) {
    yield "UEFI needs an EFI system partition with a mount point: add one, or use the layout efi or hybrid";
  }
}

/** The id becomes the name of a directory of FAT. */
function idProblems(id: string | undefined): string[] {
  if (id === undefined || /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(id)) return [];
  return [`the id ${JSON.stringify(id)} cannot name its directory: use letters, digits, "_", "-" and "."`];
}

/**
 * The entries with the paths that their files really have: a symlink can lead to another filesystem, to which GRUB
 * cannot follow it. A path that leads nowhere shows only when the machine does not start, so it is refused here.
 */
function resolved(tree: Tree, entries: readonly LinuxEntry[]): LinuxEntry[] {
  const problems: string[] = [];
  const result = entries.map((entry): LinuxEntry => {
    const { id, linux, initrds, devicetree } = entry;
    const file = (path: string): string => {
      const row = tree.resolve(path);
      const real = row === undefined ? undefined : utf8Text(tree.path(row));
      if (row === undefined || real === undefined)
        problems.push(`entry ${JSON.stringify(id)}: ${path} is not in the tree`);
      else if (!tree.isFile(row)) problems.push(`entry ${JSON.stringify(id)}: ${path} is no file`);
      return real ?? path;
    };
    return {
      ...entry,
      linux: file(linux),
      initrds: initrds.map(file),
      devicetree: devicetree === undefined ? undefined : file(devicetree),
    };
  });
  throwProblems("SOURCE_UNREADABLE", "GRUB's menu names files that it would not find", problems);
  return result;
}

function biosFiles(context: BootContext, { grub }: GrubOptions): PlatformFiles {
  const tree = grub ?? context.tree;
  const directory = `${grub === undefined ? GRUB_DIRECTORY : ""}/${BIOS_PLATFORM}`;
  const files = platformFiles(tree, directory, context.reader);
  if (files !== undefined) return files;
  throw new DiskwrightError(
    "SOURCE_UNREADABLE",
    `GRUB for the BIOS is not there (no directory ${directory}): ${howToGet("grub-pc-bin")}`,
    { path: directory },
  );
}

function programsOf(context: BootContext, options: GrubOptions): readonly EfiProgram[] {
  const { efiPrograms: given = [], grub } = options;
  if (given.length > 0) return given;
  return efiPrograms(grub ?? context.tree, grub === undefined ? GRUB_DIRECTORY : "");
}
