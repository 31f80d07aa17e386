import type { Awaitable, Extent, Target } from "../extents/index.ts";
import type { ContainerFacts, ContainerLayout } from "./layout.ts";
import type { UnitSet } from "./unit-set.ts";

/** What {@link containerTarget} needs. */
export interface ContainerTargetOptions {
  /** A new layout; the same one each time. */
  readonly layout: () => ContainerLayout;
  /** What takes the container. */
  readonly into: Target;
  /** Asked once, when the headers are to be written. */
  readonly facts: () => ContainerFacts;
  /**
   * The units that will be written, when that is known before. Then the tables leave before the content, and
   * everything in ascending order; without it `into` must take writes in any order.
   */
  readonly units?: UnitSet | undefined;
}

/** A target for the bytes of a disk, which hands them on as a container. Both ways give the same bytes. */
export function containerTarget(options: ContainerTargetOptions): Target {
  const { units, into } = options;
  if (units !== undefined) return new OrderedContainer(options, units);
  if (into.resize === undefined) {
    throw new TypeError("a target that takes bytes in order only needs to know the units before");
  }
  return new PatchedContainer(options);
}

/** Cuts what is written at the borders of units, and joins what stays together in the file. */
abstract class ContainerTarget implements Target {
  protected readonly into: Target;
  protected readonly layout: ContainerLayout;
  #unit = -1;
  #place = 0;

  constructor({ layout, into }: ContainerTargetOptions) {
    this.into = into;
    this.layout = layout();
  }

  abstract begin(): Promise<void>;
  abstract commit(): Promise<void>;

  async write(position: number, bytes: Uint8Array): Promise<void> {
    const { unitSize } = this.layout;
    for (let done = 0; done < bytes.length; ) {
      const within = (position + done) % unitSize;
      const place = this.#placeOf(Math.floor((position + done) / unitSize)) + within;
      let end = Math.min(bytes.length, done + unitSize - within);
      while (end < bytes.length && this.#placeOf(this.#unit + 1) === place + end - done) {
        end = Math.min(bytes.length, end + unitSize);
      }
      const putting = this.put(place, bytes.subarray(done, end));
      if (putting !== undefined) await putting;
      done = end;
    }
  }

  abort(): Promise<void> {
    return Promise.resolve(this.into.abort());
  }

  protected put(position: number, bytes: Uint8Array): Awaitable<void> {
    return this.into.write(position, bytes);
  }

  protected placeNext(unit: number): number {
    return this.layout.place(unit);
  }

  #placeOf(unit: number): number {
    if (unit !== this.#unit) {
      this.#place = this.placeNext(unit);
      this.#unit = unit;
    }
    return this.#place;
  }
}

/** The units are known: tables first, everything in ascending order. */
class OrderedContainer extends ContainerTarget {
  readonly #options: ContainerTargetOptions;
  readonly #units: UnitSet;
  readonly #following: Iterator<number>;
  #tables: Iterator<Extent> | undefined;
  #nextTable: IteratorResult<Extent> | undefined;

  constructor(options: ContainerTargetOptions, units: UnitSet) {
    super(options);
    this.#options = options;
    this.#units = units;
    this.#following = units[Symbol.iterator]();
  }

  async begin(): Promise<void> {
    const layout = this.#options.layout();
    for (const unit of this.#units) layout.place(unit);
    const { size, extents } = layout.finish(this.#options.facts());
    await this.into.begin(size);
    this.#tables = extents[Symbol.iterator]();
    this.#nextTable = this.#tables.next();
  }

  async commit(): Promise<void> {
    await this.#putTables(Number.POSITIVE_INFINITY);
    await this.into.commit();
  }

  protected override async put(position: number, bytes: Uint8Array): Promise<void> {
    await this.#putTables(position);
    await super.put(position, bytes);
  }

  /** A unit that was known and turns out to have no bytes keeps its place. */
  protected override placeNext(unit: number): number {
    for (let next = this.#following.next(); !next.done; next = this.#following.next()) {
      const place = this.layout.place(next.value);
      if (next.value === unit) return place;
      if (next.value > unit) break;
    }
    throw new RangeError(`unit ${unit} was not among those that were to be written`);
  }

  async #putTables(until: number): Promise<void> {
    for (; !this.#nextTable!.done && this.#nextTable!.value.position < until; ) {
      const extent = this.#nextTable!.value;
      this.#nextTable = this.#tables!.next();
      await super.put(extent.position, tableBytes(extent));
    }
  }
}

/** The units are found out while writing: content first, then the tables in their places. */
class PatchedContainer extends ContainerTarget {
  readonly #facts: () => ContainerFacts;

  constructor(options: ContainerTargetOptions) {
    super(options);
    this.#facts = options.facts;
  }

  async begin(): Promise<void> {
    await this.into.begin(0);
  }

  async commit(): Promise<void> {
    const { size, extents } = this.layout.finish(this.#facts());
    for (const extent of extents) await this.put(extent.position, tableBytes(extent));
    await this.into.resize!(size);
    await this.into.commit();
  }
}

function tableBytes({ source, offset, length }: Extent): Uint8Array {
  if (!(source instanceof Uint8Array)) throw new TypeError("the tables of a container are bytes");
  return source.subarray(offset, offset + length);
}
