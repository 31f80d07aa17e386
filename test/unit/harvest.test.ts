import { describe, expect, it } from "vitest";
import { KIB, MIB, utf8 } from "../../src/bytes/index.ts";
import { openExt4 } from "../../src/ext4/index.ts";
import {
  type ByteSource,
  bytesContent,
  bytesSource,
  contentBytes,
  sourceWindow,
} from "../../src/extents/index.ts";
import { readFat } from "../../src/fat32/index.ts";
import { StoredContents } from "../../src/harvest/contents.ts";
import { describeDisk, ext4Tree, fatTree, harvest } from "../../src/harvest/index.ts";
import { type ImagePlan, image, plan } from "../../src/image/index.ts";
import type { Layout, LayoutFilesystem, LayoutPartition } from "../../src/layouts/index.ts";
import { type Entry, type Tree, treeOf } from "../../src/tree/index.ts";
import { type SparseImage, written } from "../support/sparse-image.ts";
import { patterned, patternedBytes } from "../support/trees.ts";

const ext4: LayoutFilesystem = { type: "ext4", label: "root", options: { blockSize: 1024 } };
const fat: LayoutFilesystem = { type: "fat", label: "ESP", bits: "auto" };

interface Part extends Partial<LayoutPartition> {
  readonly entries?: readonly Entry[];
}

/** A disk with these partitions, and its plan. */
async function made(
  parts: readonly Part[],
  layout: Partial<Layout> = {},
  spec: { readonly time?: number; readonly bootCode?: Uint8Array } = {},
): Promise<{ original: ImagePlan; disk: SparseImage }> {
  const partitions = parts.map(
    ({ entries, ...part }, index): LayoutPartition => ({
      name: `p${index + 1}`,
      type: "linux-generic",
      size: 2 * MIB,
      ...(entries === undefined ? {} : { tree: treeOf(entries) }),
      ...part,
    }),
  );
  const whole: Layout = { name: "custom", table: "gpt", ...layout, partitions };
  const original = plan(image({ root: treeOf([]), layout: whole, ...spec }));
  return { original, disk: await written(original) };
}

const paths = (tree: Tree): string[] =>
  Array.from({ length: tree.length }, (_, row) => tree.displayPath(row));

async function bytesOf(tree: Tree, path: string): Promise<Uint8Array> {
  return await contentBytes(tree.content(tree.find(path)!), undefined);
}

const partition = (disk: ByteSource, { partitions }: ImagePlan, index = 0): ByteSource =>
  sourceWindow(disk, partitions[index]!.offset, partitions[index]!.size);

/** A source that gives what it is asked for later. */
const slow = (source: ByteSource): ByteSource => ({
  size: source.size,
  read: async (position, length) => await source.read(position, length),
});

describe("the tree of an ext4 filesystem", () => {
  const entries: Entry[] = [
    { path: "", type: "directory", mode: 0o751, uid: 3, gid: 4, mtime: -1n },
    { path: "file", type: "file", content: patterned(5000, 1), mtime: -1_500_000_001n, mode: 0o4711 },
    { path: "d/link", type: "hardlink", target: "file" },
    { path: "holes", type: "file", content: patterned(9000, 2), data: [{ offset: 2048, length: 1024 }] },
    { path: "hole", type: "file", content: patterned(9000, 2), data: [] },
    { path: "empty", type: "file" },
    { path: "symlink", type: "symlink", target: "nowhere" },
    { path: "device", type: "block", device: { major: 259, minor: 70_000 }, uid: 70_000 },
    { path: "xattrs", type: "directory", xattrs: new Map([["user.a", utf8("1")]]) },
  ];

  it.each([
    ["at once", (source: ByteSource) => source],
    ["later", slow],
  ])("is the one that was written, from a source that answers %s", async (_, source) => {
    const { disk, original } = await made([{ filesystem: ext4, entries }]);
    const { tree, warnings } = await ext4Tree((await openExt4(source(partition(disk, original))))!);
    expect(warnings).toEqual([]);
    expect([...tree.entries()].map(({ content: _content, ...rest }) => rest)).toEqual(
      [...treeOf(entries).entries()].map(({ content: _content, ...rest }) => rest),
    );
    expect(await bytesOf(tree, "/file")).toEqual(patternedBytes(5000, 1));
    const holes = new Uint8Array(9000);
    holes.set(patternedBytes(9000, 2).subarray(2048, 3072), 2048);
    expect(await bytesOf(tree, "/holes")).toEqual(holes);
    expect(await bytesOf(tree, "/hole")).toEqual(new Uint8Array(9000));
    expect(await bytesOf(tree, "/empty")).toEqual(new Uint8Array(0));
  });

  it("has lost+found only where that is more than every filesystem has", async () => {
    const own = { path: "lost+found", type: "directory", mode: 0o700 } as const;
    const cases: readonly (readonly [Entry[], boolean])[] = [
      [[], false],
      [[own], false],
      [[{ ...own, mode: 0o755 }], true],
      [[{ ...own, uid: 1 }], true],
      [[{ ...own, xattrs: new Map([["user.a", utf8("1")]]) }], true],
      [[own, { path: "lost+found/#12", type: "file" }], true],
    ];
    for (const [tree, isKept] of cases) {
      const { disk, original } = await made([{ filesystem: ext4, entries: tree }]);
      const open = async () => (await openExt4(partition(disk, original)))!;
      expect(paths((await ext4Tree(await open())).tree).includes("/lost+found")).toBe(isKept);
      expect(paths((await ext4Tree(await open(), { keepLostAndFound: true })).tree)).toContain("/lost+found");
      // One that a tree has comes back in any case.
      const harvested = await harvest(disk, original);
      expect((await written(plan(harvested.image))).differences(disk)).toEqual([]);
    }
  });

  it("is refused when the filesystem has problems, all of which are named", async () => {
    const { disk, original } = await made([{ filesystem: ext4, entries }]);
    const { offset } = original.partitions[0]!;
    // s_state: errors. The checksum of the superblock is wrong then, too.
    disk.write(offset + 1024 + 0x3a, Uint8Array.of(2));
    await expect(harvest(disk, original)).rejects.toMatchObject({
      code: "CORRUPT",
      partition: "p1",
      message: expect.stringMatching(/^partition p1: its filesystem cannot be taken over:\n {2}.*\n {2}/),
      problems: [expect.stringContaining("checksum"), expect.stringContaining("marked as damaged")],
    });
    await expect(describeDisk(disk)).rejects.toMatchObject({ code: "CORRUPT", partition: "p1" });
  });

  it("is refused when files share blocks", async () => {
    const options = { blockSize: 1024, features: ["^metadata_csum", "^has_journal"] } as const;
    const big = { content: patterned(1_000_000, 1), type: "file" } as const;
    const { disk, original } = await made([
      {
        filesystem: { type: "ext4", options },
        entries: [
          { path: "a", ...big },
          { path: "b", type: "file", content: "b" },
          { path: "c", type: "file", content: "c" },
        ],
      },
    ]);
    const filesystem = original.partitions[0]!.filesystem!;
    if (filesystem.type !== "ext4") throw new TypeError("not ext4");
    const { geometry, inventory, tree } = filesystem.plan;
    const table = original.partitions[0]!.offset + geometry.metadata[0]!.inodeTable * 1024;
    const at = (path: string): number => table + (inventory.inodeOf[tree.find(path)!]! - 1) * 256;
    const inode = disk.read(at("/a"), 256);
    for (const path of ["/b", "/c"]) disk.write(at(path), inode);
    await expect(harvest(disk, original)).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringMatching(/inode \d+ has block \d+, which something else has, too/),
    });
  });

  it("can be stopped", async () => {
    const many = Array.from({ length: 3000 }, (_, index): Entry => ({ path: `${index}`, type: "fifo" }));
    const { disk, original } = await made([{ filesystem: { type: "ext4" }, size: 8 * MIB, entries: many }]);
    const signal = { aborted: true };
    await expect(harvest(disk, original, { signal })).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("the tree of a FAT filesystem", () => {
  const entries: Entry[] = [
    { path: "EFI", type: "directory", mtime: 1_500_000_001_000_000_000n },
    { path: "EFI/a long name", type: "file", content: patterned(3000, 1), mtime: 1_500_000_003_990_000_000n },
    { path: "B", type: "file" },
  ];

  it("has the names, content and odd seconds, and is root's", async () => {
    const { disk, original } = await made([{ filesystem: fat, entries }]);
    const { tree, warnings } = await fatTree((await readFat(partition(disk, original)))!);
    expect(warnings).toEqual([]);
    expect(
      [...tree.entries()].map(({ path, mode, uid, gid, mtime }) => [
        new TextDecoder().decode(path as Uint8Array),
        mode,
        uid,
        gid,
        mtime,
      ]),
    ).toEqual([
      ["/", 0o755, 0, 0, 0n],
      ["/B", 0o644, 0, 0, 315_532_800_000_000_000n],
      ["/EFI", 0o755, 0, 0, 1_500_000_001_000_000_000n],
      ["/EFI/a long name", 0o644, 0, 0, 1_500_000_003_990_000_000n],
    ]);
    expect(await bytesOf(tree, "/EFI/a long name")).toEqual(patternedBytes(3000, 1));
  });

  it("takes the time of change alone where a file was changed after it was made", async () => {
    const { disk, original } = await made([
      { filesystem: fat, entries: [{ path: "B", type: "file", mtime: 1_500_000_003_990_000_000n }] },
    ]);
    const { offset, filesystem } = original.partitions[0]!;
    if (filesystem?.type !== "fat") throw new TypeError("not FAT");
    const { firstDataSector, rootSectors, sectorSize } = filesystem.plan.geometry;
    // Behind the entry of the label: the time of the last change, two seconds later.
    const at = offset + (firstDataSector - rootSectors) * sectorSize + 32 + 0x16;
    disk.write(at, Uint8Array.of(disk.read(at, 1)[0]! + 1));
    const { tree } = await fatTree((await readFat(partition(disk, original)))!);
    expect(tree.columns.mtimeSeconds[tree.find("/B")!]).toBe(1_500_000_004);
  });

  it("warns of attributes, and of copies that differ, which are written anew", async () => {
    const { disk, original } = await made([{ filesystem: fat, entries }]);
    const { offset, filesystem } = original.partitions[0]!;
    if (filesystem?.type !== "fat") throw new TypeError("not FAT");
    const { firstDataSector, rootSectors, sectorSize, fatSectors } = filesystem.plan.geometry;
    disk.write(offset + (firstDataSector - rootSectors) * sectorSize + 32 + 0xb, Uint8Array.of(0x23));
    disk.write(offset + (1 + fatSectors) * sectorSize + 100, Uint8Array.of(1));
    const { image: harvested, warnings } = await harvest(disk, original);
    expect(warnings).toEqual([
      "p1: copy 2 of the file allocation table differs from the first",
      "p1: 1 entry has the attributes read-only, hidden or system, which are not kept: /B (RH)",
    ]);
    const { tree } = harvested.layout.partitions[0]!;
    expect(tree!.columns.mode[tree!.find("/B")!]).toBe(0o100444);
  });

  it("is refused when the volume was not closed", async () => {
    const { disk, original } = await made([{ filesystem: fat, entries }]);
    disk.write(original.partitions[0]!.offset + 0x25, Uint8Array.of(1));
    await expect(harvest(disk, original)).rejects.toMatchObject({
      code: "CORRUPT",
      message:
        "partition p1: the FAT filesystem cannot be taken over until fsck.fat has repaired it: the volume was not closed properly",
    });
  });

  it("warns of boot code that others have put into the boot sector", async () => {
    const { disk, original } = await made([{ filesystem: fat, entries }]);
    disk.write(original.partitions[0]!.offset + 0x100, utf8("SYSLINUX"));
    const { warnings } = await harvest(disk, original);
    expect(warnings).toEqual([expect.stringMatching(/^p1: the boot code in the boot sector is not kept/)]);
  });
});

describe("what a disk is harvested against", () => {
  const parts: Part[] = [
    { filesystem: fat, entries: [], start: 4 * MIB, guid: "11111111-2222-4333-8444-555555555555" },
    { filesystem: ext4, entries: [{ path: "a", type: "file", content: "a" }] },
    { size: MIB },
  ];

  it("must have the planned size", async () => {
    const { original } = await made(parts);
    await expect(harvest(bytesSource(new Uint8Array(MIB)), original)).rejects.toMatchObject({
      code: "SOURCE_CHANGED",
      message: expect.stringMatching(/it has 1,048,576 bytes instead of \d+,\d+,\d+ bytes/),
    });
  });

  it.each(["gpt", "mbr"] as const)("must have the planned table; what differs is said: %s", async (table) => {
    const type = table === "gpt" ? "linux-generic" : 0x83;
    const typed = parts.map((part) => ({ ...part, type }));
    const { original, disk } = await made(typed, { table });
    const other = await made(
      [
        { ...typed[0]!, type: table === "gpt" ? "esp" : 0xef },
        { ...typed[1]!, size: MIB },
        { ...typed[2]!, name: "renamed" },
        { size: 2 * MIB, type },
      ],
      { table },
    );
    // The same size, so that the table can be laid over.
    const behind = other.original.size === original.size ? other.disk : undefined;
    for (const [at, length] of [
      [0, 64 * KIB],
      [original.size - 64 * KIB, 64 * KIB],
    ] as const) {
      const from = behind ?? other.disk;
      const start = at === 0 ? 0 : from.size - length;
      disk.write(at, from.read(start, length));
    }
    const failure = await harvest(disk, original).then(
      () => undefined,
      (error: { code: string; problems: string[] }) => error,
    );
    expect(failure?.code).toBe("SOURCE_CHANGED");
    expect(failure?.problems.join("\n")).toMatch(/partition 1: the type was .* and is .*/);
    expect(failure?.problems.join("\n")).toMatch(
      /partition 2: the (last sector|number of sectors) was \d+ and is \d+/,
    );
    expect(failure?.problems).toContain("partition 4 is new");
  });

  it("may have other boot code, and a boot loader behind the table", async () => {
    const { original, disk } = await made(parts, {}, { bootCode: patternedBytes(100, 1) });
    const core = patternedBytes(30_000, 5);
    disk.write(0, patternedBytes(440, 9));
    disk.write(original.partitions[2]!.offset, core);
    disk.write(MIB + 512, core);
    const harvested = await harvest(disk, original);
    expect(harvested.warnings).toEqual([]);
    expect(harvested.image.bootCode).toEqual(patternedBytes(440, 9));
    expect((await written(plan(harvested.image))).differences(disk)).toEqual([]);
  });

  it("keeps gaps of the layout in their places, with what they hold now", async () => {
    const gap = (name: string, offset: number) => ({
      name,
      offset,
      raw: { content: bytesContent(patternedBytes(5000, 7)) },
    });
    const { original, disk } = await made(parts, {
      gaps: [gap("firmware", 40 * KIB), gap("emptied", 60 * KIB), gap("late", 3 * MIB)],
    });
    disk.write(41 * KIB, utf8("changed"));
    disk.write(60 * KIB, new Uint8Array(5000));
    disk.write(50 * KIB, utf8("between"));
    const { image: harvested } = await harvest(disk, original);
    const again = plan(harvested);
    expect(again.gaps.map(({ name, offset }) => [name, offset]).slice(0, 2)).toContainEqual([
      "firmware",
      40 * KIB,
    ]);
    expect((await written(again)).differences(disk)).toEqual([]);
  });

  it("may have filesystems of other kinds, labels and UUIDs than were planned", async () => {
    const { original, disk } = await made(parts);
    const other = await made([
      {
        filesystem: { ...ext4, label: "was FAT", uuid: "99999999-2222-4333-8444-555555555555" },
        entries: [{ path: "x", type: "fifo" }],
        start: 4 * MIB,
      },
      { size: 2 * MIB },
    ]);
    disk.write(4 * MIB, other.disk.read(4 * MIB, 4 * MIB));
    disk.write(6 * MIB, utf8("no filesystem any more"));
    const { image: harvested, warnings } = await harvest(disk, original);
    expect(warnings).toEqual(["p2: it has no ext4 filesystem any more: what it has is taken as it is"]);
    const again = await written(plan(harvested));
    expect(again.differences(disk)).toEqual([]);
    expect((await openExt4(partition(again, original)))!.label).toBe("was FAT");
  });

  it("gets the time that it is given", async () => {
    const late = 2_000_000_000;
    const { original, disk } = await made([
      { filesystem: ext4, entries: [{ path: "a", type: "file", mtime: BigInt(late) * 1_000_000_000n }] },
    ]);
    const { image: harvested } = await harvest(disk, original, { time: 1_000_000_000 });
    const again = await written(plan(harvested));
    const { mtime } = await (await openExt4(partition(again, original)))!.stat("/a");
    expect(mtime).toBe(1_000_000_000n * 1_000_000_000n);
  });

  it("does not write again what the layout adds to a tree", async () => {
    const entries: Entry[] = [{ path: "boot/kernel", type: "file", content: "k" }];
    const original = plan(
      image({
        root: treeOf(entries),
        layout: "efi",
        additionalSpace: MIB,
        fstab: "uuid",
        discoverable: "x86-64",
      }),
    );
    const disk = await written(original);
    const again = plan((await harvest(disk, original)).image);
    expect(again.warnings).toEqual([]);
    expect(again.partitions.map(({ mount }) => mount)).toEqual(["/boot", "/"]);
    expect((await written(again)).differences(disk)).toEqual([]);
  });

  it("may be mounted at any depth", async () => {
    const { original, disk } = await made([
      { filesystem: fat, mount: "/boot/efi", entries: [{ path: "EFI", type: "directory" }] },
      { filesystem: ext4, mount: "/", entries: [{ path: "boot/efi", type: "directory" }] },
    ]);
    const again = plan((await harvest(disk, original)).image);
    expect((await written(again)).differences(disk)).toEqual([]);
  });

  it("says by how much a filesystem that has grown is too small", async () => {
    const { original, disk } = await made([{ filesystem: { ...ext4 }, size: MIB, mount: "/", entries: [] }]);
    const { image: harvested } = await harvest(disk, original);
    const full = treeOf([{ path: "large", type: "file", content: patterned(2 * MIB, 1) }]);
    const partitions = harvested.layout.partitions.map((one) => ({ ...one, tree: full }));
    const custom = { ...harvested, layout: { ...harvested.layout, partitions } };
    expect(() => plan(custom)).toThrow(
      /partition p1 at \/: .*; give partition p1 a size of 3,145,728 bytes or more/,
    );
    const preset = { ...custom, layout: { ...custom.layout, name: "efi" } };
    expect(() => plan(preset)).toThrow(/partition p1 at \/: .*; use --size \d+M or more/);
  });
});

describe("a disk that is described", () => {
  it("is a filesystem, something else, or has a table", async () => {
    const bare = await made([{ filesystem: ext4, entries: [], size: 3 * MIB }], { table: "none" });
    const { spec } = await describeDisk(bare.disk);
    expect(spec.layout).toMatchObject({
      table: "none",
      partitions: [{ name: "disk", filesystem: { type: "ext4", label: "root" } }],
    });
    const unknown = bytesSource(patternedBytes(40 * KIB, 3));
    const described = await describeDisk(unknown);
    expect(described.spec.layout).toMatchObject({
      table: "none",
      partitions: [{ raw: { data: [{ offset: 0, length: 40 * KIB }] } }],
    });
    const copy = await written(plan(image(described.spec)));
    expect(copy.read(0, 40 * KIB)).toEqual(patternedBytes(40 * KIB, 3));
  });

  it("has no more partitions than fit, each apart", async () => {
    const { disk, original } = await made([{ size: MIB }]);
    const cut: ByteSource = { size: 1536 * KIB, read: (position, length) => disk.read(position, length) };
    await expect(describeDisk(cut)).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringContaining("but the disk has 1572864"),
    });
    expect(original.partitions).toHaveLength(1);
    const mbr = await made(
      [
        { size: MIB, type: 0x83 },
        { size: MIB, type: 0x83 },
      ],
      { table: "mbr" },
    );
    // The second entry starts within the first.
    mbr.disk.write(0x1be + 16 + 8, Uint8Array.of(0, 9, 0, 0));
    await expect(describeDisk(mbr.disk)).rejects.toMatchObject({
      code: "CORRUPT",
      message: "partition partition 2 overlaps partition partition 1",
    });
  });

  it("keeps what cannot be written anew as it is, and says why", async () => {
    const { disk } = await made([
      { filesystem: ext4, entries: [{ path: "a", type: "file", content: "a" }] },
      { filesystem: fat, entries: [{ path: "b", type: "file", content: "b" }] },
      { raw: { content: bytesContent(utf8("swap or whatever")) } },
    ]);
    const [first, second] = [MIB, 3 * MIB];
    // An incompatible feature that nobody knows; and a label that is not one of FAT's.
    disk.write(first + 1024 + 0x60 + 3, Uint8Array.of(0x40));
    const volume = (await readFat(sourceWindow(disk, second, 2 * MIB)))!;
    const root = (volume.layout.firstDataSector - Math.ceil((volume.layout.rootEntries * 32) / 512)) * 512;
    disk.write(second + root, Uint8Array.of(0x82));
    const { spec, warnings } = await describeDisk(disk);
    expect(warnings).toEqual([
      expect.stringMatching(/^p1: taken as it is, as it cannot be written anew: .*0x40000000/),
      expect.stringMatching(/^p2: taken as it is, as it cannot be written anew: FAT label/),
    ]);
    expect(
      (spec.layout as Layout).partitions.map(({ filesystem, raw }) => [filesystem, raw !== undefined]),
    ).toEqual([
      [undefined, true],
      [undefined, true],
      [undefined, true],
    ]);
    expect((await written(plan(image(spec)))).differences(disk)).toEqual([]);
  });

  it("has labels of FAT in upper case, of which it is warned", async () => {
    const { disk, original } = await made([{ filesystem: { ...fat, label: "" }, entries: [] }]);
    const { offset, filesystem } = original.partitions[0]!;
    if (filesystem?.type !== "fat") throw new TypeError("not FAT");
    const { firstDataSector, rootSectors, sectorSize } = filesystem.plan.geometry;
    const entry = utf8("lower      \x08");
    disk.write(offset + (firstDataSector - rootSectors) * sectorSize, entry);
    disk.write(offset + 0x2b, entry.subarray(0, 11));
    const { warnings } = await describeDisk(disk);
    expect(warnings).toEqual(['p1: the label "lower" becomes upper case']);
  });

  it("finds the size of sectors of an MBR by the filesystems", async () => {
    const layout = {
      name: "custom",
      table: "mbr",
      partitions: [{ name: "a", type: 0x83, size: 2 * MIB, filesystem: ext4, tree: treeOf([]) }],
    } as const;
    const original = plan(image({ root: treeOf([]), layout, sectorSize: 4096 }));
    const { spec } = await describeDisk(await written(original));
    expect(spec.sectorSize).toBe(4096);
    expect((spec.layout as Layout).partitions[0]!.start).toBe(MIB);
  });

  it("may have filesystems that do not fill their partitions", async () => {
    const { disk } = await made([
      { filesystem: { ...ext4, size: 1025 * KIB }, entries: [] },
      { filesystem: { ...fat, size: 700 * KIB }, entries: [] },
    ]);
    const { spec } = await describeDisk(disk);
    expect((spec.layout as Layout).partitions.map(({ filesystem }) => filesystem?.size)).toEqual([
      1025 * KIB,
      700 * KIB,
    ]);
    expect((await written(plan(image(spec)))).differences(disk)).toEqual([]);
  });

  it("loses boot code before an ext4 filesystem, of which it is warned", async () => {
    const { disk } = await made([{ filesystem: ext4, entries: [] }]);
    disk.write(MIB, utf8("extlinux"));
    const { warnings } = await describeDisk(disk);
    expect(warnings).toEqual([expect.stringMatching(/^p1: the boot code before the filesystem/)]);
  });

  it("has a GPT that can be used", async () => {
    const { disk } = await made([{ size: MIB }]);
    disk.write(512, new Uint8Array(512));
    disk.write(disk.size - 512, new Uint8Array(512));
    await expect(describeDisk(disk)).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringContaining("both of its headers are lost"),
    });
    const empty = await made([{ size: MIB, type: 0x83 }], { table: "mbr" });
    empty.disk.write(0x1be, new Uint8Array(16));
    await expect(describeDisk(empty.disk)).rejects.toMatchObject({
      message: expect.stringContaining("has no partitions"),
    });
  });
});

describe("content in an image", () => {
  async function* listed<Item>(items: readonly Item[]): AsyncGenerator<Item> {
    yield* items;
  }

  it("is read from its parts, in portions of any size, with zeros between", async () => {
    const disk = patternedBytes(1000, 1);
    const source = {
      type: "function" as const,
      size: disk.length,
      read(offset: number, into: Uint8Array): number {
        into.set(disk.subarray(offset, offset + into.length));
        return into.length;
      },
    };
    const contents = new StoredContents(1000);
    const parts = [
      { position: 10, length: 20, source, offset: 500 },
      { position: 30, length: 5, source, offset: 100 },
      { position: 60, length: 10, source, offset: 0 },
    ];
    await contents.add(0, listed([]));
    const { key, data } = await contents.add(100, listed(parts));
    await contents.add(3, listed([{ position: 0, length: 3, source, offset: 7 }]));
    expect(data).toEqual([
      { offset: 10, length: 25 },
      { offset: 60, length: 10 },
    ]);
    const expected = new Uint8Array(100);
    for (const { position, length, offset } of parts)
      expected.set(disk.subarray(offset, offset + length), position);
    const content = contents.content(key);
    if (content.type !== "function") throw new TypeError("no function");
    for (let from = 0; from < 100; from++) {
      for (const portion of [1, 7, 100]) {
        const into = new Uint8Array(portion).fill(0xaa);
        const count = await content.read(from, into);
        expect(count).toBeGreaterThan(0);
        expect(into.subarray(0, count)).toEqual(expected.subarray(from, from + count));
      }
    }
    expect(content.read(100, new Uint8Array(1))).toBe(0);
  });

  it("of inodes is kept, and longer than what is stored where the file has grown", async () => {
    const contents = new StoredContents(100);
    const inline = { position: 0, length: 5, source: utf8("xhellox"), offset: 1 };
    const { key, data } = await contents.add(8, listed([inline]));
    expect(data).toEqual([{ offset: 0, length: 5 }]);
    expect(await contentBytes(contents.content(key), undefined)).toEqual(utf8("hello\0\0\0"));
  });
});
