import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiskwrightError } from "../../src/errors.ts";
import { bytesSource } from "../../src/extents/index.ts";
import { openSimg, planSimg, simgLayout } from "../../src/simg/index.ts";
import { expectRoundTrip, orderedContainer, pattern, testDisks } from "../support/containers.ts";

describe("an android-sparse image", () => {
  it.each([4096, 65_536])("holds what was written, in places that go by %d bytes", async (unit) => {
    await fc.assert(
      fc.asyncProperty(testDisks(unit, 12), async (disk) => {
        await expectRoundTrip(() => simgLayout(planSimg({ size: disk.size })), openSimg, disk);
      }),
    );
  });

  it("has the same chunks whichever way it is written, where they are split", async () => {
    const size = 140 * 2 ** 20;
    const bytes = new Uint8Array(70 * 2 ** 20).fill(7);
    const disk = { size, parts: [{ position: 65 * 2 ** 20, bytes }] };
    await expectRoundTrip(() => simgLayout(planSimg({ size })), openSimg, disk);
  });
});

describe("the reader of android-sparse", async () => {
  const size = 64 * 4096;
  const container = await orderedContainer(() => simgLayout(planSimg({ size })), {
    size,
    parts: [
      { position: 4096, bytes: pattern(4096, 1) },
      { position: 3 * 4096, bytes: pattern(4096, 2) },
    ],
  });
  /** The header, and those of the chunks. */
  const places = fc.oneof(
    fc.nat(27),
    fc
      .tuple(fc.constantFrom(28, 44, 44 + 4108, 60 + 4108, 60 + 2 * 4108), fc.nat(15))
      .map(([at, by]) => at + by),
  );
  const kind = fc.constantFrom(0xc1, 0xc2, 0xc3, 0xc4);
  const changes = fc.array(fc.tuple(places, fc.oneof(fc.nat(255), kind)), { minLength: 1, maxLength: 6 });

  it("reads damaged files, or refuses them", async () => {
    await fc.assert(
      fc.asyncProperty(changes, fc.option(fc.nat(container.length)), async (all, cut) => {
        const bytes = container.slice(0, cut ?? container.length);
        for (const [at, value] of all) if (at < bytes.length) bytes[at] = value;
        await expectSane(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Whatever the bytes are: a disk that can be read to its end, no such file, or one of our errors. */
async function expectSane(bytes: Uint8Array): Promise<void> {
  try {
    const opened = await openSimg(bytesSource(bytes));
    if (opened === undefined) return;
    let end = 0;
    for await (const extents of opened.stored()) {
      for (const { position, length } of extents) {
        expect(position).toBeGreaterThanOrEqual(end);
        end = position + length;
      }
    }
    expect(end).toBeLessThanOrEqual(opened.size);
    const length = Math.min(opened.size, 2 ** 20);
    expect((await opened.read(opened.size - length, length)).length).toBe(length);
  } catch (error) {
    expect(error).toBeInstanceOf(DiskwrightError);
    expect(["CORRUPT", "UNSUPPORTED_IMAGE"]).toContain((error as DiskwrightError).code);
  }
}
