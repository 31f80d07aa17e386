import { DiskwrightError } from "../../errors.ts";
import type { RawBoot } from "../installation.ts";
import { BIOS_SECTOR } from "./core-image.ts";
import {
  BIOS_DRIVE,
  BOOT_CODE_SIZE,
  BOOT_LOAD_ADDRESS,
  BOOT_SIGNATURE,
  bootImage,
  CORE_SEGMENT,
  diskbootImage,
  NO_OPERATION,
  SHORT_JUMP,
} from "./structures.ts";

/**
 * A core image that can be placed: anywhere behind the first sector, in one piece.
 *
 * @param boot the file boot.img.
 * @param core what {@link coreImage} made.
 * @throws DiskwrightError `CORRUPT` when boot.img is none.
 */
export function placeableCore(boot: Uint8Array, core: Uint8Array): RawBoot {
  checkBootImage(boot);
  return {
    size: core.length,
    placedAt(lba): { bootCode: Uint8Array; core: Uint8Array } {
      if (!Number.isSafeInteger(lba) || lba < 1) {
        throw new RangeError(`the core image cannot start at sector ${lba}: sector 0 is the boot code's`);
      }
      return { bootCode: bootCode(boot, lba), core: placedCore(core, lba) };
    },
  };
}

/** What goes to the first sector, as grub-bios-setup writes it to an empty disk. */
function bootCode(boot: Uint8Array, lba: number): Uint8Array {
  const placed = bootImage.toBytes({
    ...bootImage.fromBytes(boot),
    // Kept from the disk, which has no FAT that starts in its first sector.
    parameters: new Uint8Array(0),
    coreSector: BigInt(lba),
    bootDrive: BIOS_DRIVE,
    // Some BIOSes name a wrong drive. The check mends that for a hard disk, if nothing jumps past it.
    driveCheck: Uint8Array.of(NO_OPERATION, NO_OPERATION),
  });
  return placed.subarray(0, BOOT_CODE_SIZE);
}

function placedCore(core: Uint8Array, lba: number): Uint8Array {
  const placed = core.slice();
  const first = diskbootImage.fromBytes(core);
  diskbootImage.encode(
    {
      ...first,
      firstSector: BigInt(lba) + 1n,
      sectors: core.length / BIOS_SECTOR - 1,
      segment: CORE_SEGMENT,
    },
    placed,
    0,
    "",
  );
  return placed;
}

function checkBootImage(boot: Uint8Array): void {
  if (boot.length === bootImage.span) {
    const { bootSignature, loadAddress, driveCheck } = bootImage.fromBytes(boot);
    const isKnown =
      bootSignature === BOOT_SIGNATURE && loadAddress === BOOT_LOAD_ADDRESS && driveCheck[0] === SHORT_JUMP;
    if (isKnown) return;
  }
  throw new DiskwrightError(
    "CORRUPT",
    "GRUB's boot.img cannot be used: it is not the boot sector of GRUB 2, of 512 bytes",
  );
}
