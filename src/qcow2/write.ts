import { type ContainerLayout, type ContainerTables, type Place, UnitSet } from "../container/index.ts";
import { bytesExtent, type Extent, merged } from "../extents/index.ts";
import { emptySize, type Qcow2Plan } from "./plan.ts";
import { COPIED, ENTRY } from "./structures.ts";
import { headerExtent, l1Extents, refcountTableExtent } from "./tables.ts";

/** A refcount of one as it is stored, high byte first, in the order of this host. */
const USED_ONCE = new Uint16Array(Uint8Array.of(0, 1).buffer)[0]!;

/**
 * A qcow2 whose clusters are stored as they are. Behind the header, the refcount table, its first block and the L1
 * table, clusters follow in the order of the disk; each L2 table lies before the first cluster that it maps, and each
 * refcount block is the first of the clusters that it counts. So the place of everything is known when its
 * turn comes, and nothing but a cluster of content is ever last, as 7-Zip asks for.
 */
export function qcow2Layout(plan: Qcow2Plan): ContainerLayout {
  return new PlainLayout(plan);
}

class PlainLayout implements ContainerLayout {
  readonly unitSize: number;
  readonly #plan: Qcow2Plan;
  readonly #placed = new UnitSet();
  /** The cluster of each L2 table, by its number. */
  readonly #l2Clusters = new Map<number, number>();
  /** The L2 table that maps the unit that was placed last. */
  #table = -1;
  #next: number;

  constructor(plan: Qcow2Plan) {
    this.#plan = plan;
    this.unitSize = plan.clusterSize;
    this.#next = plan.firstFree;
  }

  place(first: number, end: number): Place {
    const { l2Entries } = this.#plan;
    const table = Math.floor(first / l2Entries);
    if (table !== this.#table) {
      this.#table = table;
      this.#l2Clusters.set(table, this.#allocate(1));
    }
    const most = Math.min(end, (table + 1) * l2Entries) - first;
    const count = this.#sideBySide(this.#following(this.#next), most);
    this.#placed.addRange(first, first + count);
    return { position: this.#allocate(count) * this.unitSize, end: first + count };
  }

  finish(): ContainerTables {
    const plan = this.#plan;
    const blocks = this.#blocks();
    const l2Clusters = this.#l2Clusters;
    const tables = function* (l2Tables: Iterable<Extent>): Generator<Extent> {
      yield* l1Extents(plan, l2Clusters);
      yield* l2Tables;
    };
    const counted = merged(this.#refcounts(blocks), tables(this.#l2Tables()));
    return {
      size: l2Clusters.size === 0 ? emptySize(plan) : this.#next * this.unitSize,
      extents: (function* () {
        yield headerExtent(plan);
        yield refcountTableExtent(plan, blocks);
        yield* counted;
      })(),
    };
  }

  /** The first of `count` clusters that lie side by side. */
  #allocate(count: number): number {
    const first = this.#following(this.#next);
    this.#next = first + count;
    return first;
  }

  /** How many clusters, `most` at most, lie side by side from `cluster` on, before a refcount block. */
  #sideBySide(cluster: number, most: number): number {
    const { blockEntries } = this.#plan;
    return Math.min(most, blockEntries - (cluster % blockEntries));
  }

  /** The first cluster from `cluster` on that is no refcount block. */
  #following(cluster: number): number {
    const { blockEntries, firstBlocks } = this.#plan;
    const isBlock = cluster % blockEntries === 0 && cluster >= firstBlocks * blockEntries;
    return isBlock ? cluster + 1 : cluster;
  }

  /** The clusters of the refcount blocks. */
  #blocks(): number[] {
    const { firstBlock, firstBlocks, blockEntries } = this.#plan;
    const length = Math.ceil(this.#next / blockEntries);
    return Array.from({ length }, (_, index) =>
      index < firstBlocks ? firstBlock + index : index * blockEntries,
    );
  }

  /** Every cluster of the file is in use once. */
  *#refcounts(blocks: readonly number[]): Generator<Extent> {
    for (const [index, cluster] of blocks.entries()) {
      const counted = Math.min(this.#plan.blockEntries, this.#next - index * this.#plan.blockEntries);
      const counts = new Uint16Array(counted).fill(USED_ONCE);
      yield bytesExtent(cluster * this.unitSize, new Uint8Array(counts.buffer));
    }
  }

  /** The clusters that a table maps lie behind it. */
  *#l2Tables(): Generator<Extent> {
    const { l2Entries, clusterSize } = this.#plan;
    for (const [number, cluster] of this.#l2Clusters) {
      const bytes = new Uint8Array(l2Entries * ENTRY);
      const view = new DataView(bytes.buffer);
      const first = number * l2Entries;
      let next = cluster + 1;
      for (const [start, end] of this.#placed.rangesBetween(first, first + l2Entries)) {
        for (let unit = start; unit < end; ) {
          next = this.#following(next);
          const count = this.#sideBySide(next, end - unit);
          putNeighbours(view, (unit - first) * ENTRY, next * clusterSize, clusterSize, count);
          next += count;
          unit += count;
        }
      }
      yield bytesExtent(cluster * this.unitSize, bytes);
    }
  }
}

/**
 * Puts the L2 entries of `count` clusters that lie side by side, from `place` on. By itself because engines compile
 * what runs often: a small function at once, the generator around it for ten milliseconds, which the end of a
 * program waits for.
 */
function putNeighbours(view: DataView, at: number, place: number, clusterSize: number, count: number): void {
  for (let index = 0; index < count; index++) {
    view.setBigUint64(at + index * ENTRY, COPIED | BigInt(place + index * clusterSize));
  }
}
