import { describe, expect, it } from "vitest";
import { FAT32, layOut } from "../../src/fat32/geometry.ts";
import { type FatOptions, planFat, writeFat } from "../../src/fat32/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { render } from "../support/render.ts";

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

async function imageOf(entries: Entry[], options: FatOptions): Promise<Uint8Array> {
  const plan = planFat(treeOf(entries), options);
  return await render(writeFat(plan), plan.size);
}

describe("geometry", () => {
  // What mkfs.fat 4.2 -F 32 makes of these sizes, where it lets its tables be as short as they can.
  it.each([
    [1, 16, 1984],
    [4, 63, 8034],
    [8, 126, 16_100],
    [9, 142, 18_116],
    [16, 252, 32_232],
    [32, 504, 64_496],
    [33, 520, 66_512],
    [64, 1009, 129_022],
    [100, 1576, 201_616],
    [128, 2017, 258_078],
    [256, 4033, 516_190],
  ])("%i MiB of FAT32 with clusters of 512 bytes", (mebibytes, fatSectors, clusters) => {
    const shape = { format: FAT32, sectorSize: 512, sectorsPerCluster: 1, rootEntries: 0 } as const;
    expect(layOut(shape, mebibytes * 2048)).toMatchObject({
      fatSectors,
      clusters,
      sectors: mebibytes * 2048,
    });
  });
});

describe("bytes", () => {
  it("are those of the specification: FAT32", async () => {
    const entries: Entry[] = [{ path: "EFI", type: "directory", mtime: 1_700_000_001_230_000_000n }];
    const image = await imageOf(entries, {
      size: 34_089_472,
      serial: 0x12345678,
      label: "ESP",
      hiddenSectors: 2048,
      time: 1_700_000_001,
    });
    expect(hex(image.subarray(0, 0x60))).toBe(
      [
        "eb 58 90 44 49 53 4b 57 52 47 54 00 02 01 20 00", // jump, DISKWRGT, 512, 1, 32
        "02 00 00 00 00 f8 00 00 3f 00 ff 00 00 08 00 00", // 2 tables, f8, 63, 255, 2048
        "15 04 01 00 00 02 00 00 00 00 00 00 02 00 00 00", // 66581 sectors, 512 each table, root 2
        "01 00 06 00 00 00 00 00 00 00 00 00 00 00 00 00", // information 1, backup 6
        "80 00 29 78 56 34 12 45 53 50 20 20 20 20 20 20", // drive, serial, label
        "20 20 46 41 54 33 32 20 20 20 cd 18 f4 eb fd 00", // FAT32, boot code
      ].join(" "),
    );
    expect(hex(image.subarray(0x1fc, 0x200))).toBe("00 00 55 aa");
    expect(hex(image.subarray(0x200, 0x204))).toBe("52 52 61 41");
    // 65,525 clusters, two of them in use; the next free one is 4.
    expect(hex(image.subarray(0x3e4, 0x3f4))).toBe("72 72 41 61 f3 ff 00 00 04 00 00 00 00 00 00 00");
    expect(hex(image.subarray(0x3fc, 0x400))).toBe("00 00 55 aa");
    expect(hex(image.subarray(0x5fc, 0x600))).toBe("00 00 55 aa");
    expect(image.subarray(6 * 512, 9 * 512)).toEqual(image.subarray(0, 3 * 512));
    for (const table of [32, 32 + 512]) {
      expect(hex(image.subarray(table * 512, table * 512 + 20))).toBe(
        "f8 ff ff 0f ff ff ff 0f ff ff ff 0f ff ff ff 0f 00 00 00 00",
      );
    }
    const root = (32 + 2 * 512) * 512;
    expect(hex(image.subarray(root, root + 96))).toBe(
      [
        "45 53 50 20 20 20 20 20 20 20 20 08 00 64 aa b1", // 2023-11-14 22:13:21
        "6e 57 6e 57 00 00 aa b1 6e 57 00 00 00 00 00 00",
        "45 46 49 20 20 20 20 20 20 20 20 10 00 64 aa b1",
        "6e 57 6e 57 00 00 aa b1 6e 57 03 00 00 00 00 00",
        "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
        "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
      ].join(" "),
    );
    expect(hex(image.subarray(root + 512, root + 512 + 12))).toBe("2e 20 20 20 20 20 20 20 20 20 20 10");
    expect(hex(image.subarray(root + 544, root + 544 + 12))).toBe("2e 2e 20 20 20 20 20 20 20 20 20 10");
  });

  it("are those of the specification: FAT12", async () => {
    const entries: Entry[] = [
      { path: "The quick brown.fox", type: "file", content: "x".repeat(1025) },
      { path: "Z", type: "file", content: "z" },
    ];
    const image = await imageOf(entries, { bits: 12, size: 102_400, serial: 1, sectorsPerCluster: 1 });
    expect(hex(image.subarray(0, 0x40))).toBe(
      [
        "eb 3c 90 44 49 53 4b 57 52 47 54 00 02 01 01 00",
        "02 00 02 c8 00 f8 01 00 3f 00 ff 00 00 00 00 00", // 512 root entries, 200 sectors, tables of 1
        "00 00 00 00 80 00 29 01 00 00 00 4e 4f 20 4e 41", // NO NAME
        "4d 45 20 20 20 20 46 41 54 31 32 20 20 20 cd 18", // FAT12
      ].join(" "),
    );
    // Clusters 2, 3 and 4 are a chain, 5 is one.
    expect(hex(image.subarray(0x200, 0x20a))).toBe("f8 ff ff 03 40 00 ff ff ff 00");
    // The example of the specification: "The quick brown.fox" is THEQUI~1.FOX, its checksum is 07.
    expect(hex(image.subarray(0x600, 0x660))).toBe(
      [
        "42 77 00 6e 00 2e 00 66 00 6f 00 0f 00 07 78 00",
        "00 00 ff ff ff ff ff ff ff ff 00 00 ff ff ff ff",
        "01 54 00 68 00 65 00 20 00 71 00 0f 00 07 75 00",
        "69 00 63 00 6b 00 20 00 62 00 00 00 72 00 6f 00",
        "54 48 45 51 55 49 7e 31 46 4f 58 20 00 00 00 00",
        "21 00 21 00 00 00 00 00 21 00 02 00 01 04 00 00",
      ].join(" "),
    );
  });

  it("do not depend on the order of the entries", async () => {
    const entries: Entry[] = ["b long name", "a long name", "a/long name", "a/Z"].map((path) => ({
      path,
      type: "file",
      content: path,
    }));
    const options: FatOptions = { bits: 12, serial: 1 };
    expect(await imageOf(entries.toReversed(), options)).toEqual(await imageOf(entries, options));
  });
});
