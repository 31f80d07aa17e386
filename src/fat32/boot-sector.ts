import { utf8 } from "../bytes/index.ts";
import { BACKUP_SECTOR, FAT32, FATS, type Geometry, INFORMATION_SECTOR } from "./geometry.ts";
import {
  BOOT_SIGNATURE,
  type BootSectorHead,
  bootSector16,
  bootSector32,
  EXTENDED_SIGNATURE,
  FIRST_CLUSTER,
  FIXED_MEDIA,
  informationSector,
  LEAD_SIGNATURE,
  NO_LABEL,
  STRUCTURE_SIGNATURE,
  TRAIL_SIGNATURE,
  UNKNOWN,
} from "./structures.ts";

/** What identifies a volume, beside where things lie. */
export interface VolumeIdentity {
  readonly serial: number;
  /** Eleven bytes, or `undefined` for none. */
  readonly label: Uint8Array | undefined;
  readonly hiddenSectors: number;
}

/**
 * What the processor finds when a BIOS starts the volume: `int 18h`, which goes on to the next boot device,
 * and for the case that it comes back, `hlt` in a loop. It prints nothing.
 */
const BOOT_CODE = Uint8Array.of(0xcd, 0x18, 0xf4, 0xeb, 0xfd);

const OEM_NAME = utf8("DISKWRGT");

/** Disks have had no tracks for decades; this is what BIOSes make up for all but the smallest. */
const SECTORS_PER_TRACK = 63;
const HEADS = 255;

const FIRST_HARD_DISK = 0x80;

function head(geometry: Geometry, hiddenSectors: number): BootSectorHead {
  const { format, sectors, fatSectors } = geometry;
  const isFat32 = format === FAT32;
  // FAT32 has no use for the 16-bit count, even where it would do (BPB_TotSec16).
  const fitsIn16 = !isFat32 && sectors < 0x10000;
  return {
    // A short jump to the boot code, over the fields of the boot sector.
    jump: Uint8Array.of(0xeb, (isFat32 ? bootSector32 : bootSector16).offsetOf("bootCode") - 2, 0x90),
    oemName: OEM_NAME,
    sectorSize: geometry.sectorSize,
    sectorsPerCluster: geometry.sectorsPerCluster,
    reservedSectors: format.reservedSectors,
    fats: FATS,
    rootEntries: geometry.rootEntries,
    sectors16: fitsIn16 ? sectors : 0,
    media: FIXED_MEDIA,
    fatSectors16: isFat32 ? 0 : fatSectors,
    sectorsPerTrack: SECTORS_PER_TRACK,
    heads: HEADS,
    hiddenSectors,
    sectors32: fitsIn16 ? 0 : sectors,
  };
}

/** The 512 bytes of a boot sector. */
export function bootSector(geometry: Geometry, identity: VolumeIdentity): Uint8Array {
  const common = {
    head: head(geometry, identity.hiddenSectors),
    drive: FIRST_HARD_DISK,
    flags: 0,
    extendedSignature: EXTENDED_SIGNATURE,
    serial: identity.serial,
    label: identity.label ?? NO_LABEL,
    typeName: utf8(geometry.format.type.toUpperCase().padEnd(8)),
    bootCode: BOOT_CODE,
    signature: BOOT_SIGNATURE,
  };
  if (geometry.format !== FAT32) return bootSector16.toBytes(common);
  return bootSector32.toBytes({
    ...common,
    fatSectors32: geometry.fatSectors,
    extendedFlags: 0,
    version: 0,
    rootCluster: FIRST_CLUSTER,
    informationSector: INFORMATION_SECTOR,
    backupSector: BACKUP_SECTOR,
  });
}

/** The 512 bytes of FAT32's information sector. Clusters in use lie before all that are free. */
export function informationBytes(clusters: number, usedClusters: number): Uint8Array {
  const freeClusters = clusters - usedClusters;
  return informationSector.toBytes({
    leadSignature: LEAD_SIGNATURE,
    structureSignature: STRUCTURE_SIGNATURE,
    freeClusters,
    nextFree: freeClusters > 0 ? FIRST_CLUSTER + usedClusters : UNKNOWN,
    trailSignature: TRAIL_SIGNATURE,
  });
}

/** The 512 bytes of FAT32's third boot sector, which only has its signature. */
export function thirdBootSector(): Uint8Array {
  const sector = new Uint8Array(512);
  new DataView(sector.buffer).setUint16(510, BOOT_SIGNATURE, true);
  return sector;
}
