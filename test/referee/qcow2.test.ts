import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ByteSource, bytesSource } from "../../src/extents/index.ts";
import { portablePacker, portableUnpackers } from "../../src/packing/index.ts";
import { openQcow2, planQcow2, qcow2Layout, qcow2PackedLayout, qcow2Packing } from "../../src/qcow2/index.ts";
import {
  expectQemuClean,
  expectQemuEqual,
  expectReads,
  expectSevenZip,
  LARGE_DISK,
  packedContainer,
  pattern,
  saveContainer,
  savePacked,
  saveRaw,
  TELLING_DISKS,
  type TestDisk,
} from "../support/containers.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

const unpackers = await portableUnpackers();
const open = (file: ByteSource) => openQcow2(file, { unpackers });

/** Bytes that do not compress, the same ones each time. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Clusters that compress and clusters that do not, in turn. */
function mixed(): Uint8Array {
  const bytes = pattern(40 * 65_536, 3);
  const random = noise(65_536);
  for (const cluster of [1, 2, 5, 9, 10, 11, 20, 30]) bytes.set(random, cluster * 65_536);
  return bytes;
}

const disks: readonly (TestDisk & { readonly name: string })[] = [
  ...TELLING_DISKS,
  { name: "0 bytes", size: 0, parts: [] },
  { name: "3 TiB", ...LARGE_DISK },
  {
    name: "some that does not compress",
    size: 4 * 2 ** 20,
    parts: [{ position: 3 * 65_536, bytes: mixed() }],
  },
];

describeWith(["qemu-img", "7zz", "python3"], "qemu and 7-Zip", () => {
  const scratch = scratchDirectory();
  const [raw, container] = [join(scratch, "disk.img"), join(scratch, "disk.qcow2")];

  describe.each([4096, 65_536, 2 ** 21])(
    "find no fault in a qcow2 with clusters of %d bytes",
    (clusterSize) => {
      it.each(disks)("of $name", async (disk) => {
        saveRaw(disk, raw);
        const plan = planQcow2({ size: disk.size, clusterSize });
        await saveContainer(() => qcow2Layout(plan), disk, container);
        expectQemuClean(container, "qcow2");
        expectQemuEqual(raw, container, "qcow2");
        // 7-Zip reads every byte of a disk, and none of a disk of 0 bytes.
        if (disk.size > 0 && disk.size < 2 ** 40) expectSevenZip(container, "QCOW");
        await expectReads(container, open, disk);
      });
    },
  );

  describe.each(["deflate", "zstd"] as const)(
    "find no fault in a qcow2 that is compressed by %s",
    (compression) => {
      it.each(disks)("of $name", async (disk) => {
        saveRaw(disk, raw);
        const plan = planQcow2({ size: disk.size, compression });
        await savePacked(qcow2PackedLayout(plan), await portablePacker(qcow2Packing(plan)), disk, container);
        expectQemuClean(container, "qcow2");
        expectQemuEqual(raw, container, "qcow2");
        // 7-Zip knows no zstd in qcow2.
        if (disk.size > 0 && disk.size < 2 ** 40 && compression === "deflate")
          expectSevenZip(container, "QCOW");
        await expectReads(container, open, disk);
      });
    },
  );

  it("inflate every cluster with a window of 4 KiB", async () => {
    const disk = { size: 4 * 2 ** 20, parts: [{ position: 0, bytes: mixed() }] };
    const plan = planQcow2({ size: disk.size, compression: "deflate" });
    const bytes = await packedContainer(
      qcow2PackedLayout(plan),
      await portablePacker(qcow2Packing(plan)),
      disk,
    );
    writeFileSync(container, bytes);
    saveRaw(disk, raw);
    const { stdout, stderr } = run("python3", ["-c", INFLATE, container, raw]);
    expect(stderr).toBe("");
    expect(stdout.trim()).toBe("32 inflated, 8 stored");
  });

  it.each([[], ["compat=0.10"], ["cluster_size=4096"], ["cluster_size=2M"], ["lazy_refcounts=on"]])(
    "write what we read: %s",
    async (...options) => {
      const disk = disks.at(-1)!;
      saveRaw(disk, raw);
      const flags = options.filter((option) => option !== "").flatMap((option) => ["-o", option]);
      run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", ...flags, raw, container]);
      await expectReads(container, open, disk);
    },
  );

  it.each(["zlib", "zstd"])("write what we read: compressed by %s", async (type) => {
    const disk = disks.at(-1)!;
    saveRaw(disk, raw);
    run("qemu-img", ["convert", "-c", "-O", "qcow2", "-o", `compression_type=${type}`, raw, container]);
    await expectReads(container, open, disk);
  });

  it("write differences, which we read when we may", async () => {
    const disk = disks.find(({ name }) => name.startsWith("full"))!;
    saveRaw(disk, raw);
    run("qemu-img", ["create", "-f", "qcow2", "-b", raw, "-F", "raw", container, String(disk.size + 512)]);
    run("qemu-io", ["-c", "write -P 7 65536 65536", container]);
    const backing = async (name: string) => {
      expect(name).toBe(raw);
      return bytesSource(disk.parts[0]!.bytes);
    };
    const { fileSource } = await import("../../src/node/index.ts");
    const file = fileSource(container);
    await expect(openQcow2(file, { unpackers })).rejects.toThrow(
      /difference to ".*disk\.img", which is not opened/,
    );
    const opened = (await openQcow2(file, { unpackers, backing }))!;
    expect(await opened.read(0, 3)).toEqual(disk.parts[0]!.bytes.subarray(0, 3));
    expect(await opened.read(65_535, 3)).toEqual(Uint8Array.of(disk.parts[0]!.bytes[65_535]!, 7, 7));
    expect(await opened.read(disk.size - 1, 3)).toEqual(Uint8Array.of(disk.parts[0]!.bytes.at(-1)!, 0, 0));
    file.close();
  });
});

/** Follows the tables of a qcow2 and inflates each compressed cluster in small steps with a window of 12 bits. */
const INFLATE = `
import sys, struct, zlib
f = open(sys.argv[1], 'rb').read(); raw = open(sys.argv[2], 'rb').read()
l1size, = struct.unpack('>I', f[36:40]); l1, = struct.unpack('>Q', f[40:48])
inflated = stored = 0
for i in range(l1size):
    l2 = struct.unpack('>Q', f[l1 + 8*i:l1 + 8*i + 8])[0] & 0x00fffffffffffe00
    if not l2: continue
    for j in range(8192):
        e, = struct.unpack('>Q', f[l2 + 8*j:l2 + 8*j + 8])
        want = raw[(i*8192 + j)*65536:][:65536]
        if e & (1 << 62):
            at = e & ((1 << 54) - 1); d = zlib.decompressobj(-12); out = b''; n = at
            while len(out) < 65536:
                out += d.decompress(d.unconsumed_tail + f[n:n + 64], 512); n += 64
            assert out == want; inflated += 1
        elif e:
            at = e & 0x00fffffffffffe00
            assert f[at:at + 65536] == want; stored += 1
print(inflated, 'inflated,', stored, 'stored')
`;
