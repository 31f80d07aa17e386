import { checkArgument, fields, number } from "../arguments/index.ts";
import { formatBytes, formatSize } from "../bytes/index.ts";
import { checkDiskSize } from "../container/index.ts";
import { DiskwrightError } from "../errors.ts";

/** What an Android sparse image is to be. */
export interface SimgSpec {
  /** Bytes of the disk, a multiple of 512. */
  readonly size: number;
}

/** An Android sparse image. Where its chunks lie follows from what has content. */
export interface SimgPlan {
  readonly size: number;
  /** Bytes of a block. */
  readonly blockSize: number;
  /** Blocks of the disk. */
  readonly blocks: number;
}

/** What everybody uses; there are boot loaders that take nothing else. */
const USUAL_BLOCK = 4096;

/** Blocks are counted in 32 bits. */
const MOST_BLOCKS = 2 ** 32 - 1;

const SPEC = fields<SimgSpec>("the specification of an Android sparse image", { size: number });

/**
 * Plans an Android sparse image. Blocks have 4 KiB, or less where that does not divide the size.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a size that it cannot hold.
 */
export function planSimg(spec: SimgSpec): SimgPlan {
  checkArgument("spec", spec, SPEC);
  const { size } = spec;
  checkDiskSize("android-sparse", size, { largest: MOST_BLOCKS * USUAL_BLOCK });
  let blockSize = USUAL_BLOCK;
  while (size % blockSize !== 0) blockSize /= 2;
  const blocks = size / blockSize;
  if (blocks > MOST_BLOCKS) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `a disk of ${formatBytes(size)} cannot be android-sparse: with blocks of ${formatSize(blockSize)} it has more of them than 32 bits count; make its size a multiple of 4 KiB (truncate --size=%4096)`,
    );
  }
  return { size, blockSize, blocks };
}
