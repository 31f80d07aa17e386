import { formatBytes } from "../../bytes/index.ts";
import { DiskwrightError, DoesNotFitError } from "../../errors.ts";
import type { BootContext, BootFile, RawBoot } from "../installation.ts";
import { embeddedConfiguration, filesystemModule } from "./config.ts";
import { BIOS_SECTOR, CORE_FILES, coreImage } from "./core-image.ts";
import { placeableCore } from "./place.ts";
import type { PlatformFiles } from "./platform-files.ts";
import type { SerialConsole } from "./serial.ts";
import type { VolumePath } from "./volumes.ts";

/** What GRUB calls the BIOS of PCs. */
export const BIOS_PLATFORM = "i386-pc";

/** What GRUB for the BIOS adds to an image. */
export interface BiosInstallation {
  readonly raw: RawBoot;
  readonly files: readonly BootFile[];
}

/**
 * Makes GRUB for the BIOS: boot code and core image, and its modules for the directory in which it looks for them.
 *
 * @param platform the directory i386-pc of GRUB's files.
 * @param home where GRUB's directory lies; in the staged tree it is `directory`.
 * @throws DoesNotFitError when the core image is larger than the room for it.
 */
export async function installBios(
  context: BootContext,
  platform: PlatformFiles,
  home: VolumePath,
  directory: string,
  serial: SerialConsole | undefined,
): Promise<BiosInstallation> {
  if (context.sectorSize !== BIOS_SECTOR) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `GRUB cannot be started by a BIOS from sectors of ${context.sectorSize} bytes: a BIOS reads disks by sectors of 512 (INT 13h). Use those, or a layout that boots by UEFI alone`,
    );
  }
  const parts = await platform.read(["boot.img", ...CORE_FILES]);
  const core = await coreImage(platform, parts, {
    modules: [
      "biosdisk",
      context.table === "gpt" ? "part_gpt" : "part_msdos",
      filesystemModule(home.volume),
      "search_fs_uuid",
      ...(serial === undefined ? [] : ["serial", "terminal"]),
    ],
    configuration: embeddedConfiguration(home, serial),
    prefix: home.path,
  });
  checkRoom(core.length, context);
  const staged = platform.names.filter((name) => /\.(mod|lst)$/.test(name));
  return {
    raw: placeableCore(parts.get("boot.img")!, core),
    files: staged.map((name) => platform.file(name, `${directory}/${BIOS_PLATFORM}/${name}`)),
  };
}

function checkRoom(size: number, { biosRoom, table }: BootContext): void {
  if (biosRoom === undefined || size <= biosRoom) return;
  const [where, remedy] =
    table === "gpt"
      ? ["the BIOS boot partition", "make it larger (1 MiB suffices)"]
      : ["the gap between the MBR and the first partition", "start that partition at 1 MiB"];
  throw new DoesNotFitError(
    `GRUB's core image has ${formatBytes(size)}, and ${where} has ${formatBytes(biosRoom)}: ${remedy}`,
    size - biosRoom,
  );
}
