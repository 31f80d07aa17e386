import type { ContainerTables, PackedLayout } from "../container/index.ts";
import { bytesExtent, type Extent } from "../extents/index.ts";
import type { Packing } from "../packing/index.ts";
import { emptySize, type Qcow2Plan } from "./plan.ts";
import { COMPRESSED, COPIED, PACKED_SECTOR, packedLengthShift, REFCOUNT_BYTES } from "./structures.ts";
import { bigEndian64, headerExtent, l1Extents, refcountTableExtent } from "./tables.ts";

/** What qemu unpacks with: a window of 4 KiB. Streams with a larger one are read by luck, or not at all. */
const WINDOW_BITS = 12;

/** How the clusters of a compressed qcow2 are packed. Default levels: those of qemu-img. */
export function qcow2Packing({ compression }: Qcow2Plan, level?: number): Packing {
  return compression === "zstd"
    ? { type: "zstd", level: level ?? 3 }
    : { type: "deflate", windowBits: WINDOW_BITS, level: level ?? 6 };
}

/**
 * A qcow2 whose clusters are compressed, and packed one behind the other with no regard to clusters of the
 * file. Those that do not get smaller are stored as they are, in clusters of their own. An L2 table lies behind
 * the clusters that it maps; the last one ends the file.
 */
export function qcow2PackedLayout(plan: Qcow2Plan): PackedLayout {
  return new CompressedLayout(plan);
}

class CompressedLayout implements PackedLayout {
  readonly unitSize: number;
  readonly isOrdered = false;
  readonly #plan: Qcow2Plan;
  readonly #refcounts: Refcounts;
  readonly #l2Clusters = new Map<number, number>();
  /** The first cluster that nothing lies in. */
  #next: number;
  /** What is left of the last cluster that holds packed ones, in bytes of the file. */
  #tail = 0;
  #tailEnd = 0;
  /** The L2 table that is being filled, by its number. */
  #table = -1;
  #entries: BigUint64Array;

  constructor(plan: Qcow2Plan) {
    this.#plan = plan;
    this.unitSize = plan.clusterSize;
    this.#refcounts = new Refcounts(plan.firstFree);
    this.#next = plan.firstFree;
    this.#entries = new BigUint64Array(plan.l2Entries);
  }

  head(): Iterable<Extent> {
    return [];
  }

  add(unit: number, raw: Uint8Array, packed: Uint8Array | undefined): readonly Extent[] {
    const extents: Extent[] = [];
    const table = Math.floor(unit / this.#plan.l2Entries);
    if (table !== this.#table) {
      if (this.#table >= 0) extents.push(this.#endTable());
      this.#table = table;
    }
    const stored = packed === undefined ? this.#placeWhole() : this.#placePacked(packed.length);
    this.#entries[unit % this.#plan.l2Entries] = stored.entry;
    extents.push(bytesExtent(stored.position, packed ?? raw));
    return extents;
  }

  finish(): ContainerTables {
    const plan = this.#plan;
    const isEmpty = this.#table < 0;
    const first = Array.from({ length: plan.firstBlocks }, (_, index) => plan.firstBlock + index);
    const uncounted = this.#next + (isEmpty ? 0 : 1) - plan.firstBlocks * plan.blockEntries;
    const further = Math.max(0, Math.ceil(uncounted / (plan.blockEntries - 1)));
    const blocks = [...first, ...Array.from({ length: further }, () => this.#allocate())];
    const last = isEmpty ? [] : [this.#endTable()];
    const [refcounts, l2Clusters] = [this.#refcounts, this.#l2Clusters];
    const blockExtents = function* (start: number, end: number): Generator<Extent> {
      for (let index = start; index < end; index++) {
        const bytes = refcounts.stored(index * plan.blockEntries, plan.blockEntries);
        yield bytesExtent(blocks[index]! * plan.clusterSize, bytes);
      }
    };
    return {
      size: isEmpty ? emptySize(plan) : this.#next * this.unitSize,
      extents: (function* () {
        yield headerExtent(plan);
        yield refcountTableExtent(plan, blocks);
        yield* blockExtents(0, plan.firstBlocks);
        yield* l1Extents(plan, l2Clusters);
        yield* blockExtents(plan.firstBlocks, blocks.length);
        yield* last;
      })(),
    };
  }

  #allocate(): number {
    this.#refcounts.add(this.#next);
    return this.#next++;
  }

  #placeWhole(): { position: number; entry: bigint } {
    const position = this.#allocate() * this.unitSize;
    return { position, entry: COPIED | BigInt(position) };
  }

  /** Packed data crosses into another cluster only when that is the next one in the file. */
  #placePacked(length: number): { position: number; entry: bigint } {
    const canGrow = this.#tailEnd === this.#next * this.unitSize;
    if (!canGrow && this.#tailEnd - this.#tail < length)
      this.#tail = this.#tailEnd = this.#next * this.unitSize;
    const position = this.#tail;
    const end = position + length;
    for (; this.#tailEnd < end; this.#tailEnd += this.unitSize) this.#next++;
    this.#tail = end;
    const lastCluster = Math.floor((end - 1) / this.unitSize);
    for (let cluster = Math.floor(position / this.unitSize); cluster <= lastCluster; cluster++) {
      this.#refcounts.add(cluster);
    }
    const further = Math.floor((end - 1) / PACKED_SECTOR) - Math.floor(position / PACKED_SECTOR);
    const shift = BigInt(packedLengthShift(this.#plan.clusterBits));
    return { position, entry: COMPRESSED | (BigInt(further) << shift) | BigInt(position) };
  }

  #endTable(): Extent {
    const cluster = this.#allocate();
    this.#l2Clusters.set(this.#table, cluster);
    const bytes = bigEndian64(this.#entries);
    this.#entries.fill(0n);
    return bytesExtent(cluster * this.unitSize, bytes);
  }
}

/** How often each cluster of the file is used. */
class Refcounts {
  #counts: Uint16Array;

  /** The first clusters are used once. */
  constructor(used: number) {
    this.#counts = new Uint16Array(Math.max(1024, 2 * used)).fill(1, 0, used);
  }

  add(cluster: number): void {
    if (cluster >= this.#counts.length) {
      const grown = new Uint16Array(2 * cluster);
      grown.set(this.#counts);
      this.#counts = grown;
    }
    this.#counts[cluster]!++;
  }

  /** The refcounts of so many clusters as they are stored, zeros at the end left out. */
  stored(first: number, count: number): Uint8Array {
    const counts = this.#counts.subarray(first, first + count);
    const bytes = new Uint8Array(counts.length * REFCOUNT_BYTES);
    const view = new DataView(bytes.buffer);
    counts.forEach((value, index) => void view.setUint16(index * REFCOUNT_BYTES, value));
    return bytes;
  }
}
