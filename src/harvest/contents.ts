import type { Awaitable, Content, Extent, FunctionContent } from "../extents/index.ts";
import type { ContentOrigin, DataRange } from "../tree/index.ts";

/** What a file holds, as a row of a tree has it. */
export interface StoredFile {
  /** The key of its content in {@link StoredContents}. */
  readonly key: number;
  /** The parts that hold data; `undefined` when all of it does. */
  readonly data: readonly DataRange[] | undefined;
}

/** Where one part of a file lies: in the file, and in the source. */
const PART = 3;

/**
 * Where the content of files lies in an image, in columns: three numbers for each part of a file, and most files have
 * one. What is read later is read from there; only what lies in inodes is kept.
 */
export class StoredContents implements ContentOrigin {
  readonly #limit: number;
  #source: FunctionContent | undefined;
  #parts = new Float64Array(PART * 1024);
  #partCount = 0;
  /** The first part of each key, and its size. */
  readonly #firstPart: number[] = [];
  readonly #sizes: number[] = [];
  readonly #inline = new Map<number, Uint8Array>();
  #bytes = 0;

  /** `limit`: the most bytes that all files can have, which is the size of the filesystem. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether the files have more bytes than there are: then some have the same ones. */
  get isOverfull(): boolean {
    return this.#bytes > this.#limit;
  }

  /** Takes the extents of a file of `size` bytes, all of which lie in one source or are bytes. */
  async add(size: number, extents: AsyncIterable<Extent>): Promise<StoredFile> {
    const key = this.#sizes.push(size) - 1;
    this.#firstPart.push(this.#partCount);
    const data: DataRange[] = [];
    for await (const { position, length, source, offset } of extents) {
      this.#bytes += length;
      if (this.isOverfull) break;
      if (source instanceof Uint8Array) this.#inline.set(key, source.slice(offset, offset + length));
      else this.#addPart(position, length, source as FunctionContent, offset);
      const last = data.at(-1);
      if (last !== undefined && last.offset + last.length === position) {
        data[data.length - 1] = { offset: last.offset, length: last.length + length };
      } else data.push({ offset: position, length });
    }
    const isWhole = size === 0 || data[0]?.length === size;
    return { key, data: isWhole ? undefined : data };
  }

  content(key: number): Content {
    const size = this.#sizes[key]!;
    return { type: "function", size, read: (offset, into) => this.#read(key, size, offset, into) };
  }

  #addPart(position: number, length: number, source: FunctionContent, offset: number): void {
    this.#source ??= source;
    const at = PART * this.#partCount++;
    if (at === this.#parts.length) {
      const larger = new Float64Array(2 * at);
      larger.set(this.#parts);
      this.#parts = larger;
    }
    this.#parts[at] = position;
    this.#parts[at + 1] = length;
    this.#parts[at + 2] = offset;
  }

  #read(key: number, size: number, offset: number, into: Uint8Array): Awaitable<number> {
    const wanted = Math.min(into.length, size - offset);
    if (wanted <= 0) return 0;
    const inline = this.#inline.get(key);
    if (inline !== undefined) {
      const stored = inline.subarray(offset, offset + wanted);
      into.set(stored);
      into.fill(0, stored.length, wanted);
      return wanted;
    }
    const end = this.#firstPart[key + 1] ?? this.#partCount;
    const part = this.#lastPartFrom(this.#firstPart[key]!, end, offset);
    if (part >= 0) {
      const [position, length, at] = this.#parts.subarray(PART * part, PART * part + PART);
      const within = offset - position!;
      if (within < length!) {
        const count = Math.min(wanted, length! - within);
        return this.#source!.read(at! + within, into.subarray(0, count));
      }
    }
    const next = part < 0 ? this.#firstPart[key]! : part + 1;
    const hole = next < end ? this.#parts[PART * next]! - offset : wanted;
    into.fill(0, 0, Math.min(wanted, hole));
    return Math.min(wanted, hole);
  }

  /** The last of the parts from `first` up to `end` that starts at `offset` or before, or -1. */
  #lastPartFrom(first: number, end: number, offset: number): number {
    let low = first;
    let high = end - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#parts[PART * middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low <= high && this.#parts[PART * low]! <= offset ? low : -1;
  }
}
