import {
  type ContainerFacts,
  type ContainerLayout,
  type ContainerTables,
  type Place,
  UnitSet,
} from "../container/index.ts";
import { bytesExtent, type Extent } from "../extents/index.ts";
import type { VdiPlan } from "./plan.ts";
import {
  BLOCK_FREE,
  NO_UUID,
  VDI_BLOCK,
  VDI_HEADER_SIZE,
  VDI_SIGNATURE,
  VDI_TEXT,
  VDI_TYPES,
  VDI_VERSION,
  vdiHeader,
} from "./structures.ts";

/** How much of the map is made at a time, in blocks. */
const MAP_PART = 16_384;

/** A VDI: blocks lie in the file in the order in which they got content. */
export function vdiLayout(plan: VdiPlan): ContainerLayout {
  return plan.variant === "static" ? new StaticLayout(plan) : new DynamicLayout(plan);
}

class DynamicLayout implements ContainerLayout {
  readonly unitSize = VDI_BLOCK;
  readonly #plan: VdiPlan;
  readonly #placed = new UnitSet();

  constructor(plan: VdiPlan) {
    this.#plan = plan;
  }

  place(first: number, end: number): Place {
    const position = this.#plan.dataOffset + this.#placed.size * VDI_BLOCK;
    this.#placed.addRange(first, end);
    return { position, end };
  }

  finish(facts: ContainerFacts): ContainerTables {
    return tables(this.#plan, this.#placed.size, facts, this.#map());
  }

  *#map(): Generator<Extent> {
    const { blocks, mapOffset } = this.#plan;
    let index = 0;
    for (let first = 0; first < blocks; first += MAP_PART) {
      const entries = new Uint32Array(Math.min(MAP_PART, blocks - first)).fill(BLOCK_FREE);
      for (const block of this.#placed.between(first, first + entries.length)) {
        entries[block - first] = index++;
      }
      yield bytesExtent(mapOffset + 4 * first, littleEndian(entries));
    }
  }
}

class StaticLayout implements ContainerLayout {
  readonly unitSize = VDI_BLOCK;
  readonly #plan: VdiPlan;

  constructor(plan: VdiPlan) {
    this.#plan = plan;
  }

  place(first: number, end: number): Place {
    return { position: this.#plan.dataOffset + first * VDI_BLOCK, end };
  }

  finish(facts: ContainerFacts): ContainerTables {
    return tables(this.#plan, this.#plan.blocks, facts, this.#map());
  }

  *#map(): Generator<Extent> {
    const { blocks, mapOffset } = this.#plan;
    for (let first = 0; first < blocks; first += MAP_PART) {
      const length = Math.min(MAP_PART, blocks - first);
      const entries = Uint32Array.from({ length }, (_, index) => first + index);
      yield bytesExtent(mapOffset + 4 * first, littleEndian(entries));
    }
  }
}

function tables(
  plan: VdiPlan,
  blocksAllocated: number,
  facts: ContainerFacts,
  map: Iterable<Extent>,
): ContainerTables {
  return {
    size: plan.dataOffset + blocksAllocated * VDI_BLOCK,
    extents: (function* () {
      yield bytesExtent(0, header(plan, blocksAllocated, facts));
      yield* map;
    })(),
  };
}

function header(plan: VdiPlan, blocksAllocated: number, { identity }: ContainerFacts): Uint8Array {
  return vdiHeader.toBytes({
    text: VDI_TEXT,
    signature: VDI_SIGNATURE,
    version: VDI_VERSION,
    headerSize: VDI_HEADER_SIZE,
    type: VDI_TYPES[plan.variant],
    flags: 0,
    comment: new Uint8Array(0),
    mapOffset: plan.mapOffset,
    dataOffset: plan.dataOffset,
    sectorSize: 512,
    diskSize: BigInt(plan.size),
    blockSize: VDI_BLOCK,
    blockExtra: 0,
    blocks: plan.blocks,
    blocksAllocated,
    uuid: plan.uuid ?? identity.uuid("vdi"),
    modificationUuid: identity.uuid("vdi/modification"),
    parentUuid: NO_UUID,
    parentModificationUuid: NO_UUID,
    logicalSectorSize: 512,
  });
}

/** Numbers as they are stored, whatever the order of the host's. */
function littleEndian(values: Uint32Array): Uint8Array {
  const stored = new Uint8Array(values.byteLength);
  const view = new DataView(stored.buffer);
  values.forEach((value, index) => void view.setUint32(4 * index, value, true));
  return stored;
}
