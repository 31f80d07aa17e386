import { expect } from "vitest";
import { isZeros } from "../../src/container/index.ts";
import { type ByteSource, sweep } from "../../src/extents/index.ts";
import { type ImagePlan, imageExtents } from "../../src/image/index.ts";

const BLOCK = 4096;

/** A disk in memory of which only what is not zeros takes memory. */
export class SparseImage implements ByteSource {
  readonly size: number;
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(size: number) {
    this.size = size;
  }

  read(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.readInto(position, bytes);
    return bytes;
  }

  readInto(position: number, into: Uint8Array): void {
    expect(position + into.length).toBeLessThanOrEqual(this.size);
    for (let at = 0; at < into.length; ) {
      const within = (position + at) % BLOCK;
      const part = into.subarray(at, Math.min(into.length, at + BLOCK - within));
      const block = this.#blocks.get(Math.floor((position + at) / BLOCK));
      if (block === undefined) part.fill(0);
      else part.set(block.subarray(within, within + part.length));
      at += part.length;
    }
  }

  write(position: number, bytes: Uint8Array): void {
    expect(position + bytes.length).toBeLessThanOrEqual(this.size);
    for (let at = 0; at < bytes.length; ) {
      const number = Math.floor((position + at) / BLOCK);
      const within = (position + at) % BLOCK;
      const part = bytes.subarray(at, Math.min(bytes.length, at + BLOCK - within));
      let block = this.#blocks.get(number);
      if (block === undefined) this.#blocks.set(number, (block = new Uint8Array(BLOCK)));
      block.set(part, within);
      at += part.length;
    }
  }

  /** The positions at which two disks differ, one for each block. */
  differences(other: SparseImage): number[] {
    const numbers = new Set([...this.#blocks.keys(), ...other.#blocks.keys()]);
    const found: number[] = [];
    for (const number of numbers) {
      const [a, b] = [this, other].map(({ size }) => Math.min(BLOCK, size - number * BLOCK));
      const mine = this.read(number * BLOCK, a!);
      const theirs = other.read(number * BLOCK, b!);
      const at = mine.findIndex((byte, index) => byte !== theirs[index]);
      if (at >= 0) found.push(number * BLOCK + at);
    }
    return found.sort((a, b) => a - b);
  }

  /** What is not zeros, in blocks by number. */
  get usedBlocks(): number {
    return [...this.#blocks.values()].filter((block) => !isZeros(block)).length;
  }
}

/** The disk that a plan makes. */
export async function written(plan: ImagePlan): Promise<SparseImage> {
  const disk = new SparseImage(plan.size);
  await sweep(imageExtents(plan), (position, bytes) => disk.write(position, bytes));
  return disk;
}
