import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KIB, MIB } from "../../src/bytes/index.ts";
import { DiskwrightError } from "../../src/errors.ts";
import { bytesContent, bytesSource } from "../../src/extents/index.ts";
import { describeDisk, harvest } from "../../src/harvest/index.ts";
import { type ImagePlan, image, plan } from "../../src/image/index.ts";
import {
  type Ext4Tuning,
  LAYOUT_NAMES,
  type Layout,
  type LayoutFilesystem,
  type LayoutPartition,
} from "../../src/layouts/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { anyFatTree } from "../support/fat-trees.ts";
import { written } from "../support/sparse-image.ts";
import { anyRichTree, patterned, patternedBytes } from "../support/trees.ts";

const sectorSizes = fc.constantFrom<512 | 4096>(512, 4096);
const times = fc.constantFrom(undefined, 0, 1_700_000_001, 4_000_000_000);
const someTree = anyRichTree(300);

/** Plans and writes, and does so again from what was written: nothing may differ. */
async function expectSame(original: ImagePlan): Promise<void> {
  const { time, sectorSize } = original.image;
  const disk = await written(original);
  const harvested = await harvest(disk, original);
  expect(harvested.warnings).toEqual([]);
  const again = plan(harvested.image);
  expect((await written(again)).differences(disk)).toEqual([]);
  const described = await describeDisk(disk, { time, sectorSize });
  expect(described.warnings).toEqual([]);
  const anew = plan(image(described.spec));
  expect((await written(anew)).differences(disk)).toEqual([]);
}

const boundary = 32 * KIB;

const ext4Options: fc.Arbitrary<Ext4Tuning> = fc
  .tuple(
    fc.constantFrom<Ext4Tuning>(
      {},
      { type: "ext2" },
      { type: "ext3" },
      { type: "ext2", inodeSize: 128 },
      { features: ["^metadata_csum", "uninit_bg"] },
      { features: ["^64bit"] },
      { features: ["^extent", "^64bit"] },
      { features: ["^flex_bg"] },
      { features: ["sparse_super2"] },
      { features: ["^sparse_super", "^resize_inode"] },
      { features: ["meta_bg", "^resize_inode"] },
      { features: ["orphan_file", "metadata_csum_seed"] },
      { features: ["mmp"] },
      { features: ["fast_commit"] },
      { features: ["^has_journal"] },
      { features: ["quota", "project"] },
      {
        features: ["large_dir", "ea_inode", "casefold", "encrypt", "verity", "stable_inodes", "inline_data"],
      },
      { features: ["^filetype"] },
      { features: ["^dir_index"] },
      { inodeSize: 512 },
      { directoryHash: "tea" },
      { directoryHash: "legacy", nameCharacters: "unsigned" },
    ),
    fc.record(
      {
        blockSize: fc.constantFrom(1024, 2048, 4096),
        inodes: fc.integer({ min: 11, max: 20_000 }),
        bytesPerInode: fc.integer({ min: 4096, max: 100_000 }),
        reservedPercent: fc.oneof(
          fc.integer({ min: 0, max: 50 }),
          fc.double({ min: 0, max: 50, noNaN: true }),
        ),
        hashSeed: fc.uuid(),
        rootOwner: fc.record({ uid: fc.nat(100_000), gid: fc.nat(100_000) }),
        lastMounted: fc.constantFrom("", "/", "/mnt/ümlaut"),
        errors: fc.constantFrom("continue", "remount-ro", "panic"),
        defaultMountOptions: fc.constantFrom(
          [],
          ["acl"],
          ["user_xattr", "discard", "journal_data_writeback"],
        ),
        mountOptions: fc.constantFrom("", "noatime,data=ordered"),
        checkAfterMounts: fc.integer({ min: 1, max: 65_534 }),
        checkInterval: fc.nat(2 ** 31),
        reservedFor: fc.record({ uid: fc.nat(65_535), gid: fc.nat(65_535) }),
        stride: fc.nat(65_535),
        stripeWidth: fc.nat(2 ** 31),
      },
      { requiredKeys: [] },
    ),
    fc.boolean(),
  )
  .map(([set, rest, hasLargeJournal]) => {
    const hasJournal = set.type !== "ext2" && !set.features?.includes("^has_journal");
    return {
      ...set,
      ...rest,
      ...(hasJournal && hasLargeJournal ? { journalSize: 8 * MIB } : {}),
    } as Ext4Tuning;
  });

const ext4: fc.Arbitrary<LayoutFilesystem> = fc
  .record({ options: ext4Options, label: fc.constantFrom("", "root", "ümlaut"), uuid: fc.uuid() })
  .map((filesystem) => ({ type: "ext4", ...filesystem }));

const fat: fc.Arbitrary<LayoutFilesystem> = fc
  .record({
    bits: fc.constantFrom<("auto" | 12 | 16)[]>("auto", 12, 16),
    label: fc.constantFrom("", "ESP", "MY DISK"),
    serial: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    sectorsPerCluster: fc.option(fc.constantFrom(1, 2, 8), { nil: undefined }),
  })
  .map((filesystem) => ({ type: "fat", ...filesystem }));

const fatTree = anyFatTree.map((entries) =>
  entries.map((entry): Entry => ({ ...entry, mtime: (entry.mtime ?? 0n) / 3n })),
);

/** A partition of any kind: a filesystem, bytes as they are, or nothing. */
const content: fc.Arbitrary<Partial<LayoutPartition>> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ filesystem: ext4, tree: someTree.map(treeOf) }) },
  { weight: 2, arbitrary: fc.record({ filesystem: fat, tree: fatTree.map(treeOf) }) },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 1, max: 3 * boundary })
      .map((size) => ({ raw: { content: bytesContent(patternedBytes(size, size)) } })),
  },
  { weight: 1, arbitrary: fc.constant({ minimum: boundary }) },
);

const partitions = fc.array(
  fc.tuple(
    content,
    fc.constantFrom("linux-generic", "esp", "bios-boot"),
    fc.nat(2),
    fc.option(fc.constantFrom("", "same", "its own"), { nil: undefined }),
    fc.bigInt({ min: 0n, max: 0xffffn }).map((bits) => bits << 48n),
  ),
  { minLength: 1, maxLength: 6 },
);

const layouts: fc.Arbitrary<Layout> = fc
  .tuple(fc.constantFrom("gpt", "mbr"), partitions, fc.boolean(), fc.boolean())
  .map(([table, list, hasGap, isMoved]): Layout => {
    const isGpt = table === "gpt";
    return {
      name: "custom",
      table,
      ...(isGpt && isMoved ? { gptEntriesAt: 64 * KIB } : {}),
      ...(isGpt && hasGap && !isMoved ? { protectiveMbrBootable: true } : {}),
      ...(hasGap
        ? {
            gaps: [
              { name: "firmware", offset: 40 * KIB, raw: { content: bytesContent(patternedBytes(9000, 3)) } },
            ],
          }
        : {}),
      partitions: list.map(
        ([what, type, size, gptName, attributes], index): LayoutPartition => ({
          ...what,
          name: `part ${index}`,
          type: isGpt ? type : { "linux-generic": 0x83, esp: 0xef, "bios-boot": 0xda }[type],
          size: what.filesystem !== undefined && size === 0 ? "rest" : "minimal",
          additionalSpace: size * 300 * KIB,
          ...(isGpt ? { gptName, attributes } : { bootable: index === 0 }),
          ...(isGpt && isMoved && index < 3 ? { hybrid: { type: 0x83, bootable: index === 1 } } : {}),
        }),
      ),
    };
  })
  // The gap would lie in the entries of the GPT.
  .filter(({ gaps = [], gptEntriesAt }) => gaps.length === 0 || gptEntriesAt === undefined);

describe("a disk that nobody has changed", () => {
  it.each(LAYOUT_NAMES)("is the same when it is written again: %s", async (layout) => {
    await fc.assert(
      fc.asyncProperty(someTree, sectorSizes, times, async (entries, sectorSize, time) => {
        await expectSame(
          plan(image({ root: treeOf(entries), layout, sectorSize, time, additionalSpace: MIB })),
        );
      }),
      { numRuns: 10 },
    );
  });

  it("is the same, whatever its layout and filesystems", async () => {
    let impossible = 0;
    await fc.assert(
      fc.asyncProperty(
        layouts,
        sectorSizes,
        times,
        fc.uint8Array({ maxLength: 440 }),
        async (layout, sectorSize, time, bootCode) => {
          let original: ImagePlan;
          try {
            original = plan(image({ root: treeOf([]), layout, sectorSize, time, bootCode }));
          } catch (error) {
            // Attributes that fit into blocks of 4 KiB need not fit into smaller ones.
            if (!(error instanceof DiskwrightError) || error.code !== "INVALID_TREE") throw error;
            impossible++;
            return;
          }
          await expectSame(original);
        },
      ),
      { numRuns: 60 },
    );
    expect(impossible).toBeLessThan(15);
  });
});

/** A small disk of each kind, to be damaged. */
async function smallDisks(): Promise<{ original: ImagePlan; bytes: Uint8Array }[]> {
  const entries: Entry[] = [
    { path: "a", type: "file", content: "x".repeat(5000), xattrs: new Map([["user.a", Uint8Array.of(1)]]) },
    { path: "b", type: "hardlink", target: "a" },
    { path: "d/e", type: "file", content: patterned(30_000, 1), data: [{ offset: 4096, length: 8192 }] },
    ...Array.from({ length: 60 }, (_, index): Entry => ({ path: `d/${index}`, type: "file", content: "y" })),
  ];
  const onFat: Entry[] = [
    { path: "EFI/a long name.txt", type: "file", content: "z".repeat(3000) },
    { path: "EFI/B", type: "file", content: "b" },
  ];
  const made = (["gpt", "mbr", "none"] as const).map(async (table) => {
    const type = table === "mbr" ? 0x83 : "linux-generic";
    const root: LayoutPartition = {
      name: "root",
      type,
      size: "minimal",
      // Checksums would end most of it early.
      filesystem: { type: "ext4", options: { blockSize: 1024, features: ["^metadata_csum"] } },
      tree: treeOf(entries),
    };
    const esp: LayoutPartition = {
      name: "esp",
      type,
      size: "minimal",
      filesystem: { type: "fat", bits: "auto" },
      tree: treeOf(onFat),
    };
    const partitions = table === "none" ? [root] : [root, esp];
    const layout: Layout = { name: "custom", table, partitions };
    const original = plan(image({ root: treeOf([]), layout, bootCode: patternedBytes(440, 1) }));
    const disk = await written(original);
    return { original, bytes: disk.read(0, disk.size) };
  });
  return await Promise.all(made);
}

describe("a damaged disk", () => {
  it("is taken, or refused with an error of ours, and what was taken can be planned or is refused", async () => {
    const disks = await smallDisks();
    const used = disks.map(({ bytes }) => [...bytes.keys()].filter((at) => bytes[at] !== 0));
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean());
    const ours = (error: unknown): void => {
      if (!(error instanceof DiskwrightError)) throw error;
    };
    await fc.assert(
      fc.asyncProperty(
        fc.nat(disks.length - 1),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        async (which, changes) => {
          const { original, bytes } = disks[which]!;
          const damaged = bytes.slice();
          for (const [at, value, isUsed] of changes) {
            damaged[isUsed ? used[which]![at % used[which]!.length]! : at % damaged.length] = value;
          }
          const disk = bytesSource(damaged);
          await harvest(disk, original)
            .then(async (taken) => written(plan(taken.image)))
            .catch(ours);
          await describeDisk(disk)
            .then(async ({ spec }) => written(plan(image(spec))))
            .catch(ours);
        },
      ),
      { numRuns: 300 },
    );
  });
});
