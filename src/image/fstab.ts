import { printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { formatSerial } from "../fat32/index.ts";
import type { NumberedPartition } from "../layouts/index.ts";
import { ext4Uuid, fatSerial } from "./slot.ts";
import type { FstabSource, Image } from "./spec.ts";

const HEADER = "# <filesystem> <mount point> <type> <options> <dump> <pass>\n";

/**
 * What fstab(5) says of an image: one line for each partition that is mounted, the root first, each before
 * what is mounted below it.
 *
 * @throws DiskwrightError `INVALID_SPEC` when a filesystem cannot be named as asked.
 */
export function fstabText(image: Image, source: FstabSource): string {
  const mounted = image.layout.partitions.filter(({ mount }) => mount !== undefined);
  const lines = mounted
    .sort((a, b) => depth(a.mount!) - depth(b.mount!) || (a.mount! < b.mount! ? -1 : 1))
    .map((partition) => line(image, partition, source));
  return HEADER + lines.join("");
}

function depth(mount: string): number {
  return mount === "/" ? 0 : mount.split("/").length;
}

function line(image: Image, partition: NumberedPartition, source: FstabSource): string {
  const { mount, filesystem, mountOptions } = partition;
  const isFat = filesystem!.type === "fat";
  const type = filesystem!.type === "fat" ? "vfat" : (filesystem!.options?.type ?? "ext4");
  // FAT has no owners: what a boot partition holds, such as a seed of random numbers, is for root alone.
  const options = mountOptions ?? (isFat ? "umask=0077" : "defaults");
  const pass = mount === "/" ? 1 : 2;
  return `${filesystemName(image, partition, source)} ${escaped(mount!)} ${type} ${options} 0 ${pass}\n`;
}

/**
 * A filesystem as fstab(5) and the kernel's `root=` name it: `UUID=…`, `PARTUUID=…` or `LABEL=…`.
 *
 * @throws DiskwrightError `INVALID_SPEC` when it cannot be named so.
 */
export function filesystemName(image: Image, partition: NumberedPartition, source: FstabSource): string {
  const { name, filesystem, guid, number } = partition;
  switch (source) {
    case "uuid":
      return filesystem!.type === "ext4"
        ? `UUID=${ext4Uuid(image, name, filesystem!)}`
        : `UUID=${formatSerial(fatSerial(image, name, filesystem!))}`;
    case "partuuid":
      if (image.layout.table === "gpt") return `PARTUUID=${guid ?? image.identity.uuid(`partition/${name}`)}`;
      if (image.layout.table === "mbr") {
        const signature = image.diskSignature.toString(16).padStart(8, "0");
        return `PARTUUID=${signature}-${number.toString(16).padStart(2, "0")}`;
      }
      throw unnamed(name, "there is no partition table");
    case "label":
      if (filesystem!.label === undefined || filesystem!.label === "") throw unnamed(name, "it has no label");
      return `LABEL=${escaped(storedLabel(filesystem!.type, filesystem!.label))}`;
  }
}

/** FAT labels are stored in upper case. */
function storedLabel(type: "ext4" | "fat", label: string): string {
  return type === "fat" ? label.toUpperCase() : label;
}

function unnamed(name: string, reason: string): DiskwrightError {
  return new DiskwrightError(
    "INVALID_SPEC",
    `partition ${printable(utf8(name))} cannot be named as asked: ${reason}`,
    { partition: name },
  );
}

/** Blanks and backslashes as fstab(5) has them. */
function escaped(text: string): string {
  return text.replace(/[\s\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`);
}
