import { checkArgument, fields, kindOf, optional } from "../arguments/index.ts";
import { targetKind } from "./arguments.ts";
import type { ByteRange } from "./extent.ts";
import type { Target } from "./target.ts";

/** Options of {@link zeroingTarget}. */
export interface ZeroingOptions {
  /** What takes the bytes, in ascending order. */
  readonly into: Target;
  /** The free ranges of the disk, in ascending order: they are passed over. Default: none. */
  readonly free?: Iterable<ByteRange> | AsyncIterable<ByteRange> | undefined;
}

const ZEROING_OPTIONS = fields<ZeroingOptions>("the options of zeroingTarget", {
  into: targetKind,
  free: optional(kindOf("byte ranges in ascending order", isIterable)),
});

function isIterable(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  );
}

/** How many zeros are written in one call. */
const CHUNK = 256 * 1024;

/**
 * A target that takes the content of a disk in ascending order and hands on the zeros between it as well, but for
 * those in free ranges: for what must state every byte that counts, because it is written over older bytes.
 */
export function zeroingTarget(options: ZeroingOptions): Target {
  checkArgument("options", options, ZEROING_OPTIONS);
  return new ZeroingTarget(options);
}

class ZeroingTarget implements Target {
  readonly #into: Target;
  readonly #free: AsyncIterator<ByteRange> | Iterator<ByteRange>;
  /** The first free range that ends behind what was handed on. */
  #next: { readonly start: number; readonly end: number } | undefined;
  #size = 0;
  /** Up to here everything was handed on, or passed over. */
  #covered = 0;

  constructor({ into, free = [] }: ZeroingOptions) {
    this.#into = into;
    this.#free = Symbol.asyncIterator in free ? free[Symbol.asyncIterator]() : free[Symbol.iterator]();
  }

  async begin(size: number): Promise<void> {
    this.#size = size;
    await this.#into.begin(size);
    await this.#nextFree();
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    if (position > this.#covered) await this.#zerosUntil(position);
    await this.#into.write(position, bytes);
    this.#covered = position + bytes.length;
  }

  async commit(): Promise<void> {
    await this.#zerosUntil(this.#size);
    await this.#into.commit();
  }

  async abort(): Promise<void> {
    await this.#into.abort();
  }

  async #zerosUntil(end: number): Promise<void> {
    while (this.#covered < end) {
      while (this.#next !== undefined && this.#next.end <= this.#covered) await this.#nextFree();
      const free = this.#next;
      const stop = Math.min(end, free?.start ?? end);
      if (stop > this.#covered) await this.#zeros(this.#covered, stop - this.#covered);
      this.#covered = Math.max(stop, Math.min(end, free?.end ?? end));
    }
  }

  async #zeros(position: number, length: number): Promise<void> {
    if (this.#into.writeZeros !== undefined) return this.#into.writeZeros(position, length);
    const zeros = new Uint8Array(Math.min(length, CHUNK));
    for (let done = 0; done < length; done += CHUNK) {
      await this.#into.write(position + done, zeros.subarray(0, Math.min(CHUNK, length - done)));
    }
  }

  async #nextFree(): Promise<void> {
    const { done, value } = await this.#free.next();
    this.#next = done ? undefined : { start: value.position, end: value.position + value.length };
  }
}
