import { checkArgument, fields, number, optional } from "../arguments/index.ts";
import { formatBytes, MIB, roundUp, TIB } from "../bytes/index.ts";
import { checkDiskSize, SECTOR, type SectorSizes, sectorSizesKind } from "../container/index.ts";
import { DiskwrightError } from "../errors.ts";
import { BAT_ENTRY, batEntries, chunkRatioOf } from "./bat.ts";
import { ALIGNMENT } from "./structures.ts";

/** What a VHDX is to be. It is dynamic: blocks come into the file as they get content. */
export interface VhdxSpec {
  /** Bytes of the disk, a multiple of its logical sectors. Tools of Hyper-V make none below 3 MiB; the format holds them. */
  readonly size: number;
  /** Bytes of a block, a power of two from 1 MiB to 256 MiB. Default: 1 MiB, more above 2 TiB. */
  readonly blockSize?: number | undefined;
  /** Default: logical sectors of 512 bytes, and physical ones of 4096, as Hyper-V has them: guests then align to 4 KiB. */
  readonly sectors?: SectorSizes | undefined;
}

/** Where everything lies in a VHDX, in bytes. */
export interface VhdxPlan {
  readonly size: number;
  readonly blockSize: number;
  readonly sectors: SectorSizes;
  /** Blocks of the disk. */
  readonly blocks: number;
  /** Blocks between entries of bitmaps. */
  readonly chunkRatio: number;
  readonly logOffset: number;
  readonly logLength: number;
  readonly metadataOffset: number;
  readonly metadataLength: number;
  readonly batOffset: number;
  readonly batLength: number;
  /** Where the first block lies. */
  readonly dataOffset: number;
}

/** The most that a VHDX holds ([MS-VHDX] §2.6.2.2). */
export const LARGEST_VHDX: number = 64 * TIB;
/** The limits of a block ([MS-VHDX] §2.6.2.1). */
export const SMALLEST_BLOCK: number = MIB;
export const LARGEST_BLOCK: number = 256 * MIB;

const USUAL_SECTORS: SectorSizes = { logical: SECTOR, physical: 4096 };

/** Blocks of a disk when nobody said how large they are: their table then takes 16 MiB, qemu holds it in memory. */
const USUAL_BLOCKS = 2 ** 21;

const SPEC = fields<VhdxSpec>("the specification of a VHDX", {
  size: number,
  blockSize: optional(number),
  sectors: optional(sectorSizesKind),
});

/**
 * Plans a VHDX.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a size that it cannot hold, or a size of blocks that it cannot have.
 */
export function planVhdx(spec: VhdxSpec): VhdxPlan {
  checkArgument("spec", spec, SPEC);
  const { size, blockSize = usualBlockSize(size), sectors = USUAL_SECTORS } = spec;
  // qemu and 7-Zip reckon with a last block, so that they refuse a disk that has none.
  checkDiskSize("vhdx", size, {
    smallest: sectors.logical,
    largest: LARGEST_VHDX,
    multiple: sectors.logical,
  });
  if (!isBlockSize(blockSize)) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `a vhdx cannot have blocks of ${formatBytes(blockSize)}: take a power of two from 1 MiB to 256 MiB`,
    );
  }
  const blocks = Math.ceil(size / blockSize);
  const chunkRatio = chunkRatioOf(blockSize, sectors.logical);
  // Headers, log, metadata and table in the order in which Hyper-V has them.
  const logOffset = ALIGNMENT;
  const metadataOffset = logOffset + ALIGNMENT;
  const batOffset = metadataOffset + ALIGNMENT;
  const batLength = roundUp(BAT_ENTRY * batEntries(blocks, chunkRatio), ALIGNMENT);
  return {
    size,
    blockSize,
    sectors,
    blocks,
    chunkRatio,
    logOffset,
    logLength: ALIGNMENT,
    metadataOffset,
    metadataLength: ALIGNMENT,
    batOffset,
    batLength,
    dataOffset: batOffset + batLength,
  };
}

/** Whether blocks may have so many bytes. */
export function isBlockSize(size: number): boolean {
  return size >= SMALLEST_BLOCK && size <= LARGEST_BLOCK && Number.isInteger(Math.log2(size));
}

/**
 * The smallest blocks with which the table stays small. ext4 scatters its metadata over the disk, so that with the
 * 32 MiB of Hyper-V a small filesystem fills its whole disk; Microsoft advises 1 MiB for Linux. At the 64 TiB of
 * the format this comes to the 32 MiB of Hyper-V.
 */
function usualBlockSize(size: number): number {
  let blockSize = SMALLEST_BLOCK;
  while (blockSize * USUAL_BLOCKS < size && blockSize < LARGEST_BLOCK) blockSize *= 2;
  return blockSize;
}
