import { checkArgument, fields, number, optional, text } from "../arguments/index.ts";
import { parseGuid, roundUp, TIB } from "../bytes/index.ts";
import { checkDiskSize, SECTOR } from "../container/index.ts";
import { DiskwrightError } from "../errors.ts";
import { ENTRY, GRAIN, TABLE_ENTRIES, TABLE_SIZE } from "./structures.ts";

/** What a VMDK is to be. */
export interface VmdkSpec {
  /** Bytes of the disk, a multiple of 512 and not 0. */
  readonly size: number;
  /** By which VirtualBox knows the disk. Default: derived from the identity. */
  readonly uuid?: string | undefined;
}

/** What both kinds of VMDK share, and where everything lies in a monolithicSparse one, in bytes. */
export interface VmdkPlan {
  readonly size: number;
  readonly uuid: string | undefined;
  /** Grain tables that the disk takes. */
  readonly tables: number;
  /** Bytes of a grain directory, in whole sectors. */
  readonly directorySize: number;
  readonly redundantDirectoryOffset: number;
  readonly redundantTablesOffset: number;
  readonly directoryOffset: number;
  readonly tablesOffset: number;
  /** Where the first grain lies. */
  readonly dataOffset: number;
}

/** The largest disk that vSphere takes. Workstation and Fusion stop at 8 TB; qemu reads more. */
export const LARGEST_VMDK: number = 62 * TIB;

/** Places are 32 bits of sectors. */
const LARGEST_FILE: number = 2 * TIB;

/** The descriptor lies behind the header, with room for the lines that VirtualBox adds to it. */
export const DESCRIPTOR_OFFSET: number = SECTOR;
export const DESCRIPTOR_SIZE: number = 20 * SECTOR;

const SPEC = fields<VmdkSpec>("the specification of a VMDK", { size: number, uuid: optional(text) });

/**
 * Plans a VMDK.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a size that it cannot hold, or a UUID that is none.
 */
export function planVmdk(spec: VmdkSpec): VmdkPlan {
  checkArgument("spec", spec, SPEC);
  const { size, uuid } = spec;
  // qemu takes a capacity of 0 for a descriptor of other files.
  checkDiskSize("vmdk", size, { smallest: SECTOR, largest: LARGEST_VMDK });
  const tables = Math.ceil(size / (GRAIN * TABLE_ENTRIES));
  const directorySize = roundUp(ENTRY * tables, SECTOR);
  const redundantDirectoryOffset = DESCRIPTOR_OFFSET + DESCRIPTOR_SIZE;
  const redundantTablesOffset = redundantDirectoryOffset + directorySize;
  const directoryOffset = redundantTablesOffset + TABLE_SIZE * tables;
  const tablesOffset = directoryOffset + directorySize;
  return {
    size,
    uuid: uuid === undefined ? undefined : parseGuid(uuid),
    tables,
    directorySize,
    redundantDirectoryOffset,
    redundantTablesOffset,
    directoryOffset,
    tablesOffset,
    dataOffset: roundUp(tablesOffset + TABLE_SIZE * tables, GRAIN),
  };
}

/**
 * Checks that something that ends at byte `end` of the file can be told of.
 *
 * @throws DiskwrightError `INVALID_SPEC` when it cannot.
 */
export function checkFileEnd(end: number): void {
  if (end <= LARGEST_FILE) return;
  throw new DiskwrightError(
    "INVALID_SPEC",
    "what the disk holds cannot be vmdk: it takes a file of more than 2 TiB, and places in a vmdk are 32 bits of sectors; qcow2 and vhdx hold more",
  );
}
