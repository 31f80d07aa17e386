import fc from "fast-check";
import { describe, it } from "vitest";
import { openVdi, planVdi, vdiLayout } from "../../src/vdi/index.ts";
import { expectRoundTrip, testDisks } from "../support/containers.ts";

describe.each(["dynamic", "static"] as const)("a %s vdi", (variant) => {
  it("holds what was written", async () => {
    await fc.assert(
      fc.asyncProperty(testDisks(2 ** 20, 5), async (disk) => {
        await expectRoundTrip(() => vdiLayout(planVdi({ size: disk.size, variant })), openVdi, disk);
      }),
    );
  });
});
