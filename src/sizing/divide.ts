import { appendAll, formatBytes, roundDown, roundUp } from "../bytes/index.ts";
import { DiskwrightError, DoesNotFitError } from "../errors.ts";

/** A range of bytes on a disk; `end` is not included. */
export interface DiskRange {
  readonly start: number;
  readonly end: number;
}

/** What a partition asks for, in bytes. */
export interface Share {
  /** For messages. */
  readonly name: string;
  /** Where it starts. Default: behind the one before. */
  readonly start?: number | undefined;
  /** What its start, when it is not given, and its end, when its size is not fixed, are multiples of. */
  readonly alignment: number;
  /** Bytes before its start that are its own: those of the extended boot record of a logical partition. */
  readonly lead: number;
  readonly minimum: number;
  readonly maximum: number;
  /** Its part of what is left; 0 for one of fixed size. */
  readonly weight: number;
}

/** Where partitions can lie. Without an end, they take as little as they can. */
export interface Room {
  readonly first: number;
  readonly end?: number | undefined;
}

/**
 * Divides a disk. Partitions lie in the order in which they are given, each at its start or behind the one
 * before. What is left goes to those with a weight, in proportion, within their bounds: before each given
 * start, and at the end when that is given.
 *
 * @throws DoesNotFitError when the last ones end behind the room; `DiskwrightError` `INVALID_SPEC` when some
 *   end behind a start that is given.
 */
export function divide(shares: readonly Share[], room: Room): DiskRange[] {
  const ranges: DiskRange[] = [];
  for (const segment of segmentsOf(shares)) {
    const next = shares[ranges.length + segment.length];
    const before = ranges.at(-1)?.end ?? room.first;
    const end = next === undefined ? room.end : next.start! - next.lead;
    const sizes = segment.map(({ minimum }) => minimum);
    const least = layOut(segment, sizes, before);
    checkStart(segment, least, before);
    const overflow = least.at(-1)!.end - (end ?? Number.POSITIVE_INFINITY);
    if (overflow > 0) throw doesNotFit(segment, next, overflow, end!);
    appendAll(ranges, end === undefined ? least : fill(segment, least, before, end));
  }
  return ranges;
}

/** The shares in runs that lie one behind the other, each but the first beginning at a given start. */
function segmentsOf(shares: readonly Share[]): Share[][] {
  const segments: Share[][] = [];
  for (const share of shares) {
    if (segments.length === 0 || share.start !== undefined) segments.push([share]);
    else segments.at(-1)!.push(share);
  }
  return segments;
}

function layOut(segment: readonly Share[], sizes: readonly number[], before: number): DiskRange[] {
  let at = before;
  return segment.map(({ start: given, alignment, lead }, index) => {
    const start = given ?? roundUp(at, alignment) + lead;
    at = start + sizes[index]!;
    return { start, end: at };
  });
}

/** The ranges of a segment with all that is left up to `end` handed out. */
function fill(
  segment: readonly Share[],
  least: readonly DiskRange[],
  before: number,
  end: number,
): DiskRange[] {
  const left = end - least.at(-1)!.end;
  if (left === 0 || segment.every(({ weight }) => weight === 0)) return [...least];
  const shares = handOut(segment, left);
  const sizes = segment.map(({ weight, minimum, alignment }, index) => {
    if (weight === 0) return minimum;
    // Ends are aligned, whatever the start is.
    const { start } = least[index]!;
    return Math.max(minimum, roundDown(start + shares[index]!, alignment) - start);
  });
  const last = segment.length - 1;
  const ranges = layOut(segment, sizes, before);
  if (segment[last]!.weight === 0) return ranges;
  // What rounding left over goes to the last one.
  const { start } = ranges[last]!;
  const { maximum, minimum, alignment } = segment[last]!;
  const size = Math.min(maximum, roundDown(end, alignment) - start);
  return [...ranges.slice(0, last), { start, end: start + Math.max(minimum, size) }];
}

/**
 * The sizes of shares that are proportional to their weights as far as their bounds allow: whoever would get
 * less than its minimum, or more than its maximum, gets just that, and the others divide what remains.
 */
function handOut(segment: readonly Share[], left: number): number[] {
  const sizes = segment.map(({ minimum }) => minimum);
  let open = segment.map((_, index) => index).filter((index) => segment[index]!.weight > 0);
  let total = open.reduce((sum, index) => sum + sizes[index]!, left);
  while (open.length > 0) {
    const weights = open.reduce((sum, index) => sum + segment[index]!.weight, 0);
    const fair = (index: number): number => (total * segment[index]!.weight) / weights;
    const poor = open.filter((index) => fair(index) < segment[index]!.minimum);
    const rich = open.filter((index) => fair(index) > segment[index]!.maximum);
    const bound = poor.length > 0 ? poor : rich;
    for (const index of bound.length > 0 ? bound : open) {
      const { minimum, maximum } = segment[index]!;
      sizes[index] = poor.length > 0 ? minimum : Math.min(maximum, Math.floor(fair(index)));
    }
    if (bound.length === 0) break;
    total -= bound.reduce((sum, index) => sum + sizes[index]!, 0);
    open = open.filter((index) => !bound.includes(index));
  }
  return sizes;
}

function checkStart([first]: readonly Share[], [range]: readonly DiskRange[], before: number): void {
  if (range!.start - first!.lead >= before) return;
  throw new DiskwrightError(
    "INVALID_SPEC",
    `partition ${first!.name} starts at ${formatBytes(range!.start)}, what is before it ends at ` +
      `${formatBytes(before + first!.lead)}: start it there or later`,
    { partition: first!.name },
  );
}

function doesNotFit(
  segment: readonly Share[],
  next: Share | undefined,
  overflow: number,
  end: number,
): DiskwrightError {
  const { name } = segment.at(-1)!;
  if (next === undefined) {
    return new DoesNotFitError(
      `partition ${name} would end ${formatBytes(overflow)} behind ${formatBytes(end)}, where the room for partitions ends`,
      overflow,
      { partition: name },
    );
  }
  return new DiskwrightError(
    "INVALID_SPEC",
    `partition ${name} would end ${formatBytes(overflow)} behind the start of partition ${next.name}: ` +
      `start that at ${formatBytes(next.start! + overflow)} or later, or make ${segment.length > 1 ? "the partitions before it" : name} smaller`,
    { partition: name },
  );
}
