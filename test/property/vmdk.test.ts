import { inflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiskwrightError } from "../../src/errors.ts";
import { bytesSource, memoryTarget, sweep } from "../../src/extents/index.ts";
import { planVmdk, vmdkLayout } from "../../src/vmdk/index.ts";
import { storedZlib } from "../../src/vmdk/stored.ts";
import {
  expectHolds,
  expectRoundTrip,
  orderedContainer,
  pattern,
  type TestDisk,
  testDisks,
} from "../support/containers.ts";
import { open, streamContainer } from "../support/vmdk.ts";

const GRAIN = 65_536;
const MIB = 2 ** 20;

// A table maps 32 MiB; some disks need three.
const disks = fc.oneof(testDisks(GRAIN, 20), testDisks(32 * MIB, 2)).filter(({ size }) => size > 0);

describe("a vmdk", () => {
  it("holds what was written", async () => {
    await fc.assert(
      fc.asyncProperty(disks, async (disk) => {
        await expectRoundTrip(() => vmdkLayout(planVmdk({ size: disk.size })), open, disk);
      }),
      { numRuns: 40 },
    );
  });

  it("holds what was packed", async () => {
    await fc.assert(
      fc.asyncProperty(disks, async (disk) => {
        const container = await streamContainer(disk);
        const late = await streamContainer(disk, memoryTarget(), false);
        expect(Buffer.compare(container, late)).toBe(0);
        await expectHolds(container, open, disk);
      }),
      { numRuns: 25 },
    );
  });
});

describe("zlib data that is stored", () => {
  it("is what others unpack", () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.nat(200_000).map((length) => pattern(length, 5)),
    );
    fc.assert(
      fc.property(bytes, (content) => {
        expect(Buffer.compare(inflateSync(storedZlib(content)), content)).toBe(0);
      }),
    );
  });
});

describe("the reader of vmdk", async () => {
  const disk: TestDisk = {
    size: 33 * MIB,
    parts: [
      { position: GRAIN, bytes: pattern(3 * GRAIN, 1) },
      { position: 32 * MIB, bytes: pattern(1000, 2) },
    ],
  };
  const sparse = await orderedContainer(() => vmdkLayout(planVmdk({ size: disk.size })), disk);
  const stream = await streamContainer(disk);

  /** Changes of bytes at places that a reader looks at, given by where they start and how long they are. */
  const changes = (...places: readonly (readonly [start: number, length: number])[]) =>
    fc.array(
      fc.tuple(
        fc.constantFrom(...places).chain(([start, length]) => fc.nat(length - 1).map((by) => start + by)),
        fc.oneof(fc.constantFrom(0, 1, 0xff), fc.nat(255)),
      ),
      { minLength: 1, maxLength: 6 },
    );

  it.each([
    // The header, the start of the descriptor, directories and tables.
    [
      "monolithicSparse",
      sparse,
      changes([0, 80], [512, 500], [21 * 512, 40], [22 * 512, 80], [30 * 512, 5000]),
    ],
    // The same with markers of grains and their data, and the last sectors.
    ["streamOptimized", stream, changes([0, 80], [512, 500], [GRAIN, 4000], [stream.length - 9000, 9000])],
  ] as const)("reads damaged files of %s, or refuses them", async (_, container, all) => {
    await fc.assert(
      fc.asyncProperty(all, fc.option(fc.nat(container.length)), async (damage, cut) => {
        const bytes = container.slice(0, cut ?? container.length);
        for (const [at, value] of damage) if (at < bytes.length) bytes[at] = value;
        await expectSane(bytes);
      }),
      { numRuns: 500 },
    );
  });
});

/** Whatever the bytes are: a disk that can be read to its end, no vmdk, or one of our errors. */
async function expectSane(bytes: Uint8Array): Promise<void> {
  try {
    const opened = await open(bytesSource(bytes));
    if (opened === undefined) return;
    let stored = 0;
    for await (const extents of opened.stored()) {
      await sweep(extents, (_, part) => void (stored += part.length));
    }
    // Zlib data becomes at most 1032 times as large.
    expect(stored).toBeLessThanOrEqual(1100 * bytes.length);
    const length = Math.min(opened.size, 4 * MIB);
    expect((await opened.read(opened.size - length, length)).length).toBe(length);
  } catch (error) {
    expect(error).toBeInstanceOf(DiskwrightError);
    expect(["CORRUPT", "UNSUPPORTED_IMAGE"]).toContain((error as DiskwrightError).code);
  }
}
