import { utf8 } from "../bytes/index.ts";
import { type ContainerFacts, SECTOR } from "../container/index.ts";
import { bytesExtent, type Extent } from "../extents/index.ts";
import { type CreateType, descriptorText } from "./descriptor.ts";
import { DESCRIPTOR_OFFSET, DESCRIPTOR_SIZE, type VmdkPlan } from "./plan.ts";
import {
  GRAIN,
  NEWLINES,
  TABLE_ENTRIES,
  VMDK_FLAGS,
  VMDK_MAGIC,
  type VmdkHeader,
  vmdkHeader,
  ZLIB,
} from "./structures.ts";

/** The header of a monolithicSparse VMDK. */
export function sparseHeader(plan: VmdkPlan): Uint8Array {
  return headerBytes(plan, {
    version: 1,
    flags: VMDK_FLAGS.newlines | VMDK_FLAGS.redundantDirectory,
    redundantDirectoryOffset: sectors(plan.redundantDirectoryOffset),
    directoryOffset: sectors(plan.directoryOffset),
    overhead: sectors(plan.dataOffset),
    compression: 0,
  });
}

/** The header of a streamOptimized VMDK, or its footer; `dataOffset` in bytes, `directoryOffset` in sectors. */
export function streamHeader(plan: VmdkPlan, dataOffset: number, directoryOffset: bigint): Uint8Array {
  return headerBytes(plan, {
    version: 3,
    flags: VMDK_FLAGS.newlines | VMDK_FLAGS.compressed | VMDK_FLAGS.markers,
    redundantDirectoryOffset: 0n,
    directoryOffset,
    overhead: sectors(dataOffset),
    compression: ZLIB,
  });
}

type OwnFields = Pick<
  VmdkHeader,
  "version" | "flags" | "redundantDirectoryOffset" | "directoryOffset" | "overhead" | "compression"
>;

function headerBytes({ size }: VmdkPlan, own: OwnFields): Uint8Array {
  return vmdkHeader.toBytes({
    magic: VMDK_MAGIC,
    capacity: sectors(size),
    grainSize: sectors(GRAIN),
    descriptorOffset: sectors(DESCRIPTOR_OFFSET),
    descriptorSize: sectors(DESCRIPTOR_SIZE),
    tableEntries: TABLE_ENTRIES,
    uncleanShutdown: 0,
    newlines: NEWLINES,
    ...own,
  });
}

/** The descriptor; zeros up to its size end it. */
export function descriptorExtent(plan: VmdkPlan, createType: CreateType, facts: ContainerFacts): Extent {
  return bytesExtent(DESCRIPTOR_OFFSET, utf8(descriptorText(plan, createType, facts)));
}

/** Bytes, a multiple of 512, in sectors. */
export function sectors(length: number): bigint {
  return BigInt(length / SECTOR);
}
