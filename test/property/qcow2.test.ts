import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryTarget } from "../../src/extents/index.ts";
import { portablePacker, portableUnpackers } from "../../src/packing/index.ts";
import { openQcow2, planQcow2, qcow2Layout, qcow2PackedLayout, qcow2Packing } from "../../src/qcow2/index.ts";
import { expectHolds, expectRoundTrip, packedContainer, testDisks } from "../support/containers.ts";

const unpackers = await portableUnpackers();
const open = (file: Parameters<typeof openQcow2>[0]) => openQcow2(file, { unpackers });

describe.each([4096, 65_536])("a qcow2 with clusters of %d bytes", (clusterSize) => {
  // Small ones need several L2 tables and refcount blocks.
  const disks = testDisks(clusterSize, clusterSize === 4096 ? 1500 : 20);

  it("holds what was written", async () => {
    await fc.assert(
      fc.asyncProperty(disks, async (disk) => {
        await expectRoundTrip(() => qcow2Layout(planQcow2({ size: disk.size, clusterSize })), open, disk);
      }),
    );
  });

  it.each(["deflate", "zstd"] as const)("holds what was packed by %s", async (compression) => {
    await fc.assert(
      fc.asyncProperty(disks, async (disk) => {
        const plan = planQcow2({ size: disk.size, clusterSize, compression });
        const packer = await portablePacker(qcow2Packing(plan, 1));
        const container = await packedContainer(qcow2PackedLayout(plan), packer, disk);
        const late = await packedContainer(qcow2PackedLayout(plan), packer, disk, memoryTarget(), false);
        expect(Buffer.compare(container, late)).toBe(0);
        await expectHolds(container, open, disk);
      }),
      { numRuns: 30 },
    );
  });
});
