import { byteKey } from "../bytes/index.ts";
import { ACTIVE, bootRecord, isEmptyEntry } from "./structures.ts";

// A FAT, exFAT or NTFS boot sector ends in 55 AA just as an MBR does, and where the MBR has its table it has
// code, text or zeros. Its first bytes tell it apart: a jump, and then the parameters of the filesystem.

/** Names at offset 3 of filesystems whose parameters are not those of FAT. */
const SYSTEM_NAMES: readonly string[] = ["NTFS    ", "EXFAT   "];

/**
 * Whether sector 0 of a disk of `diskSectors` sectors starts a filesystem and not a table. A sector that has
 * both the parameters and a table that makes sense counts as a table: installers make such disks.
 */
export function isFilesystemBootSector(sector: Uint8Array, diskSectors: number): boolean {
  return hasFilesystemParameters(sector) && !hasSensibleTable(sector, diskSectors);
}

/** Whether a sector starts as the boot sector of a FAT, exFAT or NTFS filesystem does. */
export function hasFilesystemParameters(sector: Uint8Array): boolean {
  const jumps = sector[0] === 0xe9 || (sector[0] === 0xeb && sector[2] === 0x90);
  if (!jumps) return false;
  if (SYSTEM_NAMES.includes(byteKey(sector.subarray(3, 11)))) return true;
  // The BIOS parameter block of FAT (Microsoft FAT specification 1.03, "Boot Sector and BPB").
  const view = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
  const bytesPerSector = view.getUint16(11, true);
  const sectorsPerCluster = view.getUint8(13);
  const reservedSectors = view.getUint16(14, true);
  const fats = view.getUint8(16);
  const media = view.getUint8(21);
  return (
    isPowerOfTwo(bytesPerSector) &&
    bytesPerSector >= 512 &&
    bytesPerSector <= 4096 &&
    isPowerOfTwo(sectorsPerCluster) &&
    reservedSectors > 0 &&
    (fats === 1 || fats === 2) &&
    (media === 0xf0 || media >= 0xf8)
  );
}

function hasSensibleTable(sector: Uint8Array, diskSectors: number): boolean {
  const entries = bootRecord.fromBytes(sector).partitions.filter((entry) => !isEmptyEntry(entry));
  return (
    entries.length > 0 &&
    entries.every(
      ({ status, type, firstLba, sectors }) =>
        (status === 0 || status === ACTIVE) &&
        type !== 0 &&
        firstLba > 0 &&
        sectors > 0 &&
        firstLba + sectors <= diskSectors,
    )
  );
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}
