import { MIB, roundUp } from "../bytes/index.ts";
import type { Layout } from "../layouts/index.ts";
import type { Tree } from "../tree/index.ts";

const BLOCK = 4096;
const GPT_SPACE = 34 * 512;

/** What the formula reckons with, in bytes. */
export interface NixpkgsEstimate {
  readonly diskUsage: number;
  readonly fudge: number;
  readonly additionalSpace: number;
  readonly reservedSpace: number;
  readonly diskSize: number;
}

/**
 * The disk size that make-disk-image.nix computes when it is `auto`: two blocks for each entry, the apparent
 * size of each name, 5.2 % for reserved blocks, and what the layout and the user set aside.
 *
 * `additionalSpace` and `reservedSpace` are in bytes; see {@link nixpkgsReserved}.
 */
export function nixpkgsEstimate(tree: Tree, additionalSpace: number, reservedSpace: number): NixpkgsEstimate {
  let blocks = 2 * tree.length;
  for (let row = 0; row < tree.length; row++) {
    if (tree.isFile(row) || tree.isSymlink(row)) blocks += Math.ceil(tree.columns.size[row]! / BLOCK);
  }
  const diskUsage = blocks * BLOCK;
  const fudge = Math.floor((diskUsage * 52) / 1000);
  const diskSize = roundUp(diskUsage + fudge + additionalSpace + reservedSpace, MIB);
  return { diskUsage, fudge, additionalSpace, reservedSpace, diskSize };
}

/**
 * What the formula sets aside for the table and the boot partition: of a GPT, `bootSize` bytes where there is
 * a boot partition, 2 MiB where there is none.
 */
export function nixpkgsReserved(table: Layout["table"], bootSize: number | undefined): number {
  switch (table) {
    case "none":
      return 0;
    case "mbr":
      return MIB;
    case "gpt":
      return GPT_SPACE + (bootSize ?? 2 * MIB);
  }
}
