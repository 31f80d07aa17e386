/** What is known of a filesystem from its superblock or boot sector. Sizes are in bytes. */
export interface FilesystemReport {
  readonly type: "ext2" | "ext3" | "ext4" | "fat12" | "fat16" | "fat32";
  readonly label: string;
  /** A UUID, or of a FAT its serial number as `ABCD-1234`. */
  readonly uuid: string;
  readonly size: number;
  readonly free: number;
  /** Bytes of a block (ext4) or cluster (FAT). */
  readonly blockSize: number;
  /** Of an ext filesystem. */
  readonly inodes?: number;
  readonly freeInodes?: number;
  readonly features?: readonly string[];
  /** What is wrong with it. */
  readonly problems: readonly string[];
}

/** A partition of an image. A bare filesystem is one partition, number 0. */
export interface PartitionReport {
  readonly number: number;
  readonly firstLba: number;
  /** Inclusive. */
  readonly lastLba: number;
  /** Bytes. */
  readonly offset: number;
  readonly size: number;
  /** A type GUID, or the two digits of an MBR type; `null` without a table. */
  readonly type: string | null;
  readonly typeName: string | null;
  /** `null` where there is no GPT. */
  readonly guid: string | null;
  readonly name: string | null;
  /** The 64 attribute bits of a GPT entry as 16 hexadecimal digits. */
  readonly attributes: string | null;
  /** The active flag of an MBR, or the legacy BIOS bootable attribute of a GPT. */
  readonly bootable: boolean;
  readonly filesystem: FilesystemReport | null;
}

/** The partition table of an image. */
export interface TableReport {
  readonly type: "gpt" | "mbr" | "none";
  /** Of a GPT: the GUID of the disk. */
  readonly guid?: string;
  /** Of an MBR: the signature of the disk, as `0x` and eight digits. */
  readonly signature?: string;
  readonly sectorSize: number;
  readonly partitions: readonly PartitionReport[];
  readonly problems: readonly string[];
}

/** The container of an image that is not raw. */
export interface ContainerReport {
  /** What it says of itself: variant, size of its units, identifiers. */
  readonly details: Readonly<Record<string, string | number | boolean>>;
  readonly problems: readonly string[];
}

/** What an image is. */
export interface ImageReport {
  readonly format: string;
  /** `null` for a raw image. */
  readonly container: ContainerReport | null;
  /** Bytes of the disk that the image stands for. */
  readonly virtualSize: number;
  readonly table: TableReport;
}

/** The legacy BIOS bootable attribute of a GPT entry (UEFI 2.10 §5.3.3). */
const LEGACY_BOOTABLE = 1n << 2n;

/** The attribute bits of a GPT entry, for a report. */
export function attributeReport(attributes: bigint): Pick<PartitionReport, "attributes" | "bootable"> {
  return {
    attributes: attributes.toString(16).padStart(16, "0"),
    bootable: (attributes & LEGACY_BOOTABLE) !== 0n,
  };
}

/** The signature of an MBR disk as `sfdisk` writes it. */
export function signatureReport(signature: number): string {
  return `0x${signature.toString(16).padStart(8, "0")}`;
}

/** The type byte of an MBR entry as `sfdisk` writes it. */
export function mbrTypeReport(type: number): string {
  return type.toString(16);
}
