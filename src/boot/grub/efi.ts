import { formatBytes, MIB, utf8 } from "../../bytes/index.ts";
import { DiskwrightError } from "../../errors.ts";
import { bytesContent, type Content, contentBytes } from "../../extents/index.ts";
import type { Tree } from "../../tree/index.ts";
import type { BootContext, BootFile, EfiBootEntry } from "../installation.ts";
import { forwardingConfiguration, MENU_DIRECTORY } from "./config.ts";
import { type EfiImage, readEfiImage } from "./efi-image.ts";
import { howToGet } from "./platform-files.ts";
import type { VolumePath } from "./volumes.ts";

/** A prebuilt GRUB for UEFI. */
export interface EfiProgram {
  /** What it is called in messages: its path. */
  readonly name: string;
  readonly content: Content;
}

/** GRUB's name for a platform of UEFI, and for the processor in the names of files. */
const PLATFORMS: readonly (readonly [platform: string, machine: string])[] = [
  ["x86_64-efi", "x64"],
  ["i386-efi", "ia32"],
  ["arm64-efi", "aa64"],
];

/** Where distributions have it below GRUB's directory; the first one of each platform is taken. */
function candidates([platform, machine]: readonly [string, string]): string[] {
  return [
    `${platform}/monolithic/grub${machine}.efi`,
    `${platform}/monolithic/gcd${machine}.efi`,
    `${platform}-signed/grub${machine}.efi.signed`,
    `${platform}-signed/gcd${machine}.efi.signed`,
  ];
}

/** No GRUB has more: Debian's, with nearly all modules, has 4 MiB. */
const LARGEST_PROGRAM: number = 64 * MIB;

/**
 * The prebuilt images that GRUB's directory has, one for each platform.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE` when there is none.
 */
export function efiPrograms(tree: Tree, directory: string): EfiProgram[] {
  const found = PLATFORMS.flatMap((platform) => {
    for (const candidate of candidates(platform)) {
      const name = `${directory}/${candidate}`;
      const row = tree.resolve(name);
      if (row !== undefined && tree.isFile(row)) return [{ name, content: tree.content(row) }];
    }
    return [];
  });
  if (found.length > 0) return found;
  const tried = PLATFORMS.flatMap(candidates).join(", ");
  throw new DiskwrightError(
    "SOURCE_UNREADABLE",
    `there is no GRUB for UEFI in ${directory} (none of ${tried}): ${howToGet("grub-efi-amd64-bin (x86) or grub-efi-arm64-bin")}`,
    { path: directory },
  );
}

/** What GRUB for UEFI adds to the EFI system partition. */
export interface EfiInstallation {
  readonly files: readonly BootFile[];
  readonly efiEntries: readonly EfiBootEntry[];
}

/**
 * Places GRUB for UEFI on the EFI system partition: under the name that firmware looks for (UEFI 2.10 §3.5.1.1), and
 * in a directory of its own, with a `grub.cfg` where it looks for one.
 *
 * @param esp where the EFI system partition is mounted.
 * @param home where the directory with the menu lies.
 * @param id what the directory of its own is called; `undefined`: as the image's prefix has it.
 */
export async function installEfi(
  context: BootContext,
  esp: string,
  programs: readonly EfiProgram[],
  home: VolumePath,
  id: string | undefined,
): Promise<EfiInstallation> {
  const files = new Map<string, BootFile>();
  const efiEntries: EfiBootEntry[] = [];
  const machines = new Map<string, string>();
  const configuration = bytesContent(utf8(forwardingConfiguration(home)));
  for (const program of programs) {
    const image = await readProgram(program, context);
    const other = machines.get(image.machine);
    if (other !== undefined) {
      throw new DiskwrightError(
        "INVALID_SPEC",
        `${other} and ${program.name} are both GRUB for ${image.machine}, and firmware starts one: leave one out`,
        { path: program.name },
      );
    }
    machines.set(image.machine, program.name);
    const directory = directoryOf(image, program.name);
    const vendor = id ?? /^\/EFI\/([^/]+)$/i.exec(directory)?.[1] ?? "GRUB";
    const path = `/EFI/${vendor}/grub${image.machine}.efi`;
    put(`/EFI/BOOT/BOOT${image.machine.toUpperCase()}.EFI`, program.content);
    put(path, program.content);
    // Where the menu itself lies there, it is found without a way to it.
    if (below(esp, directory) !== MENU_DIRECTORY) put(`${directory}/grub.cfg`, configuration);
    efiEntries.push({ title: vendor, path });
  }
  return { files: [...files.values()], efiEntries };

  function put(path: string, content: Content): void {
    files.set(path, { path: below(esp, path), content });
  }
}

function below(mount: string, path: string): string {
  return mount === "/" ? path : `${mount}${path}`;
}

async function readProgram({ name, content }: EfiProgram, { reader }: BootContext): Promise<EfiImage> {
  if (content.size > LARGEST_PROGRAM) {
    throw new DiskwrightError(
      "UNSUPPORTED_IMAGE",
      `${name} has ${formatBytes(content.size)}; no GRUB for UEFI has more than ${formatBytes(LARGEST_PROGRAM)}`,
      { path: name },
    );
  }
  return readEfiImage(await contentBytes(content, reader), name);
}

/** The directory on the EFI system partition in which the image looks for its `grub.cfg`, without a last slash. */
function directoryOf({ prefix }: EfiImage, name: string): string {
  const directory = prefix.replace(/\/+$/, "");
  const names = directory.split("/");
  const isUsable = prefix.startsWith("/") && names.slice(1).every((part) => !["", ".", ".."].includes(part));
  if (isUsable && !directory.includes("\\")) return directory;
  throw new DiskwrightError(
    "UNSUPPORTED_IMAGE",
    `${name} looks for its grub.cfg in "${prefix}", and not in a directory of the EFI system partition: take one that does, such as grub-mkimage --prefix=/EFI/grub makes`,
    { path: name },
  );
}
