import type { Content, ContentReader } from "../extents/index.ts";
import type { DataRange, Tree } from "../tree/index.ts";

/** What a boot loader is told of the image that it is to start: nothing has its place yet. */
export interface BootContext {
  /** The staged tree. What lies below a mount point goes to the partition that is mounted there. */
  readonly tree: Tree;
  /** What opens the files of the host that the tree refers to. */
  readonly reader: ContentReader | undefined;
  readonly table: "gpt" | "mbr" | "none";
  /** Bytes of a sector. */
  readonly sectorSize: 512 | 4096;
  /** Where the EFI system partition is mounted, such as `/boot` or `/efi`; `undefined` without one. */
  readonly esp: string | undefined;
  /** Where the XBOOTLDR partition is mounted; `undefined` without one. */
  readonly xbootldr: string | undefined;
  /** The UUID of the root filesystem, as a boot loader searches for it. */
  readonly rootUuid: string;
  /** The filesystems that are mounted in the root, for boot loaders that read files from any of them. */
  readonly volumes?: readonly BootVolume[] | undefined;
  /**
   * Bytes that are free for what a BIOS loads before it knows any filesystem: the BIOS boot partition, or with an
   * MBR what lies between its sector and the first partition. `undefined`: there is no such place, or with an
   * MBR it is not known yet.
   */
  readonly biosRoom?: number | undefined;
  /** What the kernel finds the root by: `PARTUUID=…`, or `UUID=…` (which takes an initrd) without a table. */
  readonly rootDevice: string;
  /** The time of what is written, in seconds since 1970; `undefined`: 1970. */
  readonly time: number | undefined;
}

/** A filesystem, as a boot loader finds it. */
export interface BootVolume {
  /** Where it is mounted: `/boot`. */
  readonly mount: string;
  readonly type: "ext4" | "fat";
  /** Its UUID; of FAT the serial as `XXXX-XXXX`. */
  readonly uuid: string;
}

/** A file that a boot loader needs. */
export interface BootFile {
  /** Where it goes in the staged tree: `/boot/EFI/BOOT/BOOTX64.EFI`. It replaces what is there. */
  readonly path: string;
  readonly content: Content;
  /** The parts of it that hold data, ascending; everything else is a hole. Default: all of it. */
  readonly data?: readonly DataRange[] | undefined;
}

/** Boot code and what it loads, which lie outside of all filesystems. */
export interface RawBoot {
  /** Bytes of the core image. */
  readonly size: number;
  /**
   * The boot code for the first sector, up to 440 bytes, and the core image of {@link size} bytes, for a core
   * image that starts at the sector `lba`, in sectors of 512 bytes.
   */
  placedAt(lba: number): { readonly bootCode: Uint8Array; readonly core: Uint8Array };
}

/** An entry for the boot menu of UEFI firmware (`Boot####`). */
export interface EfiBootEntry {
  readonly title: string;
  /** The program, from the root of the EFI system partition: `/EFI/systemd/systemd-bootx64.efi`. */
  readonly path: string;
}

/** What makes an image boot: all that a boot loader adds to it. */
export interface BootInstallation {
  readonly files: readonly BootFile[];
  readonly raw?: RawBoot | undefined;
  /**
   * What the boot loader cannot read, and what only new versions can, of an ext4 filesystem with these features: one
   * line for each. Default: it reads them all, or none.
   */
  readonly featureProblems?: ((features: readonly string[]) => readonly string[]) | undefined;
  readonly featureWarnings?: ((features: readonly string[]) => readonly string[]) | undefined;
  /** What firmware that is told by variables should start, the first one first. */
  readonly efiEntries: readonly EfiBootEntry[];
  readonly warnings: readonly string[];
}
