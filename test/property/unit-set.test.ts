import fc from "fast-check";
import { expect, it } from "vitest";
import { type UnitRange, UnitSet } from "../../src/container/index.ts";

// The pages of a set have 32,768 units: they meet at 32,768 and 65,536; words have 32.
const unit = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 32_700, max: 32_840 }),
  fc.integer({ min: 65_500, max: 65_600 }),
  fc.integer({ min: 2 ** 33 - 70, max: 2 ** 33 + 70 }),
);

/** Neighbours are what makes ranges, so units come in stretches. */
const stretches = fc.array(fc.tuple(unit, fc.integer({ min: 1, max: 80 })), { maxLength: 12 });

function units(parts: readonly (readonly [number, number])[]): number[] {
  const all = new Set(
    parts.flatMap(([start, length]) => Array.from({ length }, (_, index) => start + index)),
  );
  return [...all].sort((a, b) => a - b);
}

function listed(ranges: Iterable<UnitRange>): number[] {
  return [...ranges].flatMap(([start, end]) =>
    Array.from({ length: end - start }, (_, index) => start + index),
  );
}

function filled(members: readonly number[]): UnitSet {
  const set = new UnitSet();
  for (const member of members) set.add(member);
  return set;
}

it("holds the units that were added, in whatever order", () => {
  fc.assert(
    fc.property(stretches, (parts) => {
      const set = new UnitSet();
      for (const [start, length] of parts) set.addBytes(start * 512, length * 512, 512);
      const expected = units(parts);
      expect(listed(set.ranges())).toEqual(expected);
      expect(set.size).toBe(expected.length);
      for (const [start, length] of parts) {
        for (const near of [start - 1, start, start + length]) {
          if (near >= 0) expect(set.has(near)).toBe(expected.includes(near));
        }
      }
    }),
  );
});

it("tells the ranges in any window: units inside, gaps between, as long as can be", () => {
  fc.assert(
    fc.property(stretches, unit, fc.integer({ min: 0, max: 70_000 }), (parts, first, length) => {
      const members = units(parts);
      const set = filled(members);
      const end = first + length;
      const ranges = [...set.rangesBetween(first, end)];
      const inside = members.filter((member) => member >= first && member < end);
      expect(listed(ranges)).toEqual(inside);
      expect([...set.between(first, end)]).toEqual(inside);
      ranges.slice(1).forEach(([start], index) => void expect(start).toBeGreaterThan(ranges[index]![1]));
    }),
  );
});

it("has a range that goes on over many pages", () => {
  const set = filled(Array.from({ length: 100_000 }, (_, index) => index + 7));
  expect([...set.ranges()]).toEqual([[7, 100_007]]);
  expect([...set.rangesBetween(32_768, 65_536)]).toEqual([[32_768, 65_536]]);
  expect([...set.rangesBetween(100_007, 1e9)]).toEqual([]);
});
