import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import { DiskwrightError, DoesNotFitError } from "../../src/errors.ts";
import type { ByteSource, FunctionContent } from "../../src/extents/index.ts";
import { bytesSource } from "../../src/extents/index.ts";
import {
  FAT12,
  FAT16,
  FAT32,
  fewestSectors,
  layOut,
  rootEntriesFor,
  type VolumeShape,
} from "../../src/fat32/geometry.ts";
import {
  type FatEntry,
  type FatOptions,
  formatSerial,
  planFat,
  readFat,
  smallestFat,
  writeFat,
} from "../../src/fat32/index.ts";
import { listDirectory } from "../../src/fat32/listing.ts";
import { foldedName, NameRegister, shortNameBasis } from "../../src/fat32/names.ts";
import { directoryEntry, ENTRY_SIZE } from "../../src/fat32/structures.ts";
import { EARLIEST_TIME, fatTime, LATEST_TIME, secondsOf } from "../../src/fat32/time.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { render } from "../support/render.ts";

const SMALL: FatOptions = { bits: 12, serial: 0x1234abcd };

const files = (...paths: string[]): Entry[] => paths.map((path) => ({ path, type: "file", content: path }));

/** A file of a size that nobody would hold in memory. */
function vast(path: string, size: number): Entry {
  const content: FunctionContent = { type: "function", size, read: (_offset, into) => into.length };
  return { path, type: "file", content };
}

function caught(action: () => unknown): DiskwrightError {
  try {
    action();
  } catch (error) {
    if (error instanceof DiskwrightError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

async function volumeOf(entries: Entry[], options: FatOptions = SMALL) {
  const plan = planFat(treeOf(entries), options);
  const image = await render(writeFat(plan), plan.size);
  const volume = (await readFat(bytesSource(image)))!;
  return { plan, image, volume };
}

async function entriesOf(entries: Entry[], options: FatOptions = SMALL): Promise<FatEntry[]> {
  const { volume } = await volumeOf(entries, options);
  const found: FatEntry[] = [];
  for await (const entry of volume.entries()) found.push(entry);
  expect(volume.problems).toEqual([]);
  return found;
}

async function shortNamesOf(...names: string[]): Promise<Record<string, string>> {
  const found = await entriesOf(files(...names));
  return Object.fromEntries(found.map(({ path, shortName }) => [path, shortName]));
}

describe("geometry", () => {
  const shape = (format: VolumeShape["format"], sectorsPerCluster = 1): VolumeShape => ({
    format,
    sectorSize: 512,
    sectorsPerCluster,
    rootEntries: rootEntriesFor(format, 512, 0),
  });

  it("knows the smallest FAT32 for each size of sector", () => {
    expect(smallestFat(32)).toBe(34_089_472);
    expect(smallestFat(32, 4096)).toBe(65_685 * 4096);
    expect(fewestSectors(shape(FAT32, 8), 65_525)).toBe(525_256);
  });

  it.each([FAT12, FAT16, FAT32])("never loses clusters to a larger $type", (format) => {
    for (const sectorsPerCluster of [1, 2, 8]) {
      const cut = shape(format, sectorsPerCluster);
      const start = fewestSectors(cut, format === FAT12 ? 1 : format.fewestClusters);
      let before = 0;
      for (let sectors = start; sectors < start + 3000; sectors++) {
        const geometry = layOut(cut, sectors)!;
        expect(geometry.clusters).toBeGreaterThanOrEqual(before);
        before = geometry.clusters;
        // The boot sector gives no count of clusters: every reader derives it, and it must fit the table.
        const { firstDataSector, fatSectors } = geometry;
        expect(geometry.sectors).toBeLessThanOrEqual(sectors);
        expect(Math.floor((geometry.sectors - firstDataSector) / sectorsPerCluster)).toBe(before);
        expect(((before + 2) * format.bits) / 8).toBeLessThanOrEqual(fatSectors * 512);
      }
    }
  });

  it.each([FAT12, FAT16, FAT32])("inverts itself for $type", (format) => {
    for (const sectorsPerCluster of [1, 2, 4, 64]) {
      const cut = shape(format, sectorsPerCluster);
      for (const clusters of [1, 2, 339, 340, 341, 4084, 4087, 65_524, 65_525, 65_534, 70_000, 1_000_000]) {
        const sectors = fewestSectors(cut, clusters);
        expect(layOut(cut, sectors)!.clusters).toBe(clusters);
        expect(layOut(cut, sectors - 1)?.clusters ?? 0).toBeLessThan(clusters);
      }
    }
  });

  it.each([
    [12, 4084, "fat12"],
    [16, 4087, "fat16"],
    [16, 65_524, "fat16"],
    [32, 65_525, "fat32"],
  ] as const)("writes FAT%i with %i clusters", async (bits, clusters, type) => {
    const format = { 12: FAT12, 16: FAT16, 32: FAT32 }[bits];
    const size = fewestSectors(shape(format), clusters) * 512;
    const { plan, volume } = await volumeOf([], { bits, size, serial: 1, sectorsPerCluster: 1 });
    expect(plan).toMatchObject({ type, clusters, size });
    expect(volume).toMatchObject({ type, clusters, size, problems: [], freeBytes: plan.freeBytes });
  });

  it.each([
    ["FAT12", 12, 4085],
    ["FAT12", 12, 4086],
    ["FAT16", 16, 4084],
    ["FAT16", 16, 4085],
    ["FAT16", 16, 4086],
    ["FAT16", 16, 65_525],
    ["FAT32", 32, 65_524],
  ] as const)("refuses %s (%i bits) with %i clusters", (_, bits, clusters) => {
    const format = { 12: FAT12, 16: FAT16, 32: FAT32 }[bits];
    const size = fewestSectors(shape(format), clusters) * 512;
    const error = caught(() => planFat(treeOf([]), { bits, size, serial: 1, sectorsPerCluster: 1 }));
    expect(error.code).toBe("INVALID_FILESYSTEM");
  });

  it("names the smallest size when FAT32 would be too small", () => {
    const error = caught(() => planFat(treeOf([]), { size: 32 * 2 ** 20, serial: 1 }));
    expect(error.code).toBe("INVALID_FILESYSTEM");
    expect(error.message).toContain("34,089,472 bytes");
    expect(error.message).toContain('"auto"');
    const large = caught(() => planFat(treeOf([]), { size: 100 * 2 ** 20, serial: 1, sectorSize: 4096 }));
    expect(large.message).toContain("269,045,760 bytes");
  });

  it.each([
    [33, 1],
    [64, 1],
    [66, 2],
    [132, 4],
    [256, 4],
    [257, 8],
    [1024, 8],
    [8 * 1024, 8],
    [8 * 1024 + 1, 16],
    [16 * 1024 + 1, 32],
    [32 * 1024 + 1, 64],
  ])("gives FAT32 of %i MiB %i sectors per cluster", (mebibytes, sectorsPerCluster) => {
    const plan = planFat(treeOf([]), { size: mebibytes * 2 ** 20, serial: 1 });
    expect(plan).toMatchObject({ type: "fat32", sectorsPerCluster, usedClusters: 1, rootCluster: 2 });
    expect(plan.clusters).toBeGreaterThanOrEqual(65_525);
  });

  it("takes the largest kind of FAT that is legal and fits, with `auto`", () => {
    const type = (size: number, entries: Entry[] = []) =>
      planFat(treeOf(entries), { size, bits: "auto", serial: 1 }).type;
    expect(type(1 * 2 ** 20)).toBe("fat12");
    expect(type(3 * 2 ** 20)).toBe("fat16");
    expect(type(34_089_472 - 512)).toBe("fat16");
    expect(type(34_089_472)).toBe("fat32");
    expect(type(34_089_472, [vast("big", 33_600_000)])).toBe("fat16");
    const least = planFat(treeOf(files("a")), { bits: "auto", serial: 1 });
    expect(least).toMatchObject({ type: "fat12", freeClusters: 0 });
    expect(planFat(treeOf(files("a")), { bits: "auto", serial: 1, size: least.size }).type).toBe("fat12");
  });

  it("takes smaller clusters where the tree does not fit into usual ones", () => {
    const tree = treeOf(Array.from({ length: 70_000 }, (_, at) => vast(`d${at % 9}/f${at}`, 1)));
    const least = planFat(tree, { serial: 1 });
    expect(least.sectorsPerCluster).toBe(1);
    expect(least.freeClusters).toBe(0);
    expect(planFat(tree, { serial: 1, size: 265 * 2 ** 20 }).sectorsPerCluster).toBe(4);
  });

  it("refuses what cannot be", () => {
    const refusal = (options: Partial<FatOptions>) =>
      caught(() => planFat(treeOf([]), { serial: 1, ...options })).message;
    expect(refusal({ sectorsPerCluster: 3 })).toContain("power of two");
    expect(refusal({ sectorsPerCluster: 128, sectorSize: 1024 })).toContain("64 KiB");
    expect(refusal({ sectorSize: 256 as 512 })).toContain("512, 1024, 2048 or 4096");
    expect(refusal({ bits: 28 as 32 })).toContain("32, 16, 12");
    expect(refusal({ serial: 2 ** 32 })).toContain("4294967295");
    expect(refusal({ serial: -1 })).toContain("serial");
    expect(refusal({ hiddenSectors: 0.5 })).toContain("hidden sectors");
    expect(refusal({ time: Number.NaN })).toContain("time");
    expect(refusal({ size: -1 })).toContain("size");
    expect(refusal({ bits: 16, size: 4 * 2 ** 30 })).toContain("FAT16");
    expect(refusal({ bits: 12, size: 2 ** 30 })).toContain("FAT12");
    expect(refusal({ size: 3 * 2 ** 40 })).toContain("4294967295 sectors");
  });

  it("warns of clusters of 64 KiB, which it writes on request only", () => {
    const plan = planFat(treeOf([]), { serial: 1, sectorsPerCluster: 128 });
    expect(plan.warnings.join()).toContain("64 KiB");
  });

  it("gives FAT16 a larger root directory when the tree needs it", async () => {
    const names = Array.from({ length: 700 }, (_, at) => `FILE${at}`);
    const { plan, volume } = await volumeOf(files(...names));
    expect(plan.geometry.rootEntries).toBe(704);
    expect(plan.warnings.join()).toContain("704 entries");
    expect(volume.problems).toEqual([]);
  });
});

describe("room", () => {
  const tree = treeOf([
    ...files("a", "b/c", "some long name.txt"),
    { path: "large", type: "file", content: new Uint8Array(100_000) },
  ]);

  it.each<[string, Partial<FatOptions>]>([
    ["FAT12", { bits: 12 }],
    ["FAT12 with large clusters", { bits: 12, sectorsPerCluster: 8 }],
    ["FAT12 with large sectors", { bits: 12, sectorSize: 4096 }],
    ["any FAT", { bits: "auto" }],
  ])("says exactly how much is missing: %s", (_, options) => {
    const sectorSize = options.sectorSize ?? 512;
    const least = planFat(tree, { ...options, serial: 1 });
    for (const size of [0, 40_000, least.size - sectorSize, least.size - 1]) {
      const error = caught(() => planFat(tree, { ...options, serial: 1, size }));
      expect(error).toBeInstanceOf(DoesNotFitError);
      const { missingBytes, message } = error as DoesNotFitError;
      expect(size + missingBytes).toBe(least.size);
      expect(message).toContain("files ");
      expect(planFat(tree, { ...options, serial: 1, size: size + missingBytes }).freeClusters).toBe(0);
      expect(() => planFat(tree, { ...options, serial: 1, size: size + missingBytes - 1 })).toThrow();
    }
  });

  it("says exactly how much is missing: FAT32", () => {
    const large = treeOf([vast("large", 60_000_000), vast("small", 1), vast("empty", 0)]);
    const size = 40_000_000;
    const { missingBytes } = caught(() => planFat(large, { serial: 1, size })) as DoesNotFitError;
    const plan = planFat(large, { serial: 1, size: size + missingBytes });
    expect(plan.size).toBe(size + missingBytes);
    expect(() => planFat(large, { serial: 1, size: plan.size - 512 })).toThrow(DoesNotFitError);
    expect(planFat(large, { serial: 1 }).size).toBe(plan.size);
  });

  it("leaves the free space that is wanted, in a smallest and in a given size", () => {
    const freeBytes = 1_000_000;
    const plan = planFat(tree, { serial: 1, bits: 12, freeBytes });
    expect(plan.freeBytes).toBeGreaterThanOrEqual(freeBytes);
    expect(plan.freeBytes).toBeLessThan(freeBytes + plan.sectorsPerCluster * 512);
    expect(() => planFat(tree, { serial: 1, bits: 12, freeBytes, size: plan.size - 512 })).toThrow(
      "free space",
    );
  });

  it("does not use a part of a sector at the end", () => {
    expect(planFat(tree, { serial: 1, bits: 12, size: 1_000_001 }).size).toBe(999_936);
  });

  it("knows files up to 4 GiB less one byte", () => {
    const plan = planFat(treeOf([vast("most", 2 ** 32 - 1)]), { serial: 1 });
    expect(plan.usedClusters * plan.sectorsPerCluster * 512).toBeGreaterThan(2 ** 32);
    const error = caught(() => planFat(treeOf([vast("d/more", 2 ** 32), vast("e", 2 ** 33)]), { serial: 1 }));
    expect(error.code).toBe("INVALID_TREE");
    expect(error.problems).toHaveLength(2);
    expect(error.message).toContain("/d/more: the file has 4,294,967,296 bytes");
  });

  it("keeps the holes of sparse files, with clusters of their own", () => {
    const entries: Entry[] = [
      { ...vast("sparse", 10_000), data: [{ offset: 4096, length: 100 }] },
      ...files("z"),
    ];
    const plan = planFat(treeOf(entries), SMALL);
    const extents = [...writeFat(plan)].filter(({ source }) => !(source instanceof Uint8Array));
    expect(extents.map(({ length, offset }) => [length, offset])).toEqual([
      [100, 4096],
      [1, 0],
    ]);
    expect(plan.firstCluster[plan.tree.find("z")!]).toBe(2 + 20);
  });
});

describe("names", () => {
  it("stores short names in upper case without a long name", () => {
    const plan = planFat(treeOf(files("BOOTX64.EFI", "bootx64.cfg", "A+B", "NOEXT", "$%'-_@~`.!(){")), SMALL);
    const slots = Object.fromEntries(
      Array.from({ length: plan.tree.length }, (_, row) => [
        plan.tree.displayPath(row),
        plan.inventory.slots[row],
      ]),
    );
    expect(slots).toMatchObject({ "/BOOTX64.EFI": 1, "/bootx64.cfg": 2, "/A+B": 2, "/NOEXT": 1 });
  });

  it("makes short names as Windows does, but without bytes of a code page", async () => {
    expect(
      await shortNamesOf(
        "readme.txt",
        "index.html",
        "a b.txt",
        "archive.tar.gz",
        ".bashrc",
        "..x",
        "a+b",
        "äö.txt",
        "日本",
        "😀.x",
        "nixos-generation-1.conf",
      ),
    ).toEqual({
      "readme.txt": "README.TXT",
      "index.html": "INDEX~1.HTM",
      "a b.txt": "AB~1.TXT",
      "archive.tar.gz": "ARCHIV~1.GZ",
      ".bashrc": "BASHRC~1",
      "..x": "X~1",
      "a+b": "A_B~1",
      "äö.txt": "__~1.TXT",
      日本: "__~1",
      "😀.x": "_~1.X",
      "nixos-generation-1.conf": "NIXOS-~1.CON",
    });
  });

  it("leaves names that look made up to those who have them", async () => {
    expect(await shortNamesOf("long file name", "LONGFI~1", "longfi~2", "Long File Name 2")).toEqual({
      "LONGFI~1": "LONGFI~1",
      "longfi~2": "LONGFI~2",
      "Long File Name 2": "LONGFI~3",
      "long file name": "LONGFI~4",
    });
  });

  it("shortens the start as the number grows, and never gives a name twice", () => {
    const register = new NameRegister();
    const given = Array.from({ length: 100_000 }, (_, at) =>
      register.tailed(shortNameBasis(at % 2 === 0 ? "abcdefghij.text" : "abcdexyz1.text"), at),
    );
    expect(given.slice(0, 3)).toEqual(["ABCDEF~1.TEX", "ABCDEX~1.TEX", "ABCDEF~2.TEX"]);
    expect(given).toContain("ABCDE~10.TEX");
    expect(given).toContain("ABC~1000.TEX");
    expect(new Set(given).size).toBe(given.length);
    expect(given.every((name) => name.indexOf(".") <= 8)).toBe(true);
  });

  it.each([1, 12, 13, 14, 25, 26, 27, 39, 254, 255])("keeps a name of %i units", async (length) => {
    const name = "n".repeat(length);
    const found = await entriesOf(files(name));
    expect(found[0]!.path).toBe(name);
  });

  it("takes names in any script", async () => {
    const names = [
      "日本語のファイル",
      "Ελληνικά",
      "e\u0301 decomposed",
      "😀😀",
      " leading space",
      "\ufeffmark",
      "ß",
      "SS",
    ];
    const found = await entriesOf(files(...names));
    expect(found.map(({ path }) => path).sort()).toEqual([...names].sort());
  });

  it.each([
    ["a dot at the end", "name.", "end in a dot"],
    ["a space at the end", "name ", "end in a space"],
    ["only dots", "...", "end in a dot"],
    ["only spaces", "  ", "end in a space"],
    ["a colon", "a:b", "character :"],
    ["a backslash", "a\\b", "character \\"],
    ["a question mark", "what?", "character ?"],
    ["a tab", "a\tb", "control characters"],
    ["bytes that are no UTF-8", Uint8Array.of(0x61, 0xff), "not UTF-8"],
    ["a surrogate", Uint8Array.of(0xed, 0xa0, 0x80), "not UTF-8"],
  ])("refuses %s", (_, path, message) => {
    const error = caught(() => planFat(treeOf([{ path, type: "file" }]), SMALL));
    expect(error.code).toBe("INVALID_TREE");
    expect(error.message).toContain(message);
  });

  it.each([
    ["case", "readme", "README"],
    ["Unicode form", "é", "e\u0301"],
    ["the Kelvin sign", "k", "\u212a"],
    ["accents in another case", "É", "é"],
    ["Greek", "Σ", "σ"],
  ])("refuses two names that differ in %s only", (_, first, second) => {
    const error = caught(() => planFat(treeOf(files(`d/${first}`, `d/${second}`)), SMALL));
    expect(error.code).toBe("INVALID_TREE");
    expect(error.message).toContain(`/d/${first}`);
    expect(error.message).toContain(`/d/${second}`);
  });

  it("folds single characters only", () => {
    expect(foldedName("straße")).toBe("STRAßE");
    expect(foldedName("ŉ")).toBe("ŉ");
  });

  it("lets names of different directories be alike", async () => {
    expect(await entriesOf(files("a/x", "b/X"))).toHaveLength(4);
  });

  it("names everything that is wrong in one error", () => {
    const entries: Entry[] = [...files("a:", "b/c.", "X", "x"), vast("big", 2 ** 32)];
    const error = caught(() => planFat(treeOf(entries), SMALL));
    expect(error.problems).toHaveLength(4);
  });

  it.each(["CON", "nul.txt", "Aux.tar.gz", "COM1", "lpt9.x", "CLOCK$", "com²", "CON .x"])(
    "warns of %s",
    (name) => {
      expect(planFat(treeOf(files(name)), SMALL).warnings.join()).toContain("device");
    },
  );

  it.each(["CONSOLE", "COM", "COM10", "xCON", "x.con"])("does not warn of %s", (name) => {
    expect(planFat(treeOf(files(name)), SMALL).warnings).toEqual([]);
  });
});

describe("entries that FAT cannot hold", () => {
  const entries: Entry[] = [
    ...files("a"),
    { path: "link", type: "symlink", target: "a" },
    { path: "d/null", type: "character", device: { major: 1, minor: 3 } },
    { path: "d/pipe", type: "fifo" },
    { path: "d/plug", type: "socket" },
    { path: "disk", type: "block", device: { major: 8, minor: 0 } },
  ];

  it("are named, each of them", () => {
    const error = caught(() => planFat(treeOf([...entries, ...files("bad:name")]), SMALL));
    expect(error.code).toBe("UNSUPPORTED_ENTRY");
    expect(error.problems.map((line) => line.split(":")[0])).toEqual([
      "/disk",
      "/link",
      "/d/null",
      "/d/pipe",
      "/d/plug",
      "/bad",
    ]);
  });

  it("are left out on request", async () => {
    const plan = planFat(treeOf(entries), { ...SMALL, unsupported: "skip" });
    expect(plan.skipped).toEqual(["/disk", "/link", "/d/null", "/d/pipe", "/d/plug"]);
    const found = await entriesOf(entries, { ...SMALL, unsupported: "skip" });
    expect(found.map(({ path }) => path)).toEqual(["a", "d"]);
  });

  it("hard links become files of their own", async () => {
    const linked: Entry[] = [...files("a"), { path: "b", type: "hardlink", target: "a" }];
    const { volume, plan } = await volumeOf(linked);
    expect(plan.usedClusters).toBe(2);
    for await (const entry of volume.entries()) expect(await volume.readFile(entry)).toEqual(utf8("a"));
  });
});

describe("label and serial number", () => {
  it("is upper case, in the boot sector and in the root directory", async () => {
    const { volume, image } = await volumeOf(files("efi/x"), { ...SMALL, label: "esp 1" });
    expect(volume.label).toBe("ESP 1");
    expect(volume.problems).toEqual([]);
    expect(new TextDecoder().decode(image.subarray(0x2b, 0x36))).toBe("ESP 1      ");
  });

  it("may be that of a directory as well", async () => {
    expect(await entriesOf(files("EFI/x"), { ...SMALL, label: "EFI" })).toHaveLength(2);
  });

  it("may be missing", async () => {
    const { volume } = await volumeOf([], { ...SMALL, label: "" });
    expect(volume.label).toBe("");
  });

  it.each([
    ["TWELVE CHARS", "12 characters"],
    [" X", "start with a space"],
    ["X ", "end with a space"],
    ["A.B", ". cannot"],
    ["A/B", "/ cannot"],
    ["A+B", "+ cannot"],
    ["A\tB", "control character"],
    ["BÜRO", "Ü cannot"],
    ["straße", "ß cannot"],
    ["no name", "without a label"],
  ])('cannot be "%s"', (label, message) => {
    expect(() => planFat(treeOf([]), { ...SMALL, label })).toThrow(message);
  });

  it("shows a serial number as Windows does", () => {
    expect(formatSerial(0xabcd1234)).toBe("ABCD-1234");
    expect(formatSerial(1)).toBe("0000-0001");
  });
});

describe("times", () => {
  const seconds = (text: string): number => Date.parse(text) / 1000;

  it.each([
    "1980-01-01T00:00:00Z",
    "1980-02-29T23:59:58Z",
    "1980-03-01T00:00:00Z",
    "1980-12-31T12:34:56Z",
    "1981-01-01T00:00:00Z",
    "2000-02-29T00:00:00Z",
    "2023-11-14T22:13:20Z",
    "2096-02-29T01:02:04Z",
    "2100-02-28T23:59:58Z",
    "2100-03-01T00:00:00Z",
    "2104-02-29T00:00:00Z",
    "2107-12-31T23:59:58Z",
  ])("stores %s", (text) => {
    const { date, time, hundredths } = fatTime(seconds(text), 0);
    const shown = new Date(text);
    expect([1980 + (date >> 9), (date >> 5) & 15, date & 31]).toEqual([
      shown.getUTCFullYear(),
      shown.getUTCMonth() + 1,
      shown.getUTCDate(),
    ]);
    expect([time >> 11, (time >> 5) & 63, 2 * (time & 31)]).toEqual([
      shown.getUTCHours(),
      shown.getUTCMinutes(),
      shown.getUTCSeconds(),
    ]);
    expect(hundredths).toBe(0);
    expect(secondsOf(date, time)).toBe(seconds(text));
  });

  it("agrees with the calendar on every day", () => {
    for (let day = EARLIEST_TIME; day <= LATEST_TIME; day += 86_400) {
      const { date, time } = fatTime(day, 0);
      const shown = new Date(day * 1000);
      const expected =
        ((shown.getUTCFullYear() - 1980) << 9) | ((shown.getUTCMonth() + 1) << 5) | shown.getUTCDate();
      if (date !== expected || secondsOf(date, time) !== day) expect(shown).toBe(date);
    }
  });

  it("keeps odd seconds and fractions of the creation time", () => {
    expect(fatTime(EARLIEST_TIME + 3, 999_999_999)).toMatchObject({ time: 1, hundredths: 199 });
  });

  it("moves what lies outside of 1980 to 2107", () => {
    expect(EARLIEST_TIME).toBe(seconds("1980-01-01T00:00:00Z"));
    expect(LATEST_TIME).toBe(seconds("2107-12-31T23:59:58Z"));
    const first = { date: 0x21, time: 0, hundredths: 0 };
    expect(fatTime(-5, 999_999_999)).toEqual(first);
    expect(fatTime(Number.NaN, 0)).toEqual(first);
    expect(fatTime(LATEST_TIME + 1, 5)).toEqual(fatTime(LATEST_TIME, 0));
    expect(fatTime(1e12, 5)).toEqual(fatTime(LATEST_TIME, 0));
  });

  it("takes impossible dates for the nearest possible ones", () => {
    expect(secondsOf(0, 0)).toBe(EARLIEST_TIME);
    expect(Number.isSafeInteger(secondsOf(0xffff, 0xffff))).toBe(true);
  });

  it("clamps later times to the given one, and takes it for the label", async () => {
    const entries: Entry[] = [
      { path: "new", type: "file", mtime: 2_000_000_000_000_000_000n },
      { path: "old", type: "file", mtime: 1_000_000_000_000_000_000n },
    ];
    const options = { ...SMALL, time: 1_500_000_000, label: "X" };
    const found = await entriesOf(entries, options);
    expect(found.map(({ mtime }) => mtime / 1_000_000_000n)).toEqual([1_500_000_000n, 1_000_000_000n]);
    const { image, plan } = await volumeOf([], options);
    const { date, time } = fatTime(1_500_000_000, 0);
    const root = (plan.geometry.firstDataSector - plan.geometry.rootSectors) * 512;
    expect(directoryEntry.fromBytes(image, root)).toMatchObject({
      attributes: 8,
      writeDate: date,
      writeTime: time,
      clusterLow: 0,
    });
  });

  it("warns of times after 2107, not of times before 1980", () => {
    const plan = planFat(
      treeOf([
        { path: "late", type: "file", mtime: 5_000_000_000_000_000_000n },
        { path: "early", type: "file", mtime: -1n },
      ]),
      SMALL,
    );
    expect(plan.warnings).toHaveLength(1);
    expect(plan.warnings[0]).toContain("/late");
  });
});

describe("directories", () => {
  it("have . and .. with their own times, and 0 for a parent that is the root", async () => {
    const { image, plan } = await volumeOf(
      [
        { path: "a", type: "directory", mtime: 1_000_000_000_000_000_000n },
        { path: "a/b", type: "directory", mtime: 1_100_000_000_000_000_000n },
      ],
      { serial: 1, size: 34_089_472 },
    );
    const cluster = (row: number) => (plan.geometry.firstDataSector + plan.firstCluster[row]! - 2) * 512;
    const [a, b] = [plan.tree.find("a")!, plan.tree.find("a/b")!];
    const inA = listDirectory(image.subarray(cluster(a), cluster(a) + 512));
    const inB = listDirectory(image.subarray(cluster(b), cluster(b) + 512));
    expect([inA.dot, inA.dotDot]).toEqual([plan.firstCluster[a], 0]);
    expect([inB.dot, inB.dotDot]).toEqual([plan.firstCluster[b], plan.firstCluster[a]]);
    for (const at of [0, 32]) {
      const { writeDate, writeTime } = directoryEntry.fromBytes(image, cluster(b) + at);
      expect(secondsOf(writeDate, writeTime)).toBe(1_100_000_000);
    }
  });

  it("have no entries behind their end", async () => {
    const { image, plan } = await volumeOf(files(...Array.from({ length: 14 }, (_, at) => `d/F${at}`)));
    const start = (plan.geometry.firstDataSector + plan.firstCluster[plan.tree.find("d")!]! - 2) * 512;
    expect(image[start + 15 * ENTRY_SIZE]).not.toBe(0);
    expect(plan.usedClusters).toBe(15);
  });

  it("hold 65,536 entries and no more", () => {
    const names = Array.from({ length: 65_534 }, (_, at) => `D/F${at}`);
    const most = planFat(treeOf(files(...names)), { serial: 1 });
    expect(most.inventory.directorySlots[1]).toBe(65_536);
    const error = caught(() => planFat(treeOf(files(...names, "D/LAST")), { serial: 1 }));
    expect(error.message).toContain("/D: the directory needs 65537 entries");
    expect(error.message).toContain("limit is 65536");
    const long = Array.from({ length: 20_000 }, (_, at) => `the same prefix in all of them ${at}`);
    expect(() => planFat(treeOf(files(...long)), { serial: 1 })).toThrow("limit is 65536");
  });

  it("of FAT16 cannot hold that many in the root", () => {
    const names = Array.from({ length: 65_500 }, (_, at) => `F${at}`);
    const tree = treeOf(names.map((path) => ({ path, type: "file" })));
    expect(() => planFat(tree, { serial: 1, bits: 16 })).toThrow("use FAT32");
    expect(planFat(tree, { serial: 1, bits: "auto" }).type).toBe("fat32");
  });

  it("can be deep", async () => {
    const path = Array.from({ length: 500 }, (_, at) => `d${at}`).join("/");
    expect(await entriesOf(files(`${path}/f`))).toHaveLength(501);
  });
});

describe("scale", () => {
  it("takes 20,000 names with one prefix in time", async () => {
    const entries = Array.from(
      { length: 20_000 },
      (_, at): Entry => ({ path: `prefix${at}.conf`, type: "file" }),
    );
    const tree = treeOf(entries);
    const started = performance.now();
    const plan = planFat(tree, { serial: 1 });
    let bytes = 0;
    for (const { length } of writeFat(plan)) bytes += length;
    expect(performance.now() - started).toBeLessThan(2000);
    expect(bytes).toBeGreaterThan(20_000 * 96);
  });

  it("takes 10,000 names without a character that a short name can hold", () => {
    const tree = treeOf(Array.from({ length: 10_000 }, (_, at) => vast(`${"漢字仮名"} ${at}`, 0)));
    const started = performance.now();
    planFat(tree, { serial: 1 });
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it("takes thousands of directories", async () => {
    const entries = Array.from(
      { length: 3000 },
      (_, at): Entry => ({ path: `${at % 50}/${at}`, type: "directory" }),
    );
    expect(await entriesOf(entries, { serial: 1, bits: 12 })).toHaveLength(3050);
  });

  it("plans and writes hundreds of gigabytes without holding them", () => {
    const tree = treeOf(Array.from({ length: 64 }, (_, at) => vast(`f${at}`, 2 ** 32 - 1)));
    const plan = planFat(tree, { serial: 1, size: 300 * 2 ** 30 });
    let largest = 0;
    for (const { source } of writeFat(plan)) {
      if (source instanceof Uint8Array) largest = Math.max(largest, source.length);
    }
    expect(largest).toBe(65_536);
  });

  it("writes nothing where nothing is", () => {
    const plan = planFat(treeOf([]), { serial: 1, size: 64 * 2 ** 30 });
    let bytes = 0;
    for (const { length } of writeFat(plan)) bytes += length;
    expect(bytes).toBe(6 * 512 + 2 * 12);
  });
});

describe("readFat", () => {
  it("finds no volume where there is none", async () => {
    expect(await readFat(bytesSource(new Uint8Array(0)))).toBeUndefined();
    expect(await readFat(bytesSource(new Uint8Array(100_000)))).toBeUndefined();
    const mbr = new Uint8Array(100_000);
    mbr[510] = 0x55;
    mbr[511] = 0xaa;
    expect(await readFat(bytesSource(mbr))).toBeUndefined();
  });

  it("says what is wrong", async () => {
    const { image, plan } = await volumeOf(files("some long name"), {
      serial: 1,
      size: 34_089_472,
      label: "X",
    });
    const problemsAfter = async (change: (bytes: Uint8Array) => void): Promise<string> => {
      const bytes = image.slice();
      change(bytes);
      const volume = (await readFat(bytesSource(bytes)))!;
      for await (const entry of volume.entries()) await volume.readFile(entry);
      return volume.problems.join("\n");
    };
    const table = 32 * 512;
    const root = plan.geometry.firstDataSector * 512;
    expect(await problemsAfter(() => undefined)).toBe("");
    expect(await problemsAfter((bytes) => void (bytes[0x41] = 1))).toContain("not closed properly");
    expect(await problemsAfter((bytes) => void (bytes[table + 7] = 0x07))).toContain("not closed properly");
    expect(await problemsAfter((bytes) => void (bytes[table + 4096] = 1))).toContain("copy 2");
    expect(await problemsAfter((bytes) => void (bytes[512] = 0))).toContain("no signature");
    expect(await problemsAfter((bytes) => void (bytes[512 + 488]! ^= 1))).toContain("clusters are free");
    expect(await problemsAfter((bytes) => void (bytes[6 * 512 + 90]! ^= 1))).toContain(
      "backup boot sector differs",
    );
    expect(await problemsAfter((bytes) => void (bytes[0x47] = 0x59))).toContain('label is "Y"');
    expect(await problemsAfter((bytes) => void (bytes[root + 32 + 13]! ^= 1))).toContain("long name");
    expect(await problemsAfter((bytes) => void (bytes[root + 32 + 64 + 28] = 0))).toContain(
      "clusters of its own",
    );
  });

  it("does not follow damage", async () => {
    const { image, plan } = await volumeOf(files("d/f", "g"));
    const { firstDataSector, rootSectors } = plan.geometry;
    const root = (firstDataSector - rootSectors) * 512;
    const walk = async (change: (bytes: Uint8Array) => void): Promise<void> => {
      const bytes = image.slice();
      change(bytes);
      const volume = (await readFat(bytesSource(bytes)))!;
      for await (const entry of volume.entries()) if (entry.type === "file") await volume.readFile(entry);
    };
    const corrupt = expect.objectContaining({ code: "CORRUPT" });
    // The size of g, a file of one cluster; the first cluster of d, and then that of d and g.
    const [d, g] = [root + 32, root + 32 + 64];
    await expect(walk((bytes) => void (bytes[g + 0x1d] = 0x10))).rejects.toEqual(corrupt);
    await expect(walk((bytes) => void (bytes[g + 0x1f] = 0xff))).rejects.toEqual(corrupt);
    await expect(walk((bytes) => void (bytes[g + 0x1b] = 0x0f))).rejects.toEqual(corrupt);
    await expect(walk((bytes) => void (bytes[d + 0x1a] = 0))).rejects.toEqual(corrupt);
    // A directory whose chain is a circle: the entry of cluster 2 leads to itself.
    await expect(walk((bytes) => bytes.set([0x02, 0xf0], 512 + 3))).rejects.toEqual(corrupt);
    // An image that was cut.
    const cut: ByteSource = bytesSource(image.subarray(0, 700));
    await expect(readFat(cut)).rejects.toEqual(corrupt);
  });

  it("never gives out a name that leads elsewhere", () => {
    const entry = new Uint8Array(64);
    entry.set(utf8("A/B     TXT"), 0);
    expect(listDirectory(entry).entries).toEqual([]);
    expect(listDirectory(entry).problems).toHaveLength(1);
  });

  it("reads names that DOS and Windows NT wrote", () => {
    const entries = new Uint8Array(128);
    entries.set([0x05, 0x81, ...utf8("      TXT")], 0);
    entries.set([...utf8("LOWER   TXT"), 0x20, 0x18], 32);
    entries.set([0xe5, ...utf8("DELETEDTXT")], 64);
    expect(listDirectory(entries).entries.map(({ name }) => name)).toEqual(["σü.TXT", "lower.txt"]);
  });
});

describe("extended attributes", () => {
  it("are left out, which one warning says", () => {
    const xattrs = new Map([["user.a", utf8("1")]]);
    const entries = ["1", "2", "3", "4"].map((path): Entry => ({ path, type: "file", xattrs }));
    const link: Entry = { path: "link", type: "symlink", target: "1", xattrs };
    const options = { ...SMALL, unsupported: "skip" } as const;
    const warningsFor = (count: number): readonly string[] =>
      planFat(treeOf([...entries.slice(0, count), link]), options).warnings;
    expect(warningsFor(4)).toEqual([
      "4 entries have extended attributes, which FAT cannot hold: /1, /2, /3 …",
    ]);
    expect(warningsFor(3)).toEqual(["3 entries have extended attributes, which FAT cannot hold: /1, /2, /3"]);
    expect(warningsFor(1)).toEqual(["1 entry has extended attributes, which FAT cannot hold: /1"]);
    expect(warningsFor(0)).toEqual([]);
  });

  it("change no byte of the volume", async () => {
    const plain = await volumeOf(files("a"));
    const labelled = await volumeOf(
      files("a").map((entry) => ({ ...entry, xattrs: new Map([["user.a", utf8("1")]]) })),
    );
    expect(labelled.image).toEqual(plain.image);
  });
});
