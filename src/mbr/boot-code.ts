import { formatBytes } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { BOOT_CODE_SIZE } from "./structures.ts";

const SECTOR = 512;

/**
 * The boot code in a file: up to 440 bytes as they are, or the first 440 of a whole boot sector, such as GRUB's
 * boot.img, where a table and a signature would follow.
 *
 * @throws DiskwrightError `INVALID_SPEC` for files of other sizes.
 */
export function bootCodeOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= BOOT_CODE_SIZE) return bytes;
  if (bytes.length === SECTOR) return bytes.subarray(0, BOOT_CODE_SIZE);
  throw new DiskwrightError(
    "INVALID_SPEC",
    `boot code of ${formatBytes(bytes.length)}: use up to ${BOOT_CODE_SIZE} bytes, or a whole boot sector of ${SECTOR}`,
  );
}
