import { formatBytes, printable } from "../bytes/index.ts";
import { type Disk, type UnitRun, unitDisk } from "../container/index.ts";
import type { ByteSource } from "../extents/index.ts";
import { DynamicBlocks } from "./blocks.ts";
import { type Footers, readFooters } from "./footer.ts";
import { LARGEST_VPC, VPC_BLOCK } from "./plan.ts";
import { damaged, unsupported } from "./refuse.ts";
import { VHD_TYPES } from "./structures.ts";

/**
 * Opens a VHD; `undefined` when the file is none. The disk has the current size that the footer tells: what
 * cylinders, heads and sectors come to is less in files of many programs.
 *
 * @throws DiskwrightError `CORRUPT` for one that breaks the rules, `UNSUPPORTED_IMAGE` for a kind that is not read.
 */
export async function openVpc(file: ByteSource): Promise<Disk | undefined> {
  const footers = await readFooters(file);
  if (footers === undefined) return undefined;
  return footers.footer.type === VHD_TYPES.fixed
    ? fixedDisk(file, footers)
    : await dynamicDisk(file, footers);
}

function fixedDisk(file: ByteSource, { footer, end, problems }: Footers): Disk {
  const { currentSize } = footer;
  if (currentSize > BigInt(end)) {
    damaged(`its disk of ${currentSize} bytes ends behind its ${formatBytes(end)}: it was cut off`);
  }
  const size = Number(currentSize);
  const between =
    size < end ? [`${formatBytes(end - size)} lie between the disk and the footer of the vpc file`] : [];
  return unitDisk({
    format: "vpc",
    file,
    size,
    unitSize: VPC_BLOCK,
    problems: [...problems, ...savedState(footer.savedState), ...between],
    details: { variant: "fixed", creator: creatorOf(footer.creator), uuid: footer.uuid },
    run: (unit): UnitRun => ({
      type: "plain",
      units: Math.ceil(size / VPC_BLOCK) - unit,
      position: unit * VPC_BLOCK,
    }),
  });
}

async function dynamicDisk(file: ByteSource, { footer, end, problems }: Footers): Promise<Disk> {
  const { currentSize } = footer;
  if (currentSize > BigInt(LARGEST_VPC)) unsupported(`its disk has ${currentSize} bytes, 2040 GiB are read`);
  const size = Number(currentSize);
  const blocks = await DynamicBlocks.open(file, footer.headerOffset, size, end);
  return unitDisk({
    format: "vpc",
    file,
    size,
    unitSize: blocks.unitSize,
    problems: [...problems, ...savedState(footer.savedState)],
    details: {
      variant: "dynamic",
      blockSize: blocks.blockSize,
      blocksAllocated: blocks.allocated,
      creator: creatorOf(footer.creator),
      uuid: footer.uuid,
    },
    run: (unit) => blocks.run(unit),
  });
}

function creatorOf(creator: Uint8Array): string {
  return printable(creator).trim();
}

function savedState(value: number): string[] {
  return value === 0
    ? []
    : ["the vpc file belongs to the saved state of a virtual machine: its disk may be in use"];
}
