import { MIB, roundUp } from "../bytes/index.ts";
import type { LayoutName } from "../layouts/index.ts";
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
 * `additionalSpace` and `bootSize` are in bytes, as numfmt reads them.
 */
export function nixpkgsEstimate(
  tree: Tree,
  layout: LayoutName,
  additionalSpace: number,
  bootSize: number,
): NixpkgsEstimate {
  let blocks = 2 * tree.length;
  for (let row = 0; row < tree.length; row++) {
    if (tree.isFile(row) || tree.isSymlink(row)) blocks += Math.ceil(tree.columns.size[row]! / BLOCK);
  }
  const diskUsage = blocks * BLOCK;
  const fudge = Math.floor((diskUsage * 52) / 1000);
  const reservedSpace = reserved(layout, bootSize);
  const diskSize = roundUp(diskUsage + fudge + additionalSpace + reservedSpace, MIB);
  return { diskUsage, fudge, additionalSpace, reservedSpace, diskSize };
}

function reserved(layout: LayoutName, bootSize: number): number {
  switch (layout) {
    case "none":
      return 0;
    case "legacy":
      return MIB;
    case "legacy+gpt":
      return GPT_SPACE + 2 * MIB;
    case "efi":
    case "efixbootldr":
    case "hybrid":
      return GPT_SPACE + bootSize;
  }
}
