import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiskwrightError } from "../../src/errors.ts";
import { bytesSource } from "../../src/extents/index.ts";
import { openVpc, planVpc, vpcLayout } from "../../src/vpc/index.ts";
import { checksumOf, vhdFooter, vhdHeader } from "../../src/vpc/structures.ts";
import { expectRoundTrip, orderedContainer, pattern, testDisks } from "../support/containers.ts";

const MIB = 2 ** 20;

describe.each(["dynamic", "fixed"] as const)("a %s vpc", (variant) => {
  it("holds what was written", async () => {
    const disks = testDisks(2 * MIB, 4).filter(({ size }) => variant === "dynamic" || size > 0);
    await fc.assert(
      fc.asyncProperty(disks, async (disk) => {
        await expectRoundTrip(() => vpcLayout(planVpc({ size: disk.size, variant })), openVpc, disk);
      }),
      { numRuns: 50 },
    );
  });
});

describe.each(["dynamic", "fixed"] as const)("the reader of a %s vpc", async (variant) => {
  const size = 5 * MIB;
  const parts = [{ position: 3 * MIB, bytes: pattern(10_000, 1) }];
  const container = await orderedContainer(() => vpcLayout(planVpc({ size, variant })), { size, parts });
  const end = container.length - 512;
  /** Where something is that the reader looks at: footers, header, table, bitmap. */
  const places = fc.oneof(
    fc.nat(90),
    fc.nat(90).map((by) => end + by),
    fc.nat(48).map((by) => 512 + by),
    fc.nat(12).map((by) => 1536 + by),
    fc.nat(16).map((by) => 2048 + by),
  );
  const changes = fc.array(fc.tuple(places, fc.nat(255)), { minLength: 1, maxLength: 6 });

  it("reads damaged files, or refuses them, with checksums that are right or not", async () => {
    await fc.assert(
      fc.asyncProperty(
        changes,
        fc.boolean(),
        fc.option(fc.nat(container.length)),
        async (all, sealing, cut) => {
          const bytes = container.slice(0, cut ?? container.length);
          for (const [at, value] of all) if (at < bytes.length) bytes[at] = value;
          if (sealing) {
            seal(bytes, 0, vhdFooter.span, vhdFooter.offsetOf("checksum"));
            seal(bytes, end, vhdFooter.span, vhdFooter.offsetOf("checksum"));
            seal(bytes, 512, vhdHeader.span, vhdHeader.offsetOf("checksum"));
          }
          await expectSane(bytes);
        },
      ),
      { numRuns: 300 },
    );
  });
});

function seal(file: Uint8Array, offset: number, size: number, checksumOffset: number): void {
  if (offset + size > file.length) return;
  const sum = checksumOf(file.subarray(offset, offset + size), checksumOffset);
  new DataView(file.buffer, file.byteOffset).setUint32(offset + checksumOffset, sum);
}

/** Whatever the bytes are: a disk that can be read to its end, no vpc, or one of our errors. */
async function expectSane(bytes: Uint8Array): Promise<void> {
  try {
    const opened = await openVpc(bytesSource(bytes));
    if (opened === undefined) return;
    let stored = 0;
    for await (const extents of opened.stored()) for (const { length } of extents) stored += length;
    expect(stored).toBeLessThanOrEqual(bytes.length);
    const length = Math.min(opened.size, 6 * MIB);
    expect((await opened.read(opened.size - length, length)).length).toBe(length);
  } catch (error) {
    expect(error).toBeInstanceOf(DiskwrightError);
    expect(["CORRUPT", "UNSUPPORTED_IMAGE"]).toContain((error as DiskwrightError).code);
  }
}
