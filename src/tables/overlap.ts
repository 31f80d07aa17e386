/** A run of sectors; both ends belong to it. */
export interface SectorRange {
  readonly firstLba: number;
  readonly lastLba: number;
}

/**
 * Pairs that share a sector, the one that starts first in front: for each range at most one pair, with the
 * range before it that reaches furthest. Ranges that end before they start are passed over.
 */
export function overlaps<Range extends SectorRange>(ranges: readonly Range[]): [Range, Range][] {
  const ordered = ranges
    .filter(({ firstLba, lastLba }) => firstLba <= lastLba)
    .sort((a, b) => a.firstLba - b.firstLba || a.lastLba - b.lastLba);
  const pairs: [Range, Range][] = [];
  let furthest: Range | undefined;
  for (const range of ordered) {
    if (furthest !== undefined && range.firstLba <= furthest.lastLba) pairs.push([furthest, range]);
    if (furthest === undefined || range.lastLba > furthest.lastLba) furthest = range;
  }
  return pairs;
}
