import { checkArgument, fields, number, oneOf, optional, text } from "../arguments/index.ts";
import { formatBytes, GIB, MIB, parseGuid, roundUp } from "../bytes/index.ts";
import { checkDiskSize, SECTOR } from "../container/index.ts";
import { DiskwrightError } from "../errors.ts";
import { bitmapSize, vhdFooter, vhdHeader } from "./structures.ts";

/** What a VHD is to be. */
export interface VpcSpec {
  /** Bytes of the disk, a multiple of 512. */
  readonly size: number;
  /** `dynamic` (default): blocks come into the file as they get content; `fixed`: the disk, and a footer behind it. */
  readonly variant?: "dynamic" | "fixed" | undefined;
  /** By which hypervisors know the disk. Default: derived from the identity. */
  readonly uuid?: string | undefined;
}

/** Where everything lies in a VHD, in bytes. Only a dynamic one has blocks. */
export interface VpcPlan {
  readonly size: number;
  readonly variant: "dynamic" | "fixed";
  readonly uuid: string | undefined;
  /** Blocks of the disk. */
  readonly blocks: number;
  readonly headerOffset: number;
  readonly tableOffset: number;
  /** Bytes of the table, in whole sectors. */
  readonly tableSize: number;
  /** Where the first block starts, with its bitmap. */
  readonly dataOffset: number;
  /** Bytes from one block in the file to the next. */
  readonly blockStride: number;
}

/** What programs for VHD take, among them qemu and Hyper-V; 32 bits of sectors would hold little more. */
export const LARGEST_VPC: number = 2040 * GIB;

/** The usual size of a block, and the only one that all programs read. */
export const VPC_BLOCK: number = 2 * MIB;

const SPEC = fields<VpcSpec>("the specification of a VHD", {
  size: number,
  variant: optional(oneOf("dynamic", "fixed")),
  uuid: optional(text),
});

/**
 * Plans a VHD.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a size that it cannot hold, or a UUID that is none.
 */
export function planVpc(spec: VpcSpec): VpcPlan {
  checkArgument("spec", spec, SPEC);
  const { size, variant = "dynamic", uuid } = spec;
  checkDiskSize("vpc", size, { largest: LARGEST_VPC });
  if (size === 0 && variant === "fixed") {
    throw new DiskwrightError(
      "INVALID_SPEC",
      "a disk of 0 bytes cannot be a fixed vpc: a footer at the start of the file is that of a dynamic one; make it dynamic, or larger",
    );
  }
  const blocks = Math.ceil(size / VPC_BLOCK);
  const headerOffset = vhdFooter.span;
  const tableOffset = headerOffset + vhdHeader.span;
  const tableSize = roundUp(4 * blocks, SECTOR);
  return {
    size,
    variant,
    uuid: uuid === undefined ? undefined : parseGuid(uuid),
    blocks,
    headerOffset,
    tableOffset,
    tableSize,
    dataOffset: tableOffset + tableSize,
    blockStride: bitmapSize(VPC_BLOCK) + VPC_BLOCK,
  };
}

/** What Azure takes, in bytes. */
const AZURE_UNIT = MIB;
const AZURE_SMALLEST = 20 * MIB;

/**
 * Checks that Azure takes a disk of `size` bytes. It takes VHDs that are fixed.
 *
 * @throws DiskwrightError `INVALID_SPEC` with the rule, and a size that keeps it.
 */
export function checkAzureSize(size: number): void {
  const fail = (reason: string): never => {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `Azure does not take a disk of ${formatBytes(size)}: ${reason}`,
    );
  };
  if (size > LARGEST_VPC) fail("a vhd holds at most 2040 GiB");
  const better = Math.max(AZURE_SMALLEST, roundUp(size, AZURE_UNIT));
  const remedy = `make the disk ${better / MIB} MiB large (truncate --size=${better / MIB}M), or build it with --size=${better / MIB}M`;
  if (size < AZURE_SMALLEST) fail(`20 MiB are the least; ${remedy}`);
  if (size !== better) fail(`the size must be a multiple of 1 MiB; ${remedy}`);
}
