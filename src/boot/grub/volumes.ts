import { DiskwrightError } from "../../errors.ts";
import type { BootContext, BootVolume } from "../installation.ts";

/** A file as GRUB reaches it: a filesystem, and the path in it. */
export interface VolumePath {
  readonly volume: BootVolume;
  /** From the root of the filesystem, with a slash before each name; empty for the root itself. */
  readonly path: string;
}

/** What names a filesystem for GRUB's `search`: a UUID, or the serial of a FAT filesystem. */
const SEARCHABLE = /^[0-9A-Fa-f]+(-[0-9A-Fa-f]+)*$/;

/**
 * The filesystems of an image as GRUB finds them.
 *
 * @throws TypeError when the context does not tell the UUID of a filesystem that it says is there.
 */
export function volumesOf(context: BootContext): BootVolume[] {
  const given = context.volumes ?? [];
  const root: BootVolume = { mount: "/", type: "ext4", uuid: context.rootUuid };
  const volumes = given.some(({ mount }) => mount === "/") ? [...given] : [root, ...given];
  for (const mount of [context.esp, context.xbootldr]) {
    if (mount !== undefined && !volumes.some((volume) => volume.mount === mount)) {
      throw new TypeError(`"volumes" has no filesystem for the mount point ${mount}`);
    }
  }
  for (const { mount, uuid } of volumes) {
    if (!SEARCHABLE.test(uuid))
      throw new TypeError(`the filesystem at ${mount} has the unusable UUID "${uuid}"`);
  }
  return volumes;
}

/** Where a path of the staged tree lies: on the filesystem with the longest mount point above it. */
export function onVolume(volumes: readonly BootVolume[], path: string): VolumePath {
  const above = volumes
    .filter(({ mount }) => path === mount || path.startsWith(mount === "/" ? "/" : `${mount}/`))
    .sort((a, b) => b.mount.length - a.mount.length);
  const volume = above[0];
  if (volume === undefined) {
    throw new DiskwrightError("INVALID_SPEC", `${path} lies on no filesystem: give it from the root`, {
      path,
    });
  }
  const inside = volume.mount === "/" ? path : path.slice(volume.mount.length);
  return { volume, path: inside === "/" ? "" : inside };
}
