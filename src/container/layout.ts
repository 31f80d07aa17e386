import type { Identity } from "../bytes/index.ts";
import type { Extent } from "../extents/index.ts";

/** What a container says of itself, and where that comes from. */
export interface ContainerFacts {
  /** What the identifiers of the container are derived from. */
  readonly identity: Identity;
  /** The time of its making, in seconds since 1970. */
  readonly time: number;
}

/** What a container holds beside the content of the disk. */
export interface ContainerTables {
  /** Bytes of the whole file. */
  readonly size: number;
  /** Headers and tables, made lazily, in ascending order; places of content are not among them. */
  readonly extents: Iterable<Extent>;
}

/** Where units lie in the file. */
export interface Place {
  /** Where the first of them starts, in bytes. */
  readonly position: number;
  /** The unit behind the last of them. */
  readonly end: number;
}

/**
 * How a container stores a disk: in units (clusters, blocks, grains), each of which gets its place in the file
 * when it is known to have content. A layout remembers which units it placed; it is used for one file.
 */
export interface ContainerLayout {
  /** Bytes of a unit. */
  readonly unitSize: number;
  /**
   * Gives places to units that have content: to `first`, and to as many of those behind it, up to and without `end`,
   * as lie side by side in the file. Each unit is placed once; units ascend, and so do their places.
   */
  place(first: number, end: number): Place;
  /** The tables for the units that were placed. Called once, when all are. */
  finish(facts: ContainerFacts): ContainerTables;
}

/** How a container stores a disk in compressed units. A layout is used for one file. */
export interface PackedLayout {
  /** Bytes of a unit. */
  readonly unitSize: number;
  /** Whether everything behind the head leaves in ascending order. */
  readonly isOrdered: boolean;
  /** What lies before the first unit, as far as it is known without the units. Called once. */
  head(facts: ContainerFacts): Iterable<Extent>;
  /**
   * Stores a unit that has content; units ascend. `raw` is all of it, zeros behind the end of the disk;
   * `packed` is its compressed form, `undefined` when that is no smaller. Returns what is to be written, whose
   * bytes may be those of the arguments.
   */
  add(unit: number, raw: Uint8Array, packed: Uint8Array | undefined): readonly Extent[];
  /** What is left to be written when all units are stored, and the size of the file. Called once. */
  finish(facts: ContainerFacts): ContainerTables;
}
