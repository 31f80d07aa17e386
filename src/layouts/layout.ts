import type { Ext4Options } from "../ext4/index.ts";
import type { Content } from "../extents/index.ts";
import type { FatOptions } from "../fat32/index.ts";
import type { Geometry, ProtectiveEntry } from "../mbr/index.ts";
import type { DataRange, Tree } from "../tree/index.ts";

/** The six layouts of make-disk-image.nix, by the names that it gives them. */
export const LAYOUT_NAMES = ["none", "legacy", "legacy+gpt", "efi", "efixbootldr", "hybrid"] as const;
export type LayoutName = (typeof LAYOUT_NAMES)[number];

/** What of an ext4 filesystem an image does not decide itself. */
export type Ext4Tuning = Omit<Ext4Options, "uuid" | "label" | "size" | "freeBytes" | "time">;

/** What every filesystem of a layout has. */
interface LayoutVolume {
  /** Bytes of the filesystem, where it does not fill its partition. */
  readonly size?: number | undefined;
}

/** An ext4 filesystem that a partition is to have. */
export interface LayoutExt4 extends LayoutVolume {
  readonly type: "ext4";
  readonly label?: string | undefined;
  /** Default: derived from the seed. */
  readonly uuid?: string | undefined;
  readonly options?: Ext4Tuning | undefined;
}

/** A FAT filesystem that a partition is to have. */
export interface LayoutFat extends LayoutVolume {
  readonly type: "fat";
  readonly label?: string | undefined;
  /** Default: derived from the seed. */
  readonly serial?: number | undefined;
  /** Default 32. */
  readonly bits?: FatOptions["bits"];
  /** Bytes of its sectors. Default: those of the disk. */
  readonly sectorSize?: FatOptions["sectorSize"];
  /** A power of two up to 128, and clusters up to 64 KiB. Default: by the size. */
  readonly sectorsPerCluster?: number | undefined;
}

/** A filesystem that a partition is to have. */
export type LayoutFilesystem = LayoutExt4 | LayoutFat;

/** Bytes as they are, in place of a filesystem. */
export interface RawContent {
  readonly content: Content;
  /** The parts of it that hold data; everything else is a hole. Default: all of it. */
  readonly data?: readonly DataRange[] | undefined;
}

/** A size in bytes; `"minimal"`: what the content needs; `"rest"`: that, and a share of what is left. */
export type PartitionSize = number | "rest" | "minimal";

/** A partition of a layout. Sizes and positions are in bytes. */
export interface LayoutPartition {
  /** The partition's name in a GPT, in messages, and what its identifiers are derived from: each its own. */
  readonly name: string;
  /**
   * Its place in the table, from 1. The numbers need not follow the order on the disk. With an MBR, numbers
   * from 5 on are logical partitions. Default: the lowest free one; of more than four with an MBR, all but the
   * first three are logical.
   */
  readonly number?: number | undefined;
  /** The name or GUID of a GPT type, or the name or byte of an MBR type. */
  readonly type: string | number;
  /** Where it starts. Default: behind the one before, on a multiple of `alignment`. */
  readonly start?: number | undefined;
  /** What its start and a computed end are multiples of. Default: that of the layout. */
  readonly alignment?: number | undefined;
  readonly size: PartitionSize;
  /** Its share of what is left, beside those of the others that take the rest. Default 1. */
  readonly weight?: number | undefined;
  /** The bounds of a computed size. */
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  /** What a computed size leaves free in the filesystem, at least. */
  readonly additionalSpace?: number | undefined;
  /** The active flag of an MBR; with a GPT the attribute that a BIOS boots from the partition. */
  readonly bootable?: boolean | undefined;
  /** The attribute bits of a GPT. */
  readonly attributes?: bigint | undefined;
  /** With a GPT: its entry in the MBR beside the protective one, too. */
  readonly hybrid?: { readonly type: number; readonly bootable?: boolean | undefined } | undefined;
  /** Its name in a GPT, which may be empty or that of another partition. Default: `name`. */
  readonly gptName?: string | undefined;
  /** A partition GUID that is not derived from the seed. */
  readonly guid?: string | undefined;
  readonly filesystem?: LayoutFilesystem | undefined;
  /** Which part of the tree it holds: `/` all that no other partition holds. */
  readonly mount?: string | undefined;
  /** What it is mounted with, for fstab. */
  readonly mountOptions?: string | undefined;
  /** What it holds, in place of a part of the tree. */
  readonly tree?: Tree | undefined;
  /** What it holds, in place of a filesystem. */
  readonly raw?: RawContent | undefined;
}

/** Bytes outside of all partitions, such as a boot loader that firmware reads from a fixed place. */
export interface Gap {
  /** For messages. */
  readonly name: string;
  readonly offset: number;
  readonly raw: RawContent;
  /** The most bytes that it may have. */
  readonly maximum?: number | undefined;
}

/** A way to divide a disk: plain data, from which sizes and plans follow. */
export interface Layout {
  /** The name of a preset, or `custom`. */
  readonly name: string;
  readonly table: "gpt" | "mbr" | "none";
  /** In the order in which they lie on the disk. */
  readonly partitions: readonly LayoutPartition[];
  readonly gaps?: readonly Gap[] | undefined;
  /** What starts and computed ends are multiples of, in bytes. Default: 1 MiB; without a table 1. */
  readonly alignment?: number | undefined;
  /** Bytes at the end of the disk that no partition takes. Default: those of the backup GPT. */
  readonly endGap?: number | undefined;
  /** Where the primary entries of a GPT start, in bytes. Default: the third sector. */
  readonly gptEntriesAt?: number | undefined;
  /** Whether the protective partition of a GPT is active, for BIOSes that start nothing else. Default: it is not. */
  readonly protectiveMbrBootable?: boolean | undefined;
  /** With hybrid entries: which entry of the MBR the protective partition has. Default `last`, behind the others. */
  readonly protectiveMbrEntry?: ProtectiveEntry | undefined;
  /** A disk GUID that is not derived from the seed. */
  readonly diskGuid?: string | undefined;
  /** What the CHS fields of an MBR are computed with. Default: 255 heads, 63 sectors. */
  readonly geometry?: Geometry | undefined;
}
