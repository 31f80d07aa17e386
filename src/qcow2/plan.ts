import { checkArgument, fields, number, oneOf, optional } from "../arguments/index.ts";
import { formatSize, GIB, KIB, MIB, roundDown, roundUp, TIB } from "../bytes/index.ts";
import { checkDiskSize, SECTOR } from "../container/index.ts";
import { DiskwrightError } from "../errors.ts";
import { ENTRY, REFCOUNT_BYTES } from "./structures.ts";

/** What a qcow2 is to be. */
export interface Qcow2Spec {
  /** Bytes of the disk, a multiple of 512. */
  readonly size: number;
  /** Bytes of a cluster: a power of two from 4 KiB to 2 MiB. Default: 64 KiB, as qemu-img has it. */
  readonly clusterSize?: number | undefined;
  /** How clusters are compressed. Default: not at all. */
  readonly compression?: "none" | "deflate" | "zstd" | undefined;
}

/** Where the fixed parts of a qcow2 lie. Clusters are numbered from the start of the file. */
export interface Qcow2Plan {
  readonly size: number;
  readonly clusterSize: number;
  readonly clusterBits: number;
  readonly compression: "none" | "deflate" | "zstd";
  /** Clusters that one L2 table maps. */
  readonly l2Entries: number;
  /** Clusters that one refcount block counts. */
  readonly blockEntries: number;
  /** Entries of the L1 table: one for each L2 table that could be. */
  readonly l1Entries: number;
  /** The refcount table starts in the second cluster and has room for the largest file. */
  readonly refcountTableClusters: number;
  /** The refcount blocks that count the fixed parts lie behind it: the first of them, and how many. */
  readonly firstBlock: number;
  readonly firstBlocks: number;
  /** The first cluster of the L1 table. */
  readonly l1Cluster: number;
  /** The first cluster behind it. */
  readonly firstFree: number;
}

const SMALLEST_CLUSTER = 4 * KIB;
const LARGEST_CLUSTER = 2 * MIB;

/** qemu opens no file whose L1 table is larger (QCOW_MAX_L1_SIZE). */
export const LARGEST_L1: number = 32 * MIB;

/** Nor one whose refcount table is (QCOW_MAX_REFTABLE_SIZE). */
export const LARGEST_REFCOUNT_TABLE: number = 8 * MIB;

/** Half of what qemu can count, so that every place in the file is an exact number. */
const LARGEST_DISK = 1024 * TIB;

const SPEC = fields<Qcow2Spec>("the specification of a qcow2", {
  size: number,
  clusterSize: optional(number),
  compression: optional(oneOf("none", "deflate", "zstd")),
});

/**
 * Plans a qcow2 of version 3.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a size that it cannot hold.
 */
export function planQcow2(spec: Qcow2Spec): Qcow2Plan {
  checkArgument("spec", spec, SPEC);
  const { size, clusterSize = 64 * KIB, compression = "none" } = spec;
  const clusterBits = Math.log2(clusterSize);
  if (!Number.isInteger(clusterBits) || clusterSize < SMALLEST_CLUSTER || clusterSize > LARGEST_CLUSTER) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `a cluster of qcow2 has ${formatSize(SMALLEST_CLUSTER)} to ${formatSize(LARGEST_CLUSTER)}, a power of two: not ${clusterSize}`,
    );
  }
  const l2Entries = clusterSize / ENTRY;
  const blockEntries = clusterSize / REFCOUNT_BYTES;
  const mappedByL2 = l2Entries * clusterSize;
  const largest = largestDisk(clusterSize);
  checkDiskSize(`qcow2 with clusters of ${formatSize(clusterSize)}`, size, {
    largest,
    whatHoldsMore: largest < LARGEST_DISK ? "one with larger clusters" : "no format here",
  });
  // A table of no entries is allowed, but not everybody reads it.
  const l1Entries = Math.max(1, Math.ceil(size / mappedByL2));
  const l1Clusters = Math.ceil((l1Entries * ENTRY) / clusterSize);
  const content = Math.ceil(size / clusterSize);
  const refcountTableClusters = refcountTableFor(1 + l1Clusters + l1Entries + content, clusterSize);
  const firstBlock = 1 + refcountTableClusters;
  const firstBlocks = refcountBlocks(firstBlock + l1Clusters, { blockEntries });
  const l1Cluster = firstBlock + firstBlocks;
  return {
    size,
    clusterSize,
    clusterBits,
    compression,
    l2Entries,
    blockEntries,
    l1Entries,
    refcountTableClusters,
    firstBlock,
    firstBlocks,
    l1Cluster,
    firstFree: l1Cluster + l1Clusters,
  };
}

/**
 * The largest disk, in bytes, whole gibibytes: the L1 table has room for its L2 tables, and the refcount table for
 * every cluster of a file in which all of the disk is stored.
 */
function largestDisk(clusterSize: number): number {
  const l2Entries = clusterSize / ENTRY;
  const mapped = (LARGEST_L1 / ENTRY) * l2Entries * clusterSize;
  const blocks = LARGEST_REFCOUNT_TABLE / ENTRY;
  const fixed = 1 + Math.ceil((LARGEST_REFCOUNT_TABLE + LARGEST_L1) / clusterSize) + blocks;
  const counted = blocks * (clusterSize / REFCOUNT_BYTES) - fixed;
  // One L2 table for so many clusters of content.
  const content = Math.floor((counted * l2Entries) / (l2Entries + 1));
  return Math.min(LARGEST_DISK, mapped, roundDown(content * clusterSize, GIB));
}

/** Clusters of a refcount table for a file of so many other clusters, its blocks and itself included. */
function refcountTableFor(others: number, clusterSize: number): number {
  const blockEntries = clusterSize / REFCOUNT_BYTES;
  for (let table = 1; ; ) {
    const blocks = refcountBlocks(others + table, { blockEntries });
    const needed = Math.ceil((blocks * ENTRY) / clusterSize);
    if (needed <= table) return table;
    table = needed;
  }
}

/** Where the fixed parts end, in bytes: the size of a file without content. 7-Zip wants no padding there. */
export function emptySize({ l1Cluster, clusterSize, l1Entries }: Qcow2Plan): number {
  return roundUp(l1Cluster * clusterSize + l1Entries * ENTRY, SECTOR);
}

/** Refcount blocks for a file that has so many clusters beside them: they count themselves as well. */
function refcountBlocks(clusters: number, { blockEntries }: Pick<Qcow2Plan, "blockEntries">): number {
  return Math.ceil(clusters / (blockEntries - 1));
}
