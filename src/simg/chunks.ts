import type { UnitRun } from "../container/index.ts";
import type { ByteSource } from "../extents/index.ts";

/** The blocks are zeros. */
const ZEROS = 0;

/** What is held, at first: it doubles. */
const FIRST_CAPACITY = 1024;

/**
 * Where the blocks of a disk are, from one chunk to the next, in columns: a file may have millions of chunks. Chunks
 * that are filled alike are one.
 */
export class ChunkTable {
  /** The first block of each chunk. */
  #first = new Uint32Array(FIRST_CAPACITY);
  /** Where a chunk is in the file; {@link ZEROS}; or, below zero, the value that it is filled with. */
  #content = new Float64Array(FIRST_CAPACITY);
  #length = 0;
  /** Blocks of all chunks. */
  #blocks = 0;

  get blocks(): number {
    return this.#blocks;
  }

  /** Blocks that lie in the file from `position` on, which is above zero. */
  addRaw(blocks: number, position: number): void {
    this.#add(blocks, position);
  }

  /** Blocks that are filled with a value of 32 bits. */
  addFill(blocks: number, value: number): void {
    const content = value === 0 ? ZEROS : -value;
    if (this.#length > 0 && this.#content[this.#length - 1] === content) this.#blocks += blocks;
    else this.#add(blocks, content);
  }

  /** What the blocks from `block` to the end of their chunk are. */
  run(block: number, size: number, blockSize: number): UnitRun {
    const chunk = this.#chunkOf(block);
    const end = chunk + 1 < this.#length ? this.#first[chunk + 1]! : this.#blocks;
    const units = end - block;
    const content = this.#content[chunk]!;
    if (content === ZEROS) return { type: "zeros", units };
    if (content < 0) return { type: "below", units, disk: filled(-content, size) };
    return { type: "plain", units, position: content + (block - this.#first[chunk]!) * blockSize };
  }

  #add(blocks: number, content: number): void {
    if (blocks === 0) return;
    if (this.#length === this.#first.length) {
      const [first, contents] = [new Uint32Array(2 * this.#length), new Float64Array(2 * this.#length)];
      first.set(this.#first);
      contents.set(this.#content);
      [this.#first, this.#content] = [first, contents];
    }
    this.#first[this.#length] = this.#blocks;
    this.#content[this.#length++] = content;
    this.#blocks += blocks;
  }

  #chunkOf(block: number): number {
    let low = 0;
    for (let high = this.#length; high - low > 1; ) {
      const middle = (low + high) >>> 1;
      if (this.#first[middle]! <= block) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** A disk that is filled with a value of 32 bits, from end to end: no memory, however large. */
function filled(value: number, size: number): ByteSource {
  const pattern = new Uint8Array(4);
  new DataView(pattern.buffer).setUint32(0, value, true);
  function readInto(position: number, into: Uint8Array): void {
    const head = Math.min(into.length, 4);
    for (let index = 0; index < head; index++) into[index] = pattern[(position + index) % 4]!;
    for (let done = head; done < into.length; done *= 2) into.copyWithin(done, 0, done);
  }
  return {
    size,
    readInto,
    read(position, length): Uint8Array {
      const bytes = new Uint8Array(length);
      readInto(position, bytes);
      return bytes;
    },
  };
}
