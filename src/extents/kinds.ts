import type { ByteRange } from "./extent.ts";
import { without } from "./ranges.ts";

/**
 * What a byte of a disk is.
 *
 * - `content`: an extent says what it holds.
 * - `zero`: it must read as zero: a hole inside a file, an unused entry of a file allocation table, the log of a
 *   new journal.
 * - `free`: no reader looks at it before something is written there: free blocks and clusters, space between
 *   partitions.
 *
 * A plan gives its extents and its free ranges; every other byte is `zero`. A target that starts as zeros, such as a
 * new file, may leave out `zero` and `free`. A target that starts with other bytes, such as a used card, must be
 * given the zeros as well, and may keep what it has in the free ranges.
 */
export type ByteKind = "content" | "zero" | "free";

/** Bytes in a row that are of one kind. */
export interface KindRange extends ByteRange {
  readonly kind: ByteKind;
}

/**
 * Every byte of a disk by its kind, in ascending order.
 *
 * @param content - Extents, or their ranges, in ascending order.
 * @param free - The free ranges, in ascending order. Where content lies in one, the bytes are content.
 * @param size - Bytes of the disk.
 */
export function* byteKinds(
  content: Iterable<ByteRange>,
  free: Iterable<ByteRange>,
  size: number,
): Generator<KindRange> {
  const rest = free[Symbol.iterator]();
  let next = rest.next();
  function* between(start: number, end: number): Generator<KindRange> {
    let from = start;
    for (; !next.done && next.value.position < end; next = rest.next()) {
      const { position, length } = next.value;
      const freeFrom = Math.max(from, position);
      const freeTo = Math.min(end, position + length);
      if (freeTo > freeFrom) {
        if (freeFrom > from) yield { position: from, length: freeFrom - from, kind: "zero" };
        yield { position: freeFrom, length: freeTo - freeFrom, kind: "free" };
        from = freeTo;
      }
      if (position + length > end) break;
    }
    if (from < end) yield { position: from, length: end - from, kind: "zero" };
  }
  let covered = 0;
  for (const { position, length } of content) {
    if (length === 0) continue;
    if (position > covered) yield* between(covered, position);
    yield { position, length, kind: "content" };
    covered = position + length;
  }
  yield* between(covered, size);
}

/** The bytes that no reader looks at, of a disk whose ranges that are in use are known. */
export function freeBeside(used: Iterable<ByteRange>, size: number): Generator<ByteRange> {
  return without([{ position: 0, length: size }], used);
}
