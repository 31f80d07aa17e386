import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Disk, rawDisk } from "../../src/container/index.ts";
import {
  bytesExtent,
  bytesSource,
  memoryTarget,
  type Progress,
  progressMeter,
  sequentialTarget,
  type Target,
} from "../../src/extents/index.ts";
import {
  copyDisk,
  FORMAT_NAMES,
  formatFacts,
  type Output,
  type PlannedDisk,
  writeDisk,
} from "../../src/formats/index.ts";
import { image, plan, write } from "../../src/image/index.ts";
import { LAYOUT_NAMES } from "../../src/layouts/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { patterned } from "../support/trees.ts";

const MIB = 2 ** 20;

/** Grows, and reaches the total once: at the end. */
function expectComplete(states: readonly Progress[]): void {
  const { total } = states.at(-1)!;
  expect(total).toBeGreaterThan(0);
  expect(new Set(states.map((state) => state.total))).toEqual(new Set([total]));
  const done = states.map((state) => state.done);
  expect(done).toEqual([...new Set(done)].sort((a, b) => a - b));
  expect(done.every(Number.isInteger)).toBe(true);
  expect(done.indexOf(total)).toBe(done.length - 1);
}

/** Remembers the states, and that nothing was complete before the last one. */
function listener(): { states: Progress[]; onProgress: (state: Progress) => void } {
  const states: Progress[] = [];
  return { states, onProgress: (state) => void states.push(state) };
}

describe("progressMeter", () => {
  it("counts the ranges that lie before a position, whatever they are", () => {
    const gapsAndLengths = fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { maxLength: 20 });
    fc.assert(
      fc.property(gapsAndLengths, fc.array(fc.nat(50_000)), (pairs, positions) => {
        let at = 0;
        const ranges = pairs.map(([gap, length]) => {
          const position = at + gap;
          at = position + length;
          return { position, length };
        });
        const { states, onProgress } = listener();
        const meter = progressMeter(() => ranges, onProgress);
        const total = Math.max(
          1,
          ranges.reduce((sum, { length }) => sum + length, 0),
        );
        for (const position of positions.sort((a, b) => a - b)) {
          meter.reached(position);
          const before = ranges.reduce(
            (sum, range) => sum + Math.min(range.length, Math.max(0, position - range.position)),
            0,
          );
          expect(states.at(-1)).toEqual({ done: Math.min(before, total - 1), total });
        }
        meter.finished();
        expectComplete(states);
      }),
    );
  });
});

/** Takes bytes in any order, and keeps none of them. */
const anyOrder = (): Target => ({ ...inOrder(), resize() {}, write() {} });
const inOrder = (): Target => sequentialTarget(() => {});

describe("the progress of writing", () => {
  /** A tenth of it is written. */
  const planned = (size: number): PlannedDisk => ({
    size,
    extents: () => [
      bytesExtent(MIB, new Uint8Array(4 * MIB).fill(7)),
      bytesExtent(size - 8 * MIB, new Uint8Array(MIB)),
    ],
  });
  const copied = (size: number): Disk => ({
    ...rawDisk(bytesSource(new Uint8Array(0))),
    size,
    read: (_, length) => new Uint8Array(length),
    readInto: (_, into) => void into.fill(0),
    async *stored() {
      yield [...planned(size).extents()];
    },
  });
  const disk = planned(64 * MIB);

  it.each(FORMAT_NAMES)("reaches its total in %s, in a file and in a pipe", async (format) => {
    const targets = formatFacts(format).isOrdered ? [anyOrder, inOrder] : [anyOrder];
    const size = Math.max(64 * MIB, formatFacts(format).multiple ?? 1);
    for (const target of targets) {
      const building = listener();
      await writeDisk(planned(size), [{ format, target: target() }], building);
      expectComplete(building.states);
      const converting = listener();
      await copyDisk(copied(size), [{ format, target: target() }], converting);
      expectComplete(converting.states);
    }
  });

  it("reaches it when all outputs are complete, and not when one fails", async () => {
    const { states, onProgress } = listener();
    const completed: number[] = [];
    const target = (commit: () => void): Output => ({ target: { ...memoryTarget(), commit } });
    const noting = target(() => void completed.push(states.length));
    await writeDisk(disk, [noting, noting], { onProgress });
    expectComplete(states);
    expect(completed).toEqual([states.length - 1, states.length - 1]);

    const failed = listener();
    const failing = target(() => {
      throw new Error("no space left");
    });
    await expect(writeDisk(disk, [noting, failing], failed)).rejects.toThrow("no space left");
    expect(failed.states.length).toBeGreaterThan(0);
    expect(failed.states.every(({ done, total }) => done < total)).toBe(true);
  });

  it("counts each reading of a disk that is read twice as a half", async () => {
    const { states, onProgress } = listener();
    const source = rawDisk(bytesSource(new Uint8Array(64 * MIB).fill(1)));
    await copyDisk(source, [{ format: "qcow2", target: inOrder() }], { onProgress });
    expectComplete(states);
    expect(states.at(-1)!.total).toBe(64 * MIB);
    const before = states.filter(({ done }) => done <= 32 * MIB).length;
    expect(Math.abs(states.length - 2 * before)).toBeLessThan(4);
  });

  it("reaches it for a disk of nothing", async () => {
    const { states, onProgress } = listener();
    await writeDisk({ size: 0, extents: () => [] }, [{ target: memoryTarget() }], { onProgress });
    expectComplete(states);
  });
});

describe("the progress of an image", () => {
  const tree = (sizes: readonly number[]): Entry[] => [
    { path: "/boot", type: "directory" },
    ...sizes.map(
      (size, index): Entry => ({
        path: index % 2 === 0 ? `/boot/${index}` : `/${index}`,
        type: "file",
        content: patterned(size, index),
      }),
    ),
  ];

  it("is nearly there before the outputs are completed, whatever the tree and the layout", async () => {
    const sizes = fc.array(fc.nat(MIB), { minLength: 2, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.constantFrom(...LAYOUT_NAMES), async (lengths, layout) => {
        const { states, onProgress } = listener();
        const planned = plan(image({ root: treeOf(tree([...lengths, MIB])), layout, bootSize: "48M" }));
        await write(planned, inOrder(), { onProgress });
        expectComplete(states);
        const { done, total } = states.at(-2)!;
        expect(done / total).toBeGreaterThan(0.95);
      }),
      { numRuns: 20 },
    );
  });
});
