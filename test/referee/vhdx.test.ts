import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openVhdx, planVhdx, vhdxLayout } from "../../src/vhdx/index.ts";
import { HEADER_OFFSETS, LOG_SIGNATURE, logEntry, seal, vhdxHeader } from "../../src/vhdx/structures.ts";
import {
  expectQemuClean,
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

const [MIB, GIB, TIB] = [2 ** 20, 2 ** 30, 2 ** 40];

/** With blocks of 1 MiB a chunk has 4 GiB: here are its last block, the first one behind it, and one apart. */
const CHUNKS: TestDisk = {
  size: 9 * GIB,
  parts: [
    { position: 4 * GIB - 4096, bytes: pattern(8192, 1) },
    { position: 8 * GIB - 512, bytes: pattern(512, 2) },
    { position: 9 * GIB - 512, bytes: pattern(512, 3) },
  ],
};

describeWith(["qemu-img", "7zz"], "qemu and 7-Zip", () => {
  const scratch = scratchDirectory();
  const [raw, container] = [join(scratch, "disk.img"), join(scratch, "disk.vhdx")];
  const disks = [
    ...TELLING_DISKS,
    {
      name: "1 MiB less 1 KiB",
      size: MIB - 1024,
      parts: [{ position: 4096, bytes: pattern(GIB / 2048, 2) }],
    },
    { name: "1 MiB and 1 KiB", size: MIB + 1024, parts: [{ position: MIB - 512, bytes: pattern(1536, 3) }] },
    { name: "9 GiB in three chunks", ...CHUNKS },
    { name: "3 TiB", ...LARGE_DISK },
  ];

  describe.each([undefined, 2 * MIB, 32 * MIB, 256 * MIB])("find no fault with blocks of %s", (blockSize) => {
    it.each(disks)("in $name", async (disk) => {
      saveRaw(disk, raw);
      await saveContainer(() => vhdxLayout(planVhdx({ size: disk.size, blockSize })), disk, container);
      expectQemuClean(container, "vhdx");
      if (isLarge(disk)) expectQemuReads(container, disk);
      else expectQemuEqual(raw, container, "vhdx");
      if (!isLarge(disk) && isReadBySevenZip(disk)) expectSevenZip(container, "VHDX");
      if (isReadBySevenZip(disk)) expectSevenZipLists(container, disk);
      await expectReads(container, openVhdx, disk);
    });
  });

  it("find no fault in the largest one", async () => {
    const disk = {
      size: 64 * TIB,
      parts: [
        { position: 32 * TIB - 512, bytes: pattern(1024, 1) },
        { position: 64 * TIB - 512, bytes: pattern(512, 2) },
      ],
    };
    await saveContainer(() => vhdxLayout(planVhdx({ size: disk.size })), disk, container);
    // Headers, log and metadata, a table of 2^21 blocks and their bitmaps, and three blocks.
    expect(statSync(container).size).toBe((3 + 17 + 3 * 32) * MIB);
    expectQemuClean(container, "vhdx");
    expectQemuReads(container, disk);
    expectSevenZipLists(container, disk);
    await expectReads(container, openVhdx, disk);
  });

  it("is read by 7-Zip with sectors of 4 KiB, whose chunks have 32 GiB; qemu has no support for it", async () => {
    const sectors = { logical: 4096, physical: 4096 } as const;
    const large = {
      size: 70 * GIB,
      parts: [32, 64].map((place, salt) => ({ position: place * GIB - 4096, bytes: pattern(8192, salt) })),
    };
    for (const disk of [{ size: 8 * MIB, parts: TELLING_DISKS[0]!.parts }, large]) {
      await saveContainer(() => vhdxLayout(planVhdx({ size: disk.size, sectors })), disk, container);
      if (!isLarge(disk)) expectSevenZip(container, "VHDX");
      expectSevenZipLists(container, disk);
      await expectReads(container, openVhdx, disk);
    }
    expect(run("qemu-img", ["info", container]).output).toContain("Operation not supported");
  });

  it("make readable what we refuse, as we say", async () => {
    const disk = TELLING_DISKS[0]!;
    saveRaw(disk, raw);
    run("qemu-img", ["convert", "-f", "raw", "-O", "vhdx", raw, container]);
    forgetReplay(container);
    await expect(expectReads(container, openVhdx, disk)).rejects.toThrow("run qemu-img check -r all");
    expect(run("qemu-img", ["check", "-f", "vhdx", "-r", "all", container]).output).toContain("repair");
    await expectReads(container, openVhdx, disk);
  });

  /** qemu finds the content of a disk that is too large to be compared: its driver knows no holes, and reads all. */
  function expectQemuReads(path: string, { size, parts }: TestDisk): void {
    for (const { position, bytes } of parts) {
      const window = `driver=raw,offset=${position},size=${bytes.length}`;
      const file = `file.driver=vhdx,file.file.driver=file,file.file.filename=${path}`;
      const part = join(scratch, "part.img");
      const { output } = run("qemu-img", ["convert", "--image-opts", "-O", "raw", `${window},${file}`, part]);
      expect(output).toBe("");
      expect(Buffer.compare(readFileSync(part), bytes)).toBe(0);
    }
    const { stdout } = run("qemu-img", ["info", "-f", "vhdx", "--output=json", path]);
    expect(JSON.parse(stdout)).toMatchObject({ "virtual-size": size });
  }

  function expectSevenZipLists(path: string, { size }: TestDisk): void {
    const { status, output } = run("7zz", ["l", "-slt", "-tVHDX", path]);
    expect(output).toContain(`\nSize = ${size}\n`);
    expect(output).toContain("Method = dynamic");
    expect(output).toContain("Creator Application = diskwright");
    expect(output).not.toMatch(/warning|error/i);
    expect(status).toBe(0);
  }

  describe.each([
    "block_size=8M",
    "block_size=1M",
    "block_size=16M",
    "block_state_zero=off",
    "subformat=fixed",
  ])("write what we read, with %s", (option) => {
    const small = option === "subformat=fixed" ? disks.filter(({ size }) => size < GIB) : disks;
    it.each([...small, { name: "0 bytes", size: 0, parts: [] }])("$name", async (disk) => {
      saveRaw(disk, raw);
      run("qemu-img", ["convert", "-f", "raw", "-O", "vhdx", "-o", option, raw, container]);
      await expectReads(container, openVhdx, disk);
    });
  });
});

/** Makes the entry that qemu left in its log one that is yet to be replayed. */
function forgetReplay(path: string): void {
  const bytes = new Uint8Array(readFileSync(path));
  const { signature, logGuid } = logEntry.fromBytes(bytes, MIB);
  expect(signature).toBe(LOG_SIGNATURE);
  for (const at of HEADER_OFFSETS) {
    vhdxHeader.encode({ ...vhdxHeader.fromBytes(bytes, at), logGuid }, bytes, at, "header");
    seal(bytes.subarray(at, at + vhdxHeader.span));
  }
  writeFileSync(path, bytes);
}

/** Too large to be read from its start to its end. */
function isLarge({ size }: TestDisk): boolean {
  return size > 4 * GIB;
}

/**
 * 7-Zip takes the sector size itself for the mask of what is below it, so that it opens no VHDX of an odd number
 * of sectors, ours or qemu's (CMetaHeader::Parse, 26.02).
 */
function isReadBySevenZip({ size }: TestDisk): boolean {
  return size % 1024 === 0;
}
