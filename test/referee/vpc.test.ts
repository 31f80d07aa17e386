import { truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileSource } from "../../src/node/index.ts";
import { openVpc, planVpc, vpcLayout } from "../../src/vpc/index.ts";
import {
  expectQemuEqual,
  expectReads,
  expectSevenZip,
  LARGE_DISK,
  pattern,
  saveContainer,
  saveRaw,
  TELLING_DISKS,
  type TestDisk,
} from "../support/containers.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

const MIB = 2 ** 20;
const LARGEST = 2040 * 2 ** 30;

/** A disk of the largest size that a VHD has, with content at its ends and in its middle. */
const LARGEST_DISK: TestDisk = {
  size: LARGEST,
  parts: LARGE_DISK.parts.map(({ position, bytes }) => ({
    position: Math.max(0, Math.floor((position * LARGEST) / LARGE_DISK.size / 512) * 512),
    bytes: bytes.slice(0, 512),
  })),
};

/** Sizes that no geometry comes to: qemu would round them up if it went by that. */
const ODD_SIZES = [64 * MIB, 1_000_000_000 - (1_000_000_000 % 512), 5 * 2 ** 30, 20 * 2 ** 30 + 512];

describeWith(["qemu-img", "7zz"], "qemu and 7-Zip", () => {
  const scratch = scratchDirectory();
  const [raw, container] = [join(scratch, "disk.img"), join(scratch, "disk.vhd")];
  const disks = [
    ...TELLING_DISKS,
    ...ODD_SIZES.map((size) => ({
      name: `${size} bytes`,
      size,
      parts: [{ position: MIB, bytes: pattern(MIB, 1) }],
    })),
    { name: "empty, 0 bytes", size: 0, parts: [] },
    { name: "2040 GiB", ...LARGEST_DISK },
  ];

  // qemu has no check of this format; 7-Zip looks at checksums, at the footer and at bitmaps.
  describe.each(["dynamic", "fixed"] as const)("find no fault in a %s vpc", (variant) => {
    const sizes = disks.filter(({ size }) => variant === "dynamic" || size > 0);
    it.each(sizes)("of $name", async (disk) => {
      saveRaw(disk, raw);
      await saveContainer(() => vpcLayout(planVpc({ size: disk.size, variant })), disk, container);
      expectQemuEqual(raw, container, "vpc");
      if (disk.size < 2 ** 34) expectSevenZip(container, "VHD");
      else expect(run("7zz", ["l", "-slt", "-tVHD", container]).stdout).toContain(`\nSize = ${disk.size}\n`);
      await expectReads(container, openVpc, disk);
    });
  });

  it.each([
    "force_size=on",
    "force_size=off",
    "force_size=on,subformat=fixed",
    "force_size=off,subformat=fixed",
  ])("write what we read, with %s", async (options) => {
    for (const disk of disks.filter(({ size }) => size > 0 && size < LARGEST)) {
      saveRaw(disk, raw);
      run("qemu-img", ["convert", "-f", "raw", "-O", "vpc", "-o", options, raw, container]);
      const file = fileSource(container);
      const opened = (await openVpc(file))!;
      expect(opened.problems).toEqual([]);
      const { size } = opened;
      file.close();
      // Without force_size, qemu makes the disk larger, to what a geometry comes to.
      expect(size).toBeGreaterThanOrEqual(disk.size);
      if (options.startsWith("force_size=on")) expect(size).toBe(disk.size);
      await expectReads(container, openVpc, { ...disk, size });
    }
  });

  it("miss the footer at the end where we do", async () => {
    const disk = TELLING_DISKS[2]!;
    await saveContainer(() => vpcLayout(planVpc({ size: disk.size })), disk, container);
    truncateSync(container, 2048 + 512 + 2 * MIB);
    const file = fileSource(container);
    expect((await openVpc(file))!.problems).toEqual([expect.stringContaining("the footer at the end")]);
    file.close();
    expect(run("7zz", ["t", "-tVHD", container]).status).not.toBe(0);
  });
});
