import { bytesExtent, type Extent } from "../extents/index.ts";
import type { Qcow2Plan } from "./plan.ts";
import {
  COMPRESSION_TYPES,
  COPIED,
  ENTRY,
  INCOMPATIBLE,
  QCOW2_MAGIC,
  qcow2Compression,
  qcow2Features,
  qcow2Header,
  REFCOUNT_ORDER,
} from "./structures.ts";

// The tables that plain and compressed files have in common.

/** The header. Files of deflate have the shorter one, which every reader of version 3 knows. */
export function headerExtent(plan: Qcow2Plan): Extent {
  const { clusterBits, clusterSize, size, l1Entries, compression } = plan;
  const isZstd = compression === "zstd";
  const start = qcow2Header.span + qcow2Features.span;
  const headerLength = start + (isZstd ? qcow2Compression.span : 0);
  // Zeros follow: the mark that there are no extensions.
  const bytes = new Uint8Array(headerLength + 8);
  const header = {
    magic: QCOW2_MAGIC,
    version: 3,
    backingFileOffset: 0n,
    backingFileSize: 0,
    clusterBits,
    size: BigInt(size),
    encryption: 0,
    l1Size: l1Entries,
    l1TableOffset: BigInt(plan.l1Cluster * clusterSize),
    refcountTableOffset: BigInt(clusterSize),
    refcountTableClusters: plan.refcountTableClusters,
    snapshots: 0,
    snapshotsOffset: 0n,
  };
  const features = {
    incompatible: isZstd ? INCOMPATIBLE.compressionType : 0n,
    compatible: 0n,
    autoclear: 0n,
    refcountOrder: REFCOUNT_ORDER,
    headerLength,
  };
  qcow2Header.encode(header, bytes, 0, "");
  qcow2Features.encode(features, bytes, qcow2Header.span, "");
  if (isZstd) {
    const compressed = { type: COMPRESSION_TYPES.zstd, padding: new Uint8Array(7) };
    qcow2Compression.encode(compressed, bytes, start, "");
  }
  return bytesExtent(0, bytes);
}

/** The refcount table: where the blocks are, in clusters. */
export function refcountTableExtent(plan: Qcow2Plan, blocks: readonly number[]): Extent {
  return placesExtent(
    plan.clusterSize,
    blocks.map((cluster) => BigInt(cluster * plan.clusterSize)),
  );
}

/** The L1 table: where the L2 tables are, in clusters, by their number; gaps are for those that are not. */
export function* l1Extents(plan: Qcow2Plan, l2Clusters: ReadonlyMap<number, number>): Generator<Extent> {
  const start = plan.l1Cluster * plan.clusterSize;
  let first = 0;
  let places: bigint[] = [];
  for (const [index, cluster] of l2Clusters) {
    if (index !== first + places.length) {
      if (places.length > 0) yield placesExtent(start + first * ENTRY, places);
      first = index;
      places = [];
    }
    places.push(COPIED | BigInt(cluster * plan.clusterSize));
  }
  if (places.length > 0) yield placesExtent(start + first * ENTRY, places);
}

function placesExtent(position: number, places: readonly bigint[]): Extent {
  return bytesExtent(position, bigEndian64(places));
}

/** Entries as they are stored. */
export function bigEndian64(values: ArrayLike<bigint>): Uint8Array {
  const bytes = new Uint8Array(values.length * ENTRY);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < values.length; index++) view.setBigUint64(index * ENTRY, values[index]!);
  return bytes;
}
