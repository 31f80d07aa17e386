import { describe, expect, it } from "vitest";
import { PARTED_FILE_GEOMETRY, planMbr, writeMbr } from "../../src/mbr/index.ts";
import { render } from "../support/render.ts";

describe("MBR of make-disk-image.nix", () => {
  it("legacy has the same bytes behind the boot code and the random signature", async () => {
    // A 2 GiB disk. parted counts cylinders on the geometry that it assumes for files.
    const plan = planMbr({
      sectors: 4_194_304,
      signature: 0x0b49b940,
      partitions: [{ type: 0x83, firstLba: 2048, sectors: 4_190_208 }],
      geometry: PARTED_FILE_GEOMETRY,
    });
    const sector = await render(writeMbr(plan), 512);
    expect(Buffer.from(sector.subarray(0, 440))).toEqual(Buffer.alloc(440));
    expect(Buffer.from(sector.subarray(440, 444)).toString("hex")).toBe("40b9490b");
    expect(Buffer.from(sector.subarray(444)).toString("hex")).toBe(
      `0000${"00000110" + "8303e0ff" + "00080000" + "00f03f00"}${"00".repeat(48)}55aa`,
    );
  });
});
