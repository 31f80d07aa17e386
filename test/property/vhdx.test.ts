import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiskwrightError } from "../../src/errors.ts";
import { bytesSource } from "../../src/extents/index.ts";
import { batEntries, batIndex, blockAt } from "../../src/vhdx/bat.ts";
import { openVhdx, planVhdx, vhdxLayout } from "../../src/vhdx/index.ts";
import { METADATA_TABLE_SIZE, REGION_TABLE_SIZE, seal } from "../../src/vhdx/structures.ts";
import { expectRoundTrip, orderedContainer, pattern, testDisks } from "../support/containers.ts";

const MIB = 2 ** 20;

describe("a vhdx", () => {
  it.each([1, 4])("holds what was written, with blocks of %d MiB", async (mebibytes) => {
    const blockSize = mebibytes * MIB;
    const disks = testDisks(blockSize, 5).filter(({ size }) => size > 0);
    await fc.assert(
      fc.asyncProperty(disks, async (disk) => {
        await expectRoundTrip(() => vhdxLayout(planVhdx({ size: disk.size, blockSize })), openVhdx, disk);
      }),
      { numRuns: 100 / mebibytes },
    );
  });

  it("holds what was written, with sectors of 4 KiB", async () => {
    const sectors = { logical: 4096, physical: 4096 } as const;
    const disks = testDisks(MIB, 5).filter(({ size }) => size > 0 && size % 4096 === 0);
    await fc.assert(
      fc.asyncProperty(disks, async (disk) => {
        await expectRoundTrip(() => vhdxLayout(planVhdx({ size: disk.size, sectors })), openVhdx, disk);
      }),
      { numRuns: 20 },
    );
  });

  it("has one entry for each block, and one for a bitmap between chunks", () => {
    const ratios = fc.nat(15).map((exponent) => 2 ** exponent);
    fc.assert(
      fc.property(ratios, fc.integer({ min: 1, max: 2 ** 26 }), (ratio, blocks) => {
        const last = batIndex(blocks - 1, ratio);
        expect(blockAt(last, ratio)).toBe(blocks - 1);
        expect(last % (ratio + 1)).not.toBe(ratio);
        expect(batEntries(blocks, ratio)).toBe(last + 1);
        expect(last - (blocks - 1)).toBe(Math.floor((blocks - 1) / ratio));
      }),
    );
  });
});

describe("the reader of vhdx", async () => {
  const size = 5 * MIB;
  const container = await orderedContainer(() => vhdxLayout(planVhdx({ size })), {
    size,
    parts: [{ position: MIB, bytes: pattern(2 * MIB, 1) }],
  });
  /** Where something is that the reader looks at: identifier, headers, region tables, metadata and the table. */
  const places = fc.oneof(
    fc.nat(7),
    fc.tuple(fc.constantFrom(0x10000, 0x20000, 0x30000, 0x40000), fc.nat(80)).map(([at, by]) => at + by),
    fc.tuple(fc.constantFrom(2 * MIB, 2 * MIB + METADATA_TABLE_SIZE), fc.nat(192)).map(([at, by]) => at + by),
    fc.nat(64).map((by) => 3 * MIB + by),
  );
  const changes = fc.array(fc.tuple(places, fc.nat(255)), { minLength: 1, maxLength: 6 });

  it("reads damaged files, or refuses them, with checksums that are right", async () => {
    await fc.assert(
      fc.asyncProperty(
        changes,
        fc.boolean(),
        fc.option(fc.nat(container.length)),
        async (all, sealing, cut) => {
          const bytes = container.slice(0, cut ?? container.length);
          for (const [at, value] of all) if (at < bytes.length) bytes[at] = value;
          if (sealing && bytes.length >= 5 * 0x10000) {
            for (const at of [0x10000, 0x20000]) seal(bytes.subarray(at, at + 4096));
            for (const at of [0x30000, 0x40000]) seal(bytes.subarray(at, at + REGION_TABLE_SIZE));
          }
          await expectSane(bytes);
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** Whatever the bytes are: a disk that can be read to its end, no vhdx, or one of our errors. */
async function expectSane(bytes: Uint8Array): Promise<void> {
  try {
    const opened = await openVhdx(bytesSource(bytes));
    if (opened === undefined) return;
    let stored = 0;
    for await (const extents of opened.stored()) for (const { length } of extents) stored += length;
    expect(stored).toBeLessThanOrEqual(bytes.length);
    const length = Math.min(opened.size, 8 * MIB);
    expect((await opened.read(opened.size - length, length)).length).toBe(length);
  } catch (error) {
    expect(error).toBeInstanceOf(DiskwrightError);
    expect(["CORRUPT", "UNSUPPORTED_IMAGE"]).toContain((error as DiskwrightError).code);
  }
}
