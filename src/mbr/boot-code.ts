import { formatBytes } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { hasFilesystemParameters } from "./boot-sector.ts";
import { BOOT_CODE_SIZE, BOOT_SIGNATURE, bootRecord } from "./structures.ts";

/**
 * The boot code in a file. Up to 440 bytes are taken as they are, such as syslinux's mbr.bin. Of a whole boot
 * sector, such as GRUB's boot.img, the first 440 are: disk signature, table and 55 AA behind them are those of the
 * image. (GRUB has code for floppies in the place of the table; its installer drops that for disks too.)
 *
 * @throws DiskwrightError `INVALID_SPEC` for files of other sizes, for 512 bytes that neither end in 55 AA nor in
 *   zeros, where code would be cut off, and for the boot sector of a filesystem.
 */
export function bootCodeOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= BOOT_CODE_SIZE) return bytes;
  if (bytes.length !== bootRecord.span) {
    throw unusable(
      `it has ${formatBytes(bytes.length)}: use up to ${BOOT_CODE_SIZE} bytes, or a whole boot sector of ${bootRecord.span}`,
    );
  }
  const isBootSector = bootRecord.fromBytes(bytes).bootSignature === BOOT_SIGNATURE;
  if (!isBootSector && bytes.subarray(BOOT_CODE_SIZE).some((byte) => byte !== 0)) {
    throw unusable(
      `its last ${bootRecord.span - BOOT_CODE_SIZE} bytes are no table that ends in 55 AA, and would be lost: use code of up to ${BOOT_CODE_SIZE} bytes`,
    );
  }
  if (hasFilesystemParameters(bytes)) {
    throw unusable("it is the boot sector of a filesystem: use code that is made for an MBR");
  }
  return bytes.subarray(0, BOOT_CODE_SIZE);
}

function unusable(why: string): DiskwrightError {
  return new DiskwrightError("INVALID_SPEC", `the boot code cannot be used: ${why}`);
}
