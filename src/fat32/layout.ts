import type { ByteSource } from "../extents/index.ts";
import { FAT12, FAT16, FAT32, type FatFormat } from "./geometry.ts";
import {
  BOOT_SECTOR_SIZE,
  BOOT_SIGNATURE,
  BOOT_SIGNATURE_OFFSET,
  bootSector16,
  bootSector32,
  bootSectorHead,
  ENTRY_SIZE,
  EXTENDED_SIGNATURE,
} from "./structures.ts";

/** What a boot sector says, whoever wrote it. Addresses and counts are in sectors. */
export interface VolumeLayout {
  readonly format: FatFormat;
  /** Bytes. */
  readonly sectorSize: number;
  readonly sectorsPerCluster: number;
  readonly sectors: number;
  readonly reservedSectors: number;
  readonly fats: number;
  readonly fatSectors: number;
  /** The table that is kept up; the others are copies, unless `isMirrored` is false. */
  readonly activeFat: number;
  readonly isMirrored: boolean;
  readonly rootEntries: number;
  readonly firstDataSector: number;
  readonly clusters: number;
  /** 0 on FAT12 and FAT16. */
  readonly rootCluster: number;
  readonly hiddenSectors: number;
  /** 0 when the boot sector has none. */
  readonly serial: number;
  /** Eleven bytes, or `undefined` when the boot sector has none. */
  readonly label: Uint8Array | undefined;
  /** Bit 0: not closed properly. Bit 1: surface should be scanned. */
  readonly flags: number;
  /** Of FAT32; 0 or 0xffff mean that there is none. */
  readonly informationSector: number;
  readonly backupSector: number;
}

/**
 * What the boot sector at the start of `source` says, or `undefined` when it is not that of a FAT volume. The
 * rules are those of EDK2's driver, but for the number of clusters of FAT32, which is only a finding.
 */
export async function readLayout(source: ByteSource): Promise<VolumeLayout | undefined> {
  if (source.size < BOOT_SECTOR_SIZE) return undefined;
  return layoutOf(await source.read(0, BOOT_SECTOR_SIZE));
}

/** The same for the 512 bytes of a boot sector. */
export function layoutOf(bytes: Uint8Array): VolumeLayout | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(BOOT_SIGNATURE_OFFSET, true) !== BOOT_SIGNATURE) return undefined;
  const head = bootSectorHead.fromBytes(bytes);
  const { sectorSize, sectorsPerCluster, reservedSectors, fats, rootEntries, media } = head;
  const isSound =
    [512, 1024, 2048, 4096].includes(sectorSize) &&
    sectorsPerCluster > 0 &&
    (sectorsPerCluster & (sectorsPerCluster - 1)) === 0 &&
    reservedSectors > 0 &&
    fats > 0 &&
    (media === 0xf0 || media >= 0xf8);
  if (!isSound) return undefined;

  const sectors = head.sectors16 === 0 ? head.sectors32 : head.sectors16;
  const is32 = head.fatSectors16 === 0;
  const boot32 = bootSector32.fromBytes(bytes);
  const fatSectors = is32 ? boot32.fatSectors32 : head.fatSectors16;
  const rootSectors = Math.ceil((rootEntries * ENTRY_SIZE) / sectorSize);
  const firstDataSector = reservedSectors + fats * fatSectors + rootSectors;
  const clusters = Math.floor((sectors - firstDataSector) / sectorsPerCluster);
  if (fatSectors === 0 || clusters < 1 || (rootEntries === 0) !== is32) return undefined;

  const { flags, extendedSignature, serial, label } = is32 ? boot32 : bootSector16.fromBytes(bytes);
  const isExtended = extendedSignature === EXTENDED_SIGNATURE;
  const isMirrored = !is32 || (boot32.extendedFlags & 0x80) === 0;
  return {
    format: is32 ? FAT32 : clusters <= FAT12.mostClusters ? FAT12 : FAT16,
    sectorSize,
    sectorsPerCluster,
    sectors,
    reservedSectors,
    fats,
    fatSectors,
    activeFat: isMirrored ? 0 : Math.min(boot32.extendedFlags & 0xf, fats - 1),
    isMirrored,
    rootEntries,
    firstDataSector,
    clusters,
    rootCluster: is32 ? boot32.rootCluster : 0,
    hiddenSectors: head.hiddenSectors,
    serial: isExtended ? serial : 0,
    label: isExtended ? label : undefined,
    flags,
    informationSector: is32 ? boot32.informationSector : 0,
    backupSector: is32 ? boot32.backupSector : 0,
  };
}
