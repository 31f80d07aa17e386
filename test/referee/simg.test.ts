import { rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openSimg, planSimg, simgLayout } from "../../src/simg/index.ts";
import {
  expectReads,
  expectSevenZip,
  LARGE_DISK,
  pattern,
  saveContainer,
  saveRaw,
  TELLING_DISKS,
} from "../support/containers.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

const MIB = 2 ** 20;
const DISKS = [
  ...TELLING_DISKS,
  {
    name: "300 MiB with a run of 70 MiB",
    size: 300 * MIB,
    parts: [{ position: 65 * MIB, bytes: pattern(70 * MIB, 7) }],
  },
];

describeWith(["simg2img", "img2simg", "7zz", "cmp"], "libsparse and 7-Zip", () => {
  const scratch = scratchDirectory();
  const [raw, container, back] = ["disk.img", "disk.simg", "back.img"].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];

  describe("find no fault in an android-sparse image", () => {
    it.each(DISKS)("of $name", async (disk) => {
      saveRaw(disk, raw);
      await saveContainer(() => simgLayout(planSimg({ size: disk.size })), disk, container);
      rmSync(back, { force: true });
      const { status, output } = run("simg2img", [container, back]);
      expect(output).toBe("");
      expect(status).toBe(0);
      expect(run("cmp", [raw, back])).toMatchObject({ status: 0, output: "" });
      expectSevenZip(container, "Sparse");
      await expectReads(container, openSimg, disk);
    });

    it("of 0 bytes", async () => {
      await saveContainer(() => simgLayout(planSimg({ size: 0 })), { size: 0, parts: [] }, container);
      expectSevenZip(container, "Sparse");
      await expectReads(container, openSimg, { size: 0, parts: [] });
    });

    // Both would write or read all of it.
    it("of 3 TiB, as far as it is told", async () => {
      const { size } = LARGE_DISK;
      await saveContainer(() => simgLayout(planSimg({ size })), LARGE_DISK, container);
      const { stdout } = run("7zz", ["l", "-slt", "-tSparse", container]);
      expect(stdout).toContain(`\nSize = ${size}\n`);
      expect(stdout).not.toMatch(/error|warning/i);
      await expectReads(container, openSimg, LARGE_DISK);
    });
  });

  describe("write what we read", () => {
    it.each(DISKS)("$name", async (disk) => {
      saveRaw(disk, raw);
      expect(run("img2simg", [raw, container]).status).toBe(0);
      // img2simg counts in blocks of 4 KiB.
      await expectReads(container, openSimg, { ...disk, size: Math.ceil(disk.size / 4096) * 4096 });
    });

    it.each([1024, 8192])("content of every kind, in blocks of %d bytes", async (blockSize) => {
      const parts = [
        { position: 0, bytes: pattern(20_000, 1) },
        { position: 2 * MIB, bytes: new Uint8Array(3 * MIB).fill(0xff) },
        { position: 5 * MIB, bytes: Uint8Array.from({ length: MIB }, (_, index) => 1 + (index % 4)) },
      ];
      const disk = { size: 8 * MIB, parts };
      saveRaw(disk, raw);
      expect(run("img2simg", [raw, container, String(blockSize)]).status).toBe(0);
      await expectReads(container, openSimg, disk);
    });
  });

  it("refuse a file that was cut off, as we do", async () => {
    const disk = TELLING_DISKS[1]!;
    await saveContainer(() => simgLayout(planSimg({ size: disk.size })), disk, container);
    truncateSync(container, statSync(container).size - 20);
    await expect(expectReads(container, openSimg, disk)).rejects.toThrow("it was cut off");
    expect(run("simg2img", [container, back]).status).not.toBe(0);
    expect(run("7zz", ["t", "-tSparse", container]).status).not.toBe(0);
  });
});
