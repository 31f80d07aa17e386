import type { ByteRange } from "./extent.ts";

// Algebra of byte ranges. A sequence of ranges ascends and never overlaps; ranges of length 0 are left out.

/** The parts of `ranges` that none of `taken` covers. */
export function* without(ranges: Iterable<ByteRange>, taken: Iterable<ByteRange>): Generator<ByteRange> {
  const others = taken[Symbol.iterator]();
  let other = others.next();
  for (const { position, length } of ranges) {
    const end = position + length;
    let from = position;
    while (!other.done && other.value.position < end) {
      const { position: start, length: size } = other.value;
      if (start > from) yield { position: from, length: start - from };
      from = Math.max(from, start + size);
      // The same range may also cover a part of the next one.
      if (start + size > end) break;
      other = others.next();
    }
    if (from < end) yield { position: from, length: end - from };
  }
}

/** Ranges in any order, which may overlap, as a sequence: ascending, neighbours joined. */
export function united(ranges: Iterable<ByteRange>): ByteRange[] {
  const sorted = [...ranges].filter(({ length }) => length > 0).sort((a, b) => a.position - b.position);
  const joined: { position: number; length: number }[] = [];
  for (const { position, length } of sorted) {
    const last = joined.at(-1);
    if (last === undefined || position > last.position + last.length) joined.push({ position, length });
    else last.length = Math.max(last.length, position + length - last.position);
  }
  return joined;
}
