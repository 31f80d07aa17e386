import {
  type ContainerFacts,
  type ContainerLayout,
  type ContainerTables,
  type Place,
  UnitSet,
} from "../container/index.ts";
import { bytesExtent, type Extent } from "../extents/index.ts";
import type { SimgPlan } from "./plan.ts";
import {
  CHUNK_TYPES,
  chunkHeader,
  FILL_SIZE,
  SPARSE_MAGIC,
  SPARSE_MAJOR_VERSION,
  sparseHeader,
} from "./structures.ts";

/**
 * The most that one chunk stands for. Boot loaders reckon the bytes of a chunk in 32 bits, and some take a chunk into
 * memory as a whole; another header costs next to nothing.
 */
const CHUNK_LIMIT = 64 * 1024 * 1024;

/** How many bytes of headers are made together at most. */
const PART_SIZE = 65_536;

/** Bytes of a chunk that fills. */
const FILL_CHUNK_SIZE: number = chunkHeader.span + FILL_SIZE;

/** Who writes a disk writes gaps that have no whole block of so many bytes, so that smaller units gain nothing. */
const UNIT = 4096;

/** An Android sparse image. */
export function simgLayout(plan: SimgPlan): ContainerLayout {
  return new SparseLayout(plan);
}

/** Some bytes of the disk, in whole blocks, and whether they lie in the file or are filled with zeros. */
interface Chunk {
  readonly isRaw: boolean;
  readonly length: number;
}

/**
 * What has content lies in raw chunks. What has none is filled with zeros: who writes the image to flash leaves what
 * was there where a chunk says that nobody cares.
 */
class SparseLayout implements ContainerLayout {
  readonly unitSize = UNIT;
  readonly #plan: SimgPlan;
  readonly #placed = new UnitSet();
  /** Where on the disk the chunks end. */
  #covered = 0;
  /** Bytes of the last chunk, when it is raw; 0 when it is not. */
  #raw = 0;
  #chunks = 0;
  /** Where in the file the chunks end. */
  #end: number = sparseHeader.span;

  constructor(plan: SimgPlan) {
    this.#plan = plan;
  }

  place(first: number, end: number): Place {
    this.#fillUntil(first * UNIT);
    if (this.#raw === 0 || this.#raw === CHUNK_LIMIT) {
      this.#chunks++;
      this.#end += chunkHeader.span;
      this.#raw = 0;
    }
    const position = this.#end;
    const count = Math.min(end - first, (CHUNK_LIMIT - this.#raw) / UNIT);
    const length = Math.min(count * UNIT, this.#plan.size - this.#covered);
    this.#placed.addRange(first, first + count);
    this.#covered += length;
    this.#raw += length;
    this.#end += length;
    return { position, end: first + count };
  }

  finish(_facts: ContainerFacts): ContainerTables {
    this.#fillUntil(this.#plan.size);
    return { size: this.#end, extents: this.#extents() };
  }

  #fillUntil(position: number): void {
    if (position === this.#covered) return;
    const fills = Math.ceil((position - this.#covered) / CHUNK_LIMIT);
    this.#chunks += fills;
    this.#end += fills * FILL_CHUNK_SIZE;
    this.#covered = position;
    this.#raw = 0;
  }

  /** The headers of chunks; those that lie one behind the other together. */
  *#extents(): Generator<Extent> {
    const { blockSize } = this.#plan;
    const part = new Uint8Array(PART_SIZE);
    const view = new DataView(part.buffer);
    part.set(this.#header());
    let start = 0;
    let filled: number = sparseHeader.span;
    for (const { isRaw, length } of this.#chunksInOrder()) {
      view.setUint32(filled, isRaw ? CHUNK_TYPES.raw : CHUNK_TYPES.fill, true);
      view.setUint32(filled + 4, length / blockSize, true);
      view.setUint32(filled + 8, isRaw ? chunkHeader.span + length : FILL_CHUNK_SIZE, true);
      if (!isRaw) view.setUint32(filled + chunkHeader.span, 0, true);
      filled += isRaw ? chunkHeader.span : FILL_CHUNK_SIZE;
      if (!isRaw && filled + FILL_CHUNK_SIZE <= PART_SIZE) continue;
      yield bytesExtent(start, part.slice(0, filled));
      start += filled + (isRaw ? length : 0);
      filled = 0;
    }
    if (filled > 0) yield bytesExtent(start, part.slice(0, filled));
  }

  #header(): Uint8Array {
    return sparseHeader.toBytes({
      magic: SPARSE_MAGIC,
      majorVersion: SPARSE_MAJOR_VERSION,
      minorVersion: 0,
      headerSize: sparseHeader.span,
      chunkHeaderSize: chunkHeader.span,
      blockSize: this.#plan.blockSize,
      blocks: this.#plan.blocks,
      chunks: this.#chunks,
      // Nobody checks it, and only who has seen all of the disk knows it.
      checksum: 0,
    });
  }

  /** The chunks as `place` counted them. */
  *#chunksInOrder(): Generator<Chunk> {
    const { size } = this.#plan;
    let covered = 0;
    for (const [first, end] of this.#placed.ranges()) {
      yield* split(false, first * UNIT - covered);
      covered = Math.min(end * UNIT, size);
      yield* split(true, covered - first * UNIT);
    }
    yield* split(false, size - covered);
  }
}

function* split(isRaw: boolean, length: number): Generator<Chunk> {
  for (let rest = length; rest > 0; rest -= CHUNK_LIMIT) yield { isRaw, length: Math.min(rest, CHUNK_LIMIT) };
}
