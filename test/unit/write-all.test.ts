import * as fs from "node:fs";
import { beforeEach, expect, it, vi } from "vitest";
import { writeAll } from "../../src/node/write-all.ts";

vi.mock("node:fs", { spy: true });

const MIB = 2 ** 20;

interface Call {
  readonly start: number;
  readonly length: number;
  readonly place: number | null;
}

let calls: Call[] = [];

/** A system that takes at most so many bytes of a call. */
function taking(most: number): void {
  vi.mocked(fs.writeSync).mockImplementation(((
    _: number,
    __: Uint8Array,
    start: number,
    length: number,
    place: number | null,
  ): number => {
    calls.push({ start, length, place });
    return Math.min(most, length);
  }) as typeof fs.writeSync);
}

beforeEach(() => {
  calls = [];
});

it.each([0, 1, 327_680, MIB - 1, MIB, 1.5 * MIB, 2 ** 42 + 4096])(
  "writes no whole mebibyte of the file in one call, from %i on",
  (position) => {
    taking(Number.POSITIVE_INFINITY);
    const size = 5 * MIB + 12_345;
    writeAll(3, new Uint8Array(size), position);
    let next = 0;
    for (const { start, length, place } of calls) {
      expect(start).toBe(next);
      expect(place).toBe(position + next);
      const firstWhole = Math.ceil(place! / MIB) * MIB;
      expect(place! + length).toBeLessThan(firstWhole + MIB);
      next += length;
    }
    expect(next).toBe(size);
    expect(calls.length).toBeLessThanOrEqual(7);
  },
);

it("goes on where the system stopped, at a place of the file or where it stands", () => {
  taking(1000);
  writeAll(3, new Uint8Array(2500), 4096);
  expect(calls.map(({ start, place }) => [start, place])).toEqual([
    [0, 4096],
    [1000, 5096],
    [2000, 6096],
  ]);
  calls = [];
  writeAll(3, new Uint8Array(3 * MIB), null);
  expect(calls[0]).toEqual({ start: 0, length: 3 * MIB, place: null });
  expect(calls.every(({ place }) => place === null)).toBe(true);
});
