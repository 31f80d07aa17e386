import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { MIB } from "../../src/bytes/index.ts";
import type { Extent } from "../../src/extents/index.ts";
import { type ImagePlan, type ImageSpec, image, imageExtents, plan } from "../../src/image/index.ts";
import type { LayoutName } from "../../src/layouts/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";

// What make-disk-image.nix writes, measured with parted 3.5 and sgdisk 1.0.9 on a disk of 2 GiB with a boot
// size of 256M: SHA-256 of LBA 0 … 33 and of the last 33 LBAs.
const GOLDEN: Partial<Record<LayoutName, readonly [first34: string, last33: string]>> = {
  "legacy+gpt": [
    "7d621cff2bb50996a1f4bfe9ae5c8c8e0f369353c9bb0c5f60cbc0376e2fca54",
    "0eabbf228f3f9cac06cada909849ceb1d1f60700d7d5d1eeb9673e2175acaefa",
  ],
  efi: [
    "f33eb6cf2272b2500375938aa6e33ff9506cfbbe9e544777416fa8e57b72310c",
    "25137906e0b14c100a087034afb28884ed027c26d207bbab1b4b51706da2a8dd",
  ],
  efixbootldr: [
    "b260e8da5656e487927e68a9f8861c03357879d109237bfebf9dff3ffb01c883",
    "10655427ded867eb54c5878011ff3cd1d2dc19bde2287c6dfe336b4e08c7f8a0",
  ],
  hybrid: [
    "cbd903fb0b30f9e2539b9681a373c1e1cca7b878838f1d0f1f3391a8dd226a5b",
    "0733d6f5b5761128193c5d1dd3e63737da64e3d3932791e767fd7ec82ff45968",
  ],
};

function planned(spec: Omit<ImageSpec, "root">, entries: readonly Entry[] = []): ImagePlan {
  return plan(image({ compat: "nixpkgs", ...spec, root: treeOf(entries) }));
}

/** The bytes of a small part of an image whose content is in memory. */
function part(extents: Iterable<Extent>, start: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (const { position, source, length: size } of extents) {
    if (position >= start + length || position + size <= start) continue;
    bytes.set((source as Uint8Array).subarray(0, start + length - position), position - start);
  }
  return bytes;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const ranges = (image: ImagePlan): [number, number][] =>
  image.partitions.map(({ offset, size }) => [offset / 512, (offset + size) / 512 - 1]);

describe("the tables of make-disk-image.nix", () => {
  it.each(Object.entries(GOLDEN))("%s, bit for bit", (layout, [first34, last33]) => {
    const disk = planned({ layout: layout as LayoutName, size: "2048" });
    expect(sha256(part(imageExtents(disk), 0, 34 * 512))).toBe(first34);
    expect(sha256(part(imageExtents(disk), disk.size - 33 * 512, 33 * 512))).toBe(last33);
  });

  it("legacy, bytes 440 to 511", () => {
    const disk = planned({ layout: "legacy", size: "2048", diskSignature: 0x0b49b940 });
    const sector = Buffer.from(part(imageExtents(disk), 0, 512));
    expect(sector.subarray(0, 440)).toEqual(Buffer.alloc(440));
    expect(sector.toString("hex", 440, 462)).toBe(
      `40b9490b${"0000"}${"00000110"}${"8303e0ff"}${"00080000"}${"00f03f00"}`,
    );
    expect(sector.toString("hex", 462)).toBe(`${"00".repeat(48)}55aa`);
  });

  it.each([
    ["256M", 499711, 499712],
    ["512M", 488 * 2048 - 1, 488 * 2048],
    ["1G", 954 * 2048 - 1, 954 * 2048],
    ["100M", 95 * 2048 - 1, 95 * 2048],
    ["256MiB", 256 * 2048 - 1, 256 * 2048],
    ["256MB", 499711, 499712],
  ])("a boot size of %s is read as parted reads it", (bootSize, lastOfBoot, firstOfRoot) => {
    const [boot, root] = ranges(planned({ layout: "efi", size: "2048", bootSize }));
    expect(boot).toEqual([16384, lastOfBoot]);
    expect(root![0]).toBe(firstOfRoot);
  });

  it.each([
    ["54M", 105_469, 4_192_351],
    ["76M", 148_438, 4_192_351],
    ["300.5MiB", 615_424, 4_192_351],
  ])(
    "behind a boot size of %s, off every boundary, the root ends at the very megabyte",
    (bootSize, first, last) => {
      expect(ranges(planned({ layout: "efi", size: "2048", bootSize }))[1]).toEqual([first, last]);
    },
  );

  it("a boot size that ends where the partition starts is refused", () => {
    expect(() => planned({ layout: "efi", size: "2048", bootSize: "8M" })).toThrow(/starts at 8 MiB/);
  });

  it("the root filesystem has the UUID of the root partition, and the label nixos", () => {
    const { filesystem } = planned({ layout: "efi", size: "2048" }).partitions[1]!;
    expect(filesystem!.plan).toMatchObject({
      uuid: "f222513b-ded1-49fa-b591-20ce86a2fe7f",
      label: "nixos",
      size: 461568 * 4096,
    });
  });
});

describe("its sizes", () => {
  it.each(["2G", "2048MiB", "1.5", "0", "-1", ""])("a disk size of %j is refused", (size) => {
    expect(() => planned({ layout: "legacy", size })).toThrow(/whole number of mebibytes/);
  });

  it.each(["512MiB", "512MB", "512m", "half"])(
    "additional space of %j is refused, as numfmt refuses it",
    (additionalSpace) => {
      expect(() => planned({ layout: "legacy", additionalSpace })).toThrow(/read by numfmt/);
    },
  );

  it("auto is its formula", () => {
    // 3 entries and the root: 8 blocks; contents of 0, 1 and 2 blocks; 5.2 % of it; 512 MiB; 1 MiB.
    const entries: Entry[] = [
      { path: "empty", type: "file" },
      { path: "one", type: "file", content: "1" },
      { path: "two", type: "file", content: new Uint8Array(4097) },
    ];
    const usage = (8 + 0 + 1 + 2) * 4096;
    const needed = usage + Math.floor((usage * 52) / 1000) + 512 * MIB;
    const rounded = (bytes: number): number => Math.ceil(bytes / MIB) * MIB;
    const disk = planned({ layout: "legacy" }, entries);
    expect(disk.size).toBe(rounded(needed + MIB));
    expect(disk.warnings).toEqual([]);
    expect(planned({ layout: "efi" }, entries).size).toBe(rounded(needed + 34 * 512 + 256 * MIB));
    expect(planned({ layout: "legacy+gpt" }, entries).size).toBe(rounded(needed + 34 * 512 + 2 * MIB));
    expect(planned({ layout: "none" }, entries).size).toBe(rounded(needed));
  });

  it("auto is what is needed where the formula is too small, and says so", () => {
    // 2 MiB by the formula: the root would start at 1 MiB and end there.
    const disk = planned({ layout: "legacy", additionalSpace: "0" });
    expect(disk.size).toBe(3 * MIB);
    expect(disk.warnings).toEqual([
      expect.stringMatching(/would make a disk of 2,097,152 bytes.*it gets 3,145,728/),
    ]);
  });
});
