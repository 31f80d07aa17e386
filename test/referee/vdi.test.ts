import { join } from "node:path";
import { describe, it } from "vitest";
import { openVdi, planVdi, vdiLayout } from "../../src/vdi/index.ts";
import {
  expectQemuClean,
  expectQemuEqual,
  expectReads,
  expectSevenZip,
  LARGE_DISK,
  saveContainer,
  saveRaw,
  TELLING_DISKS,
} from "../support/containers.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

describeWith(["qemu-img", "7zz"], "qemu and 7-Zip", () => {
  const scratch = scratchDirectory();
  const [raw, container] = [join(scratch, "disk.img"), join(scratch, "disk.vdi")];
  const disks = [
    ...TELLING_DISKS,
    { name: "empty, 0 bytes", size: 0, parts: [] },
    { name: "3 TiB", ...LARGE_DISK },
  ];

  describe.each(["dynamic", "static"] as const)("find no fault in a %s vdi", (variant) => {
    // A static one of 3 TiB is too much for 7-Zip to read through.
    const sizes = disks.filter(({ size }) => variant === "dynamic" || size < 2 ** 40);
    it.each(sizes)("of $name", async (disk) => {
      saveRaw(disk, raw);
      await saveContainer(() => vdiLayout(planVdi({ size: disk.size, variant })), disk, container);
      expectQemuClean(container, "vdi");
      expectQemuEqual(raw, container, "vdi");
      if (disk.size < 2 ** 40) expectSevenZip(container, "VDI");
      await expectReads(container, openVdi, disk);
    });
  });

  it.each(TELLING_DISKS)("write what we read: $name", async (disk) => {
    saveRaw(disk, raw);
    run("qemu-img", ["convert", "-f", "raw", "-O", "vdi", raw, container]);
    await expectReads(container, openVdi, disk);
  });
});
