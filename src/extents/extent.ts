import type { Content } from "./content.ts";

/** Bytes in a row. */
export interface ByteRange {
  readonly position: number;
  readonly length: number;
}

/**
 * Some bytes of an image: where they lie, and what they are. Extents are the currency between the rooms.
 * A sequence of them is ordered by position, never overlaps, and is made lazily. What no extent covers
 * reads as zeros, unless the plan calls it free: see `ByteKind`. Positions and lengths are in bytes.
 */
export interface Extent extends ByteRange {
  /** The bytes themselves, or a reference to the content that they are taken from. */
  readonly source: Uint8Array | Content;
  /** Where in `source` the extent starts. */
  readonly offset: number;
}

/** An extent of bytes that are in memory. */
export function bytesExtent(position: number, bytes: Uint8Array): Extent {
  return { position, length: bytes.length, source: bytes, offset: 0 };
}

/** The extents of a part of an image, moved to where that part starts in the whole. */
export function* shifted(extents: Iterable<Extent>, by: number): Generator<Extent> {
  for (const { position, length, source, offset } of extents) {
    yield { position: position + by, length, source, offset };
  }
}

/** Two ordered sequences of extents or ranges as one. */
export function* merged<Range extends ByteRange>(
  first: Iterable<Range>,
  second: Iterable<Range>,
): Generator<Range> {
  const others = second[Symbol.iterator]();
  let other = others.next();
  for (const extent of first) {
    while (!other.done && other.value.position < extent.position) {
      yield other.value;
      other = others.next();
    }
    yield extent;
  }
  for (; !other.done; other = others.next()) yield other.value;
}
