import type { Awaitable, Extent, Target } from "../extents/index.ts";
import type { ContainerFacts, ContainerLayout, Place } from "./layout.ts";
import type { UnitRange, UnitSet } from "./unit-set.ts";

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
  /** The units that were placed last, and the first of them. */
  #placed: Place = { position: 0, end: 0 };
  #first = 0;

  constructor({ layout, into }: ContainerTargetOptions) {
    this.into = into;
    this.layout = layout();
  }

  abstract begin(): Promise<void>;
  abstract commit(): Promise<void>;

  async write(position: number, bytes: Uint8Array): Promise<void> {
    const end = position + bytes.length;
    for (let from = position; from < end; ) {
      const place = this.#placeOf(from, end);
      let to = this.#placedUntil(end);
      while (to < end && this.#placeOf(to, end) === place + to - from) to = this.#placedUntil(end);
      const putting = this.put(place, bytes.subarray(from - position, to - position));
      if (putting !== undefined) await putting;
      from = to;
    }
  }

  abort(): Promise<void> {
    return Promise.resolve(this.into.abort());
  }

  protected put(position: number, bytes: Uint8Array): Awaitable<void> {
    return this.into.write(position, bytes);
  }

  protected placeNext(first: number, end: number): Place {
    return this.layout.place(first, end);
  }

  /** Where in the file the byte at `from` of the disk lies, of content that goes on to `end`. */
  #placeOf(from: number, end: number): number {
    const { unitSize } = this.layout;
    const unit = Math.floor(from / unitSize);
    if (unit >= this.#placed.end) {
      this.#placed = this.placeNext(unit, Math.ceil(end / unitSize));
      this.#first = unit;
    }
    return this.#placed.position + from - this.#first * unitSize;
  }

  /** Up to which byte of the disk, `end` at most, the units lie that were placed last. */
  #placedUntil(end: number): number {
    return Math.min(end, this.#placed.end * this.layout.unitSize);
  }
}

/** The units are known: tables first, everything in ascending order. */
class OrderedContainer extends ContainerTarget {
  readonly #options: ContainerTargetOptions;
  readonly #units: UnitSet;
  readonly #following: Iterator<UnitRange>;
  /** What is left of the range whose turn it is. */
  #range: UnitRange = [0, 0];
  #tables: Iterator<Extent> | undefined;
  #nextTable: IteratorResult<Extent> | undefined;

  constructor(options: ContainerTargetOptions, units: UnitSet) {
    super(options);
    this.#options = options;
    this.#units = units;
    this.#following = units.ranges();
  }

  async begin(): Promise<void> {
    const layout = this.#options.layout();
    for (const [first, end] of this.#units.ranges()) placeAll(layout, first, end);
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

  /** Units that were known and turn out to have no bytes keep their places. */
  protected override placeNext(first: number, end: number): Place {
    while (this.#range[1] <= first) {
      placeAll(this.layout, this.#range[0], this.#range[1]);
      const next = this.#following.next();
      if (next.done) throw unexpected(first);
      this.#range = next.value;
    }
    const [start, stop] = this.#range;
    if (start > first || stop < end) throw unexpected(start > first ? first : stop);
    placeAll(this.layout, start, first);
    const place = this.layout.place(first, end);
    this.#range = [place.end, stop];
    return place;
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

/** Places all units from `first` up to and without `end`. */
function placeAll(layout: ContainerLayout, first: number, end: number): void {
  for (let unit = first; unit < end; ) unit = layout.place(unit, end).end;
}

function unexpected(unit: number): RangeError {
  return new RangeError(`unit ${unit} was not among those that were to be written`);
}

function tableBytes({ source, offset, length }: Extent): Uint8Array {
  if (!(source instanceof Uint8Array)) throw new TypeError("the tables of a container are bytes");
  return source.subarray(offset, offset + length);
}
