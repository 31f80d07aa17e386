import { roundUp } from "../bytes/index.ts";
import { type ContainerFacts, type ContainerTables, type PackedLayout, SECTOR } from "../container/index.ts";
import { bytesExtent, type Extent } from "../extents/index.ts";
import { descriptorExtent, sectors, streamHeader } from "./head.ts";
import { checkFileEnd, DESCRIPTOR_OFFSET, DESCRIPTOR_SIZE, type VmdkPlan } from "./plan.ts";
import { storedZlib } from "./stored.ts";
import {
  DIRECTORY_AT_END,
  GRAIN,
  grainMarker,
  MARKER_TYPES,
  TABLE_ENTRIES,
  TABLE_SIZE,
  vmdkMarker,
} from "./structures.ts";
import { directoryExtents, putPlace } from "./tables.ts";

/** Where the first grain lies: behind header and descriptor, where a grain would start. */
const DATA_OFFSET = roundUp(DESCRIPTOR_OFFSET + DESCRIPTOR_SIZE, GRAIN);

/**
 * A streamOptimized VMDK: grains of zlib data, each grain table behind the grains that it maps, and at the end the
 * grain directory and a footer that tells where it is. Nothing is ever written before what was written.
 */
export function vmdkStreamLayout(plan: VmdkPlan): PackedLayout {
  return new StreamLayout(plan);
}

class StreamLayout implements PackedLayout {
  readonly unitSize = GRAIN;
  readonly isOrdered = true;
  readonly #plan: VmdkPlan;
  /** The places of the tables that were written, by their numbers. */
  readonly #tables = new Map<number, number>();
  /** The table that is being filled. */
  #number = -1;
  #table = new DataView(new ArrayBuffer(TABLE_SIZE));
  /** Where the file ends so far. */
  #end = DATA_OFFSET;

  constructor(plan: VmdkPlan) {
    this.#plan = plan;
  }

  head(facts: ContainerFacts): Iterable<Extent> {
    return [
      bytesExtent(0, streamHeader(this.#plan, DATA_OFFSET, DIRECTORY_AT_END)),
      descriptorExtent(this.#plan, "streamOptimized", facts),
    ];
  }

  add(grain: number, raw: Uint8Array, packed: Uint8Array | undefined): readonly Extent[] {
    const number = Math.floor(grain / TABLE_ENTRIES);
    const ended = number === this.#number ? [] : this.#endTable();
    this.#number = number;
    putPlace(this.#table, grain % TABLE_ENTRIES, this.#end);
    return [...ended, this.#append(grainBytes(grain, packed ?? storedZlib(raw)))];
  }

  finish(): ContainerTables {
    const plan = this.#plan;
    const tables = this.#tables;
    const ended = this.#endTable();
    const marker = this.#append(markerBytes(plan.directorySize, MARKER_TYPES.directory));
    const directoryOffset = this.#skip(plan.directorySize);
    const end = this.#append(endBytes(plan, directoryOffset));
    return {
      size: this.#end,
      extents: (function* () {
        yield* ended;
        yield marker;
        yield* directoryExtents(directoryOffset, plan.tables, tables);
        yield end;
      })(),
    };
  }

  /** The table that was being filled, if any, behind its marker. */
  #endTable(): Extent[] {
    if (this.#number < 0) return [];
    const bytes = new Uint8Array(SECTOR + TABLE_SIZE);
    bytes.set(markerBytes(TABLE_SIZE, MARKER_TYPES.table));
    bytes.set(new Uint8Array(this.#table.buffer), SECTOR);
    this.#table = new DataView(new ArrayBuffer(TABLE_SIZE));
    const extent = this.#append(bytes);
    this.#tables.set(this.#number, extent.position + SECTOR);
    return [extent];
  }

  #append(bytes: Uint8Array): Extent {
    return bytesExtent(this.#skip(bytes.length), bytes);
  }

  /** Where so many bytes get their place, in whole sectors. */
  #skip(length: number): number {
    const position = this.#end;
    this.#end += length;
    checkFileEnd(this.#end);
    return position;
  }
}

/** A grain as it is stored: its marker, its data, and zeros up to the end of the sector. */
function grainBytes(grain: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(roundUp(grainMarker.span + data.length, SECTOR));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, sectors(grain * GRAIN), true);
  view.setUint32(8, data.length, true);
  bytes.set(data, grainMarker.span);
  return bytes;
}

/** The marker of something that has so many bytes. */
function markerBytes(size: number, type: number): Uint8Array {
  return vmdkMarker.toBytes({ sectors: sectors(size), length: 0, type });
}

/** The last three sectors, which qemu looks for by their place: the footer behind its marker, and the end. */
function endBytes(plan: VmdkPlan, directoryOffset: number): Uint8Array {
  const footer = streamHeader(plan, DATA_OFFSET, sectors(directoryOffset));
  const bytes = new Uint8Array(3 * SECTOR);
  bytes.set(markerBytes(footer.length, MARKER_TYPES.footer));
  bytes.set(footer, SECTOR);
  bytes.set(markerBytes(0, MARKER_TYPES.endOfStream), 2 * SECTOR);
  return bytes;
}
