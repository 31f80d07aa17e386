import {
  type ContainerFacts,
  type ContainerLayout,
  type ContainerTables,
  type Place,
  UnitSet,
} from "../container/index.ts";
import { bytesExtent, type Extent } from "../extents/index.ts";
import { descriptorExtent, sparseHeader } from "./head.ts";
import { checkFileEnd, type VmdkPlan } from "./plan.ts";
import { GRAIN, TABLE_ENTRIES, TABLE_SIZE } from "./structures.ts";
import { directoryExtents, putPlace } from "./tables.ts";

/** A monolithicSparse VMDK: grains lie in the file in the order in which they got content. */
export function vmdkLayout(plan: VmdkPlan): ContainerLayout {
  return new SparseLayout(plan);
}

class SparseLayout implements ContainerLayout {
  readonly unitSize = GRAIN;
  readonly #plan: VmdkPlan;
  readonly #placed = new UnitSet();

  constructor(plan: VmdkPlan) {
    this.#plan = plan;
  }

  place(first: number, end: number): Place {
    const position = this.#placeOf(this.#placed.size);
    checkFileEnd(position + (end - first) * GRAIN);
    this.#placed.addRange(first, end);
    return { position, end };
  }

  finish(facts: ContainerFacts): ContainerTables {
    return { size: this.#placeOf(this.#placed.size), extents: this.#metadata(facts) };
  }

  #placeOf(ordinal: number): number {
    return this.#plan.dataOffset + ordinal * GRAIN;
  }

  *#metadata(facts: ContainerFacts): Generator<Extent> {
    const plan = this.#plan;
    yield bytesExtent(0, sparseHeader(plan));
    yield descriptorExtent(plan, "monolithicSparse", facts);
    yield* directory(plan, plan.redundantDirectoryOffset, plan.redundantTablesOffset);
    yield* this.#tables(plan.redundantTablesOffset);
    yield* directory(plan, plan.directoryOffset, plan.tablesOffset);
    yield* this.#tables(plan.tablesOffset);
  }

  /** The tables that tell of a grain; the others are holes. */
  *#tables(start: number): Generator<Extent> {
    let ordinal = 0;
    let number = -1;
    let table = new DataView(new ArrayBuffer(0));
    for (const grain of this.#placed.between(0, this.#plan.tables * TABLE_ENTRIES)) {
      const numberOfGrain = Math.floor(grain / TABLE_ENTRIES);
      if (numberOfGrain !== number) {
        if (number >= 0) yield bytesExtent(start + number * TABLE_SIZE, new Uint8Array(table.buffer));
        number = numberOfGrain;
        table = new DataView(new ArrayBuffer(TABLE_SIZE));
      }
      putPlace(table, grain % TABLE_ENTRIES, this.#placeOf(ordinal++));
    }
    if (number >= 0) yield bytesExtent(start + number * TABLE_SIZE, new Uint8Array(table.buffer));
  }
}

/** A directory whose tables are all there, one behind the other. */
function directory({ tables }: VmdkPlan, start: number, tablesOffset: number): Generator<Extent> {
  const places = function* (): Generator<[number, number]> {
    for (let table = 0; table < tables; table++) yield [table, tablesOffset + table * TABLE_SIZE];
  };
  return directoryExtents(start, tables, places());
}
