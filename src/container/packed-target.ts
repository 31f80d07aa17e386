import type { Extent, Target } from "../extents/index.ts";
import type { PackedUnits, Packer } from "../packing/index.ts";
import type { ContainerFacts, PackedLayout } from "./layout.ts";
import { isZeros } from "./zeros.ts";

/** What {@link packedTarget} needs. */
export interface PackedTargetOptions {
  readonly layout: PackedLayout;
  readonly packer: Packer;
  /** What takes the container. */
  readonly into: Target;
  /** Asked when the headers are to be written. */
  readonly facts: () => ContainerFacts;
  /** Whether the facts are known before the first byte. Otherwise `into` must take writes in any order. */
  readonly isKnown: boolean;
}

/** About how many bytes are packed in one go: some milliseconds of work. */
const BATCH_SIZE = 256 * 1024;

/** Batches that wait for a packer, for each that it works on: it never waits for the next one. */
const BATCHES_AHEAD = 2;

/**
 * A target for the bytes of a disk, which packs them unit by unit, several at a time, and stores them in
 * order. Units of zeros are left out.
 */
export function packedTarget(options: PackedTargetOptions): Target {
  return new PackedTarget(options);
}

class PackedTarget implements Target {
  readonly #options: PackedTargetOptions;
  readonly #unitSize: number;
  readonly #batchUnits: number;
  readonly #underWay: { readonly units: readonly number[]; readonly result: Promise<PackedUnits> }[] = [];
  readonly #batch: Uint8Array;
  #units: number[] = [];
  /** The unit that is being filled, behind those in the batch. */
  #current: number | undefined;
  #filled = 0;

  constructor(options: PackedTargetOptions) {
    const { layout, into, isKnown } = options;
    const isOrdered = layout.isOrdered && isKnown;
    if (into.resize === undefined && !isOrdered) {
      throw new TypeError("this container cannot go to a target that takes bytes in order only");
    }
    this.#options = options;
    this.#unitSize = layout.unitSize;
    this.#batchUnits = Math.max(1, Math.floor(BATCH_SIZE / this.#unitSize));
    this.#batch = new Uint8Array(this.#batchUnits * this.#unitSize);
  }

  async begin(): Promise<void> {
    const { into, isKnown } = this.#options;
    await into.begin(0);
    if (isKnown) await this.#writeHead();
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const unit = Math.floor((position + done) / this.#unitSize);
      const within = (position + done) % this.#unitSize;
      if (unit !== this.#current) {
        await this.#endUnit();
        this.#current = unit;
      }
      const count = Math.min(bytes.length - done, this.#unitSize - within);
      const start = this.#units.length * this.#unitSize;
      // What lies between two writes is zeros; the buffer was used before.
      this.#batch.fill(0, start + this.#filled, start + within);
      this.#batch.set(bytes.subarray(done, done + count), start + within);
      this.#filled = within + count;
      done += count;
    }
  }

  async commit(): Promise<void> {
    const { layout, into, facts, isKnown, packer } = this.#options;
    await this.#endUnit();
    await this.#send();
    while (this.#underWay.length > 0) await this.#store();
    await packer.close();
    const { size, extents } = layout.finish(facts());
    await this.#writeAll(extents);
    if (!isKnown) await this.#writeHead();
    await into.resize?.(size);
    await into.commit();
  }

  async abort(): Promise<void> {
    await this.#options.packer.close();
    await Promise.allSettled(this.#underWay.map(({ result }) => result));
    await this.#options.into.abort();
  }

  async #writeHead(): Promise<void> {
    const { layout, facts } = this.#options;
    await this.#writeAll(layout.head(facts()));
  }

  /** The unit that is filled takes its place in the batch, unless it is all zeros. */
  async #endUnit(): Promise<void> {
    if (this.#current === undefined) return;
    const start = this.#units.length * this.#unitSize;
    const unit = this.#batch.subarray(start, start + this.#unitSize);
    unit.fill(0, this.#filled);
    if (!isZeros(unit)) this.#units.push(this.#current);
    this.#current = undefined;
    this.#filled = 0;
    if (this.#units.length === this.#batchUnits) await this.#send();
  }

  /** Hands the batch to the packer, and stores the oldest one when enough are under way. */
  async #send(): Promise<void> {
    if (this.#units.length === 0) return;
    const { packer } = this.#options;
    const bytes = this.#batch.subarray(0, this.#units.length * this.#unitSize);
    const result = packer.pack(bytes, this.#unitSize);
    // A failure is told when its turn comes; until then it is nobody's.
    result.catch(() => {});
    this.#underWay.push({ units: this.#units, result });
    this.#units = [];
    if (this.#underWay.length > packer.parallel + BATCHES_AHEAD) await this.#store();
  }

  async #store(): Promise<void> {
    const { units, result } = this.#underWay.shift()!;
    const { bytes, packed, release } = await result;
    for (const [index, unit] of units.entries()) {
      const raw = bytes.subarray(index * this.#unitSize, (index + 1) * this.#unitSize);
      await this.#writeAll(this.#options.layout.add(unit, raw, packed[index]));
    }
    release();
  }

  async #writeAll(extents: Iterable<Extent>): Promise<void> {
    for (const { position, source, offset, length } of extents) {
      if (!(source instanceof Uint8Array)) throw new TypeError("the parts of a container are bytes");
      const writing = this.#options.into.write(position, source.subarray(offset, offset + length));
      if (writing !== undefined) await writing;
    }
  }
}
