import { utf8 } from "../bytes/index.ts";
import {
  type ContainerFacts,
  type ContainerLayout,
  type ContainerTables,
  type Place,
  UnitSet,
} from "../container/index.ts";
import { bytesExtent, type Extent } from "../extents/index.ts";
import { VPC_BLOCK, type VpcPlan } from "./plan.ts";
import {
  BLOCK_FREE,
  bitmapSize,
  checksumOf,
  FEATURES_RESERVED,
  FOOTER_COOKIE,
  HEADER_COOKIE,
  NO_OFFSET,
  VHD_EPOCH,
  VHD_TYPES,
  VHD_VERSION,
  vhdFooter,
  vhdHeader,
} from "./structures.ts";

/** A VHD: blocks of a dynamic one lie in the file in the order in which they got content. */
export function vpcLayout(plan: VpcPlan): ContainerLayout {
  return plan.variant === "fixed" ? new FixedLayout(plan) : new DynamicLayout(plan);
}

class FixedLayout implements ContainerLayout {
  readonly unitSize = VPC_BLOCK;
  readonly #plan: VpcPlan;

  constructor(plan: VpcPlan) {
    this.#plan = plan;
  }

  place(first: number, end: number): Place {
    return { position: first * VPC_BLOCK, end };
  }

  finish(facts: ContainerFacts): ContainerTables {
    const { size } = this.#plan;
    return { size: size + vhdFooter.span, extents: [bytesExtent(size, footer(this.#plan, facts))] };
  }
}

/** How much of the table is made at a time, in blocks. */
const TABLE_PART = 16_384;

class DynamicLayout implements ContainerLayout {
  readonly unitSize = VPC_BLOCK;
  readonly #plan: VpcPlan;
  readonly #placed = new UnitSet();

  constructor(plan: VpcPlan) {
    this.#plan = plan;
  }

  /** Each block lies behind its bitmap. */
  place(block: number): Place {
    const position = this.#bitmapOffset(this.#placed.size) + bitmapSize(VPC_BLOCK);
    this.#placed.add(block);
    return { position, end: block + 1 };
  }

  finish(facts: ContainerFacts): ContainerTables {
    const end = this.#bitmapOffset(this.#placed.size);
    return { size: end + vhdFooter.span, extents: this.#extents(end, footer(this.#plan, facts)) };
  }

  /** Where the block that is the one with number `index` in the file starts. */
  #bitmapOffset(index: number): number {
    return this.#plan.dataOffset + index * this.#plan.blockStride;
  }

  *#extents(end: number, footerBytes: Uint8Array): Generator<Extent> {
    yield bytesExtent(0, footerBytes);
    yield bytesExtent(this.#plan.headerOffset, header(this.#plan));
    yield* this.#table();
    // Every sector of a block is there, zeros or not.
    const bitmap = new Uint8Array(bitmapSize(VPC_BLOCK)).fill(0xff);
    for (let index = 0; index < this.#placed.size; index++) {
      yield bytesExtent(this.#bitmapOffset(index), bitmap);
    }
    yield bytesExtent(end, footerBytes);
  }

  /** The block allocation table; what fills its last sector names no blocks either. */
  *#table(): Generator<Extent> {
    const { tableOffset, tableSize } = this.#plan;
    const entries = tableSize / 4;
    let index = 0;
    for (let first = 0; first < entries; first += TABLE_PART) {
      const part = new Uint8Array(4 * Math.min(TABLE_PART, entries - first)).fill(BLOCK_FREE & 0xff);
      const view = new DataView(part.buffer);
      for (const block of this.#placed.between(first, first + part.length / 4)) {
        view.setUint32(4 * (block - first), this.#bitmapOffset(index++) / 512);
      }
      yield bytesExtent(tableOffset + 4 * first, part);
    }
  }
}

/** qemu's name for files whose disk has the current size, and not that of cylinders, heads and sectors. */
const CREATOR = utf8("qem2");
/** Of Virtual PC 2007, as qemu writes it. */
const CREATOR_VERSION = 0x00050003;
/** Windows. Azure and FreeBSD's mkimg know no other. */
const CREATOR_SYSTEM = utf8("Wi2k");

/**
 * The largest geometry there is. Cylinders, heads and sectors come to few sizes exactly; with these values
 * programs that reckon with them, of which qemu is one, take the current size instead.
 */
const GEOMETRY = { cylinders: 65_535, heads: 16, sectors: 255 } as const;

const LATEST_TIME = 0xffffffff;

function footer(plan: VpcPlan, { identity, time }: ContainerFacts): Uint8Array {
  const bytes = vhdFooter.toBytes({
    cookie: FOOTER_COOKIE,
    features: FEATURES_RESERVED,
    version: VHD_VERSION,
    headerOffset: plan.variant === "fixed" ? NO_OFFSET : BigInt(plan.headerOffset),
    time: Math.min(LATEST_TIME, Math.max(0, Math.floor(time) - VHD_EPOCH)),
    creator: CREATOR,
    creatorVersion: CREATOR_VERSION,
    creatorSystem: CREATOR_SYSTEM,
    originalSize: BigInt(plan.size),
    currentSize: BigInt(plan.size),
    ...GEOMETRY,
    type: VHD_TYPES[plan.variant],
    checksum: 0,
    uuid: plan.uuid ?? identity.uuid("vpc"),
    savedState: 0,
  });
  return sealed(bytes, vhdFooter.offsetOf("checksum"));
}

function header(plan: VpcPlan): Uint8Array {
  const bytes = vhdHeader.toBytes({
    cookie: HEADER_COOKIE,
    nextOffset: NO_OFFSET,
    tableOffset: BigInt(plan.tableOffset),
    version: VHD_VERSION,
    tableEntries: plan.blocks,
    blockSize: VPC_BLOCK,
    checksum: 0,
  });
  return sealed(bytes, vhdHeader.offsetOf("checksum"));
}

/** The structure with its checksum in its place. */
function sealed(structure: Uint8Array, checksumOffset: number): Uint8Array {
  new DataView(structure.buffer).setUint32(checksumOffset, checksumOf(structure, checksumOffset));
  return structure;
}
