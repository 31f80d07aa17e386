import type { Geometry } from "../mbr/index.ts";

/** The six layouts of make-disk-image.nix, by the names that it gives them. */
export const LAYOUT_NAMES = ["none", "legacy", "legacy+gpt", "efi", "efixbootldr", "hybrid"] as const;
export type LayoutName = (typeof LAYOUT_NAMES)[number];

/** A filesystem that a partition is to have. */
export interface LayoutFilesystem {
  readonly type: "ext4" | "fat";
  readonly label: string;
}

/** A partition of a layout, with its place as far as it does not depend on the disk's size. */
export interface LayoutPartition {
  /** The partition's name in a GPT, and in messages. */
  readonly name: string;
  /** Its place in the table, from 1. The numbers need not follow the order on the disk. */
  readonly number: number;
  /** The name or GUID of a GPT type, or the type byte of an MBR. */
  readonly type: string | number;
  /** Where it starts, in bytes. */
  readonly start: number;
  /** Where it ends, in bytes and not included; `"rest"` for the one that takes what is left. */
  readonly end: number | "rest";
  /** The active flag of an MBR. */
  readonly bootable?: boolean;
  /** A partition GUID that is not derived from the seed. */
  readonly guid?: string | undefined;
  readonly filesystem?: LayoutFilesystem;
  /** Which part of the tree it holds: `/` all that no other partition holds. */
  readonly mount?: string;
}

/** A way to divide a disk: plain data, from which sizes and plans follow. */
export interface Layout {
  readonly name: LayoutName;
  readonly table: "gpt" | "mbr" | "none";
  /** In the order in which they lie on the disk. The root is the last one. */
  readonly partitions: readonly LayoutPartition[];
  /** Bytes that the last partition leaves free at the end of the disk, at least. */
  readonly tail: number;
  /** What the end of the last partition is rounded down to, in bytes. Default: 1 MiB. */
  readonly grain?: number;
  /** A disk GUID that is not derived from the seed. */
  readonly diskGuid?: string | undefined;
  /** What the CHS fields of an MBR are computed with. Default: 255 heads, 63 sectors. */
  readonly geometry?: Geometry;
}
