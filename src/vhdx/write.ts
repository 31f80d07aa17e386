import {
  type ContainerFacts,
  type ContainerLayout,
  type ContainerTables,
  type Place,
  UnitSet,
} from "../container/index.ts";
import { bytesExtent, type Extent } from "../extents/index.ts";
import { BAT_ENTRY, BLOCK_STATES, batIndex } from "./bat.ts";
import type { VhdxPlan } from "./plan.ts";
import {
  BAT_REGION,
  FILE_SIGNATURE,
  fileIdentifier,
  HEADER_OFFSETS,
  HEADER_SIGNATURE,
  HEADER_VERSION,
  METADATA_ITEMS,
  METADATA_REGION,
  METADATA_SIGNATURE,
  METADATA_TABLE_SIZE,
  type MetadataItems,
  metadataEntry,
  metadataItems,
  metadataTableHeader,
  NO_LOG,
  REGION_REQUIRED,
  REGION_TABLE_OFFSETS,
  REGION_TABLE_SIGNATURE,
  REGION_TABLE_SIZE,
  regionEntry,
  regionTableHeader,
  seal,
  vhdxHeader,
} from "./structures.ts";

/** How much of the table is made at a time, in blocks. */
const BAT_PART = 8192;

const CREATOR = "diskwright";

/** A dynamic VHDX: blocks lie in the file in the order in which they got content. */
export function vhdxLayout(plan: VhdxPlan): ContainerLayout {
  return new DynamicLayout(plan);
}

class DynamicLayout implements ContainerLayout {
  readonly unitSize: number;
  readonly #plan: VhdxPlan;
  readonly #placed = new UnitSet();

  constructor(plan: VhdxPlan) {
    this.#plan = plan;
    this.unitSize = plan.blockSize;
  }

  place(first: number, end: number): Place {
    const position = this.#placeOf(this.#placed.size);
    this.#placed.addRange(first, end);
    return { position, end };
  }

  finish(facts: ContainerFacts): ContainerTables {
    return { size: this.#placeOf(this.#placed.size), extents: this.#tables(facts) };
  }

  #placeOf(ordinal: number): number {
    return this.#plan.dataOffset + ordinal * this.#plan.blockSize;
  }

  /** The log stays a hole: one that is empty needs no content (§2.3). */
  *#tables(facts: ContainerFacts): Generator<Extent> {
    yield* headerSection(this.#plan, facts);
    yield* metadata(this.#plan, facts);
    yield* this.#bat();
  }

  /** The entries of bitmaps, and those of blocks that are not present, are zeros: what has only these is a hole. */
  *#bat(): Generator<Extent> {
    const { blocks, batOffset, chunkRatio } = this.#plan;
    let ordinal = 0;
    for (let first = 0; first < blocks; first += BAT_PART) {
      const end = Math.min(blocks, first + BAT_PART);
      const start = batIndex(first, chunkRatio);
      let part: DataView | undefined;
      for (const block of this.#placed.between(first, end)) {
        part ??= new DataView(new ArrayBuffer(BAT_ENTRY * (batIndex(end - 1, chunkRatio) + 1 - start)));
        putEntry(part, batIndex(block, chunkRatio) - start, this.#placeOf(ordinal++));
      }
      if (part !== undefined) {
        yield bytesExtent(batOffset + BAT_ENTRY * start, new Uint8Array(part.buffer));
      }
    }
  }
}

/** An entry of a block that is all there (§2.5.1). Its place is a multiple of 1 MiB, so that the low bits are free. */
function putEntry(part: DataView, index: number, place: number): void {
  part.setUint32(BAT_ENTRY * index, (place % 2 ** 32) + BLOCK_STATES.fullyPresent, true);
  part.setUint32(BAT_ENTRY * index + 4, Math.floor(place / 2 ** 32), true);
}

/** What lies in the first 1 MiB (§2.2). */
function* headerSection(plan: VhdxPlan, facts: ContainerFacts): Generator<Extent> {
  yield bytesExtent(0, fileIdentifier.toBytes({ signature: FILE_SIGNATURE, creator: utf16(CREATOR) }));
  // Two headers with the same number would be none: §2.2.2 asks which is greater.
  for (const [index, offset] of HEADER_OFFSETS.entries()) {
    yield bytesExtent(offset, header(plan, BigInt(1 + index), facts));
  }
  const regions = regionTable(plan);
  for (const offset of REGION_TABLE_OFFSETS) yield bytesExtent(offset, regions);
}

function header(plan: VhdxPlan, sequenceNumber: bigint, { identity }: ContainerFacts): Uint8Array {
  const bytes = vhdxHeader.toBytes({
    signature: HEADER_SIGNATURE,
    checksum: 0,
    sequenceNumber,
    fileWriteGuid: identity.uuid("vhdx/file-write"),
    dataWriteGuid: identity.uuid("vhdx/data-write"),
    logGuid: NO_LOG,
    logVersion: 0,
    version: HEADER_VERSION,
    logLength: plan.logLength,
    logOffset: BigInt(plan.logOffset),
  });
  return seal(bytes);
}

/** The start of a region table; the checksum is that of all of it. */
function regionTable(plan: VhdxPlan): Uint8Array {
  const regions = [
    { id: BAT_REGION, offset: plan.batOffset, length: plan.batLength },
    { id: METADATA_REGION, offset: plan.metadataOffset, length: plan.metadataLength },
  ];
  const table = new Uint8Array(REGION_TABLE_SIZE);
  table.set(
    regionTableHeader.toBytes({
      signature: REGION_TABLE_SIGNATURE,
      checksum: 0,
      entryCount: regions.length,
    }),
  );
  let end = regionTableHeader.span;
  for (const { id, offset, length } of regions) {
    table.set(regionEntry.toBytes({ id, offset: BigInt(offset), length, flags: REGION_REQUIRED }), end);
    end += regionEntry.span;
  }
  return seal(table).subarray(0, end);
}

/** The table of metadata, and the items behind it (§2.6). */
function* metadata(plan: VhdxPlan, { identity }: ContainerFacts): Generator<Extent> {
  const items = Object.entries(METADATA_ITEMS);
  const entries = items.map(([name, { id, flags, field }]) => {
    const offset = METADATA_TABLE_SIZE + metadataItems.offsetOf(name);
    return metadataEntry.toBytes({ id, offset, length: field.span, flags });
  });
  const table = new Uint8Array(metadataTableHeader.span + entries.length * metadataEntry.span);
  table.set(metadataTableHeader.toBytes({ signature: METADATA_SIGNATURE, entryCount: entries.length }));
  for (const [index, entry] of entries.entries()) {
    table.set(entry, metadataTableHeader.span + index * metadataEntry.span);
  }
  yield bytesExtent(plan.metadataOffset, table);

  const values: MetadataItems = {
    fileParameters: { blockSize: plan.blockSize, flags: 0 },
    virtualDiskSize: BigInt(plan.size),
    virtualDiskId: identity.uuid("vhdx"),
    logicalSectorSize: plan.sectors.logical,
    physicalSectorSize: plan.sectors.physical,
  };
  yield bytesExtent(plan.metadataOffset + METADATA_TABLE_SIZE, metadataItems.toBytes(values));
}

function utf16(text: string): Uint8Array {
  const stored = new DataView(new ArrayBuffer(2 * text.length));
  for (let index = 0; index < text.length; index++) stored.setUint16(2 * index, text.charCodeAt(index), true);
  return new Uint8Array(stored.buffer);
}
