import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileSource } from "../../src/node/index.ts";
import { portablePacker } from "../../src/packing/index.ts";
import { planVmdk, vmdkLayout, vmdkStreamLayout } from "../../src/vmdk/index.ts";
import {
  expectQemuClean,
  expectQemuEqual,
  expectReads,
  expectSevenZip,
  LARGE_DISK,
  pattern,
  saveContainer,
  savePacked,
  saveRaw,
  TELLING_DISKS,
  type TestDisk,
} from "../support/containers.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { noise, open, streamContainer } from "../support/vmdk.ts";

const GRAIN = 65_536;

/** Grains that compress and grains that do not, in turn. */
function mixed(): Uint8Array {
  const bytes = pattern(40 * GRAIN, 3);
  const random = noise(GRAIN);
  for (const grain of [1, 2, 5, 9, 10, 11, 20, 30]) bytes.set(random, grain * GRAIN);
  return bytes;
}

const MIXED_DISK: TestDisk = { size: 100 * 2 ** 20, parts: [{ position: 31 * 2 ** 20, bytes: mixed() }] };

const disks: readonly (TestDisk & { readonly name: string })[] = [
  ...TELLING_DISKS,
  { name: "some that does not compress", ...MIXED_DISK },
  { name: "3 TiB", ...LARGE_DISK },
];

describeWith(["qemu-img", "qemu-io", "7zz", "python3"], "qemu and 7-Zip", () => {
  const scratch = scratchDirectory();
  const [raw, container] = [join(scratch, "disk.img"), join(scratch, "disk.vmdk")];

  async function expectFaultless(disk: TestDisk): Promise<void> {
    expectQemuClean(container, "vmdk");
    if (disk.size < 2 ** 40) {
      expectQemuEqual(raw, container, "vmdk");
      expectSevenZip(container, "VMDK");
    } else {
      // Both go through a disk grain by grain, in half a minute.
      expectQemuEqualParts(disk);
      expect(run("7zz", ["l", "-slt", "-tVMDK", container]).output).toContain(`\nSize = ${disk.size}\n`);
    }
    await expectReads(container, open, disk);
  }

  /** qemu finds the same content in a container as in a raw image: 2 GiB around each part. */
  function expectQemuEqualParts({ size, parts }: TestDisk): void {
    for (const { position } of parts) {
      const offset = Math.max(0, Math.min(size - 2 ** 31, position - (position % 512) - 2 ** 30));
      const window = `driver=raw,offset=${offset},size=${2 ** 31}`;
      const { output } = run("qemu-img", [
        "compare",
        "--image-opts",
        `${window},file.driver=file,file.filename=${raw}`,
        `${window},file.driver=vmdk,file.file.driver=file,file.file.filename=${container}`,
      ]);
      expect(output.trim()).toBe("Images are identical.");
    }
    const { stdout } = run("qemu-img", ["info", "-f", "vmdk", "--output=json", container]);
    expect(JSON.parse(stdout)).toMatchObject({ "virtual-size": size });
  }

  it.each(disks)("find no fault in a monolithicSparse vmdk of $name", async (disk) => {
    saveRaw(disk, raw);
    await saveContainer(() => vmdkLayout(planVmdk({ size: disk.size })), disk, container);
    await expectFaultless(disk);
    expect(formatSpecific(container)).toMatchObject({ "create-type": "monolithicSparse" });
  });

  it.each(disks)("find no fault in a streamOptimized vmdk of $name", async (disk) => {
    saveRaw(disk, raw);
    const packer = await portablePacker({ type: "zlib", level: 6 });
    await savePacked(vmdkStreamLayout(planVmdk({ size: disk.size })), packer, disk, container);
    await expectFaultless(disk);
    expect(formatSpecific(container)).toMatchObject({ "create-type": "streamOptimized" });
  });

  /** What qemu says of a vmdk beside its size. */
  function formatSpecific(path: string): unknown {
    const { stdout } = run("qemu-img", ["info", "-f", "vmdk", "--output=json", path]);
    return (JSON.parse(stdout) as { "format-specific": { data: unknown } })["format-specific"].data;
  }

  it("unpack every grain of a stream, which follow each other to its end", async () => {
    writeFileSync(container, await streamContainer(MIXED_DISK));
    saveRaw(MIXED_DISK, raw);
    const { stdout, stderr } = run("python3", ["-c", WALK, container, raw]);
    expect(stderr).toBe("");
    expect(stdout.trim()).toBe("40 grains, 8 stored; markers 1 1 2 3 0");
  });

  describe.each(["monolithicSparse", "streamOptimized"])("write what we read: %s", (subformat) => {
    it.each(disks)("of $name", async (disk) => {
      saveRaw(disk, raw);
      const options = ["-O", "vmdk", "-o", `subformat=${subformat}`];
      run("qemu-img", ["convert", "-f", "raw", ...options, raw, container]);
      await expectReads(container, open, disk);
      const file = fileSource(container);
      const opened = (await open(file))!;
      expect(opened).toMatchObject({ problems: [], details: { variant: subformat } });
      const grains = new Set(
        disk.parts.flatMap(({ position, bytes }) => {
          const [first, last] = [position, position + bytes.length - 1].map((at) => Math.floor(at / GRAIN));
          return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index);
        }),
      );
      let stored = 0;
      for await (const extents of opened.stored()) {
        for (const { length } of extents) stored += Math.ceil(length / GRAIN);
      }
      expect(stored).toBe(grains.size);
      file.close();
    });
  });

  it("write grains of zeros, which we read", async () => {
    run("qemu-img", ["create", "-f", "vmdk", "-o", "zeroed_grain=on", container, "10M"]);
    run("qemu-io", ["-f", "vmdk", "-c", "write -P 7 0 256k", "-c", "write -z 64k 128k", container]);
    const file = fileSource(container);
    const opened = (await open(file))!;
    expect(opened).toMatchObject({ problems: [], details: { version: 2 } });
    const bytes = new Uint8Array(4 * GRAIN).fill(7).fill(0, GRAIN, 3 * GRAIN);
    expect(Buffer.compare(await opened.read(0, 4 * GRAIN), bytes)).toBe(0);
    file.close();
  });

  it.each([
    ["monolithicFlat", /only the descriptor .*"monolithicFlat": its disk lies flat in "disk-flat.vmdk"/],
    ["twoGbMaxExtentFlat", /only the descriptor .*"twoGbMaxExtentFlat": its disk lies in 2 files/],
    ["twoGbMaxExtentSparse", /only the descriptor .*"twoGbMaxExtentSparse": its disk lies in 2 files/],
  ])("write what lies in several files, which we refuse: %s", async (subformat, reason) => {
    run("qemu-img", ["create", "-f", "vmdk", "-o", `subformat=${subformat}`, container, "3G"]);
    const file = fileSource(container);
    await expect(open(file)).rejects.toThrow(reason);
    file.close();
  });

  it("write one of several files, which we refuse", async () => {
    run("qemu-img", ["create", "-f", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", container, "3G"]);
    const file = fileSource(join(scratch, "disk-s001.vmdk"));
    await expect(open(file)).rejects.toThrow("one of several files that a disk lies in");
    file.close();
  });

  it("write differences, which we refuse", async () => {
    const below = join(scratch, "below.vmdk");
    run("qemu-img", ["create", "-f", "vmdk", below, "10M"]);
    run("qemu-img", ["create", "-f", "vmdk", "-b", below, "-F", "vmdk", container]);
    const file = fileSource(container);
    await expect(open(file)).rejects.toThrow(/difference to ".*below\.vmdk"/);
    file.close();
  });
});

/** Walks a stream marker by marker, and unpacks each grain. */
const WALK = `
import sys, struct, zlib
f = open(sys.argv[1], 'rb').read(); raw = open(sys.argv[2], 'rb').read()
at = 128 * 512; grains = stored = 0; markers = []
while at < len(f):
    lba, size, kind = struct.unpack('<QII', f[at:at + 16])
    if size:
        d = zlib.decompressobj(); data = f[at + 12:at + 12 + size]
        assert d.decompress(data) == raw[lba * 512:][:65536] and d.eof and not d.unused_data
        grains += 1; stored += size > 65536
        end = at + (12 + size + 511) // 512 * 512
        assert not any(f[at + 12 + size:end]); at = end
    else:
        markers.append(str(kind)); at += 512 * (1 + lba)
assert at == len(f)
print(grains, 'grains,', stored, 'stored; markers', *markers)
`;
