import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  type BlockSize,
  type Ext4Options,
  type Ext4Plan,
  openExt4,
  planExt4,
  writeExt4,
} from "../../src/ext4/index.ts";
import { bytesSource } from "../../src/extents/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { expectCleanExt4 } from "../support/judges.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { saveExtents } from "../support/save.ts";
import { anyTree, patterned } from "../support/trees.ts";
import { anyXattrs } from "../support/xattrs.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const scratch = scratchDirectory();

async function save(name: string, plan: Ext4Plan): Promise<string> {
  return await saveExtents(scratch, name, writeExt4(plan), plan.size);
}

const SETS: readonly Partial<Ext4Options>[] = [
  {},
  { type: "ext2" },
  { type: "ext3" },
  { type: "ext2", inodeSize: 128 },
  { type: "ext3", features: ["metadata_csum"] },
  { features: ["^metadata_csum"] },
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
  { features: ["quota", "project"] },
  {
    features: [
      "large_dir",
      "ea_inode",
      "casefold",
      "encrypt",
      "verity",
      "project",
      "stable_inodes",
      "inline_data",
    ],
  },
  { features: ["^filetype"] },
  { features: ["^dir_index"] },
  { inodeSize: 512 },
  { inodeSize: 1024 },
  { directoryHash: "tea" },
  { directoryHash: "legacy", nameCharacters: "unsigned" },
];

/** Random trees with attributes, as far as an inode of any size and a block of 1 KiB hold them. */
const treeWithXattrs: fc.Arbitrary<Entry[]> = fc
  .tuple(anyTree, fc.array(anyXattrs(700, false), { minLength: 1, maxLength: 3 }))
  .map(([entries, sets]) =>
    entries.map((entry, index): Entry => {
      const xattrs = sets[index % sets.length]!;
      return index % 3 === 0 && entry.type === "file" ? { ...entry, xattrs } : entry;
    }),
  );

describeWith(["e2fsck", "debugfs"], "ext4 with features of every kind, before e2fsprogs", () => {
  it.each(SETS.map((options): [string, Partial<Ext4Options>] => [JSON.stringify(options), options]))(
    "random trees with %s are clean, and debugfs finds every entry",
    async (_, options) => {
      await fc.assert(
        fc.asyncProperty(
          treeWithXattrs,
          fc.constantFrom<BlockSize>(1024, 2048, 4096),
          fc.constantFrom(0, 3_000_000, 200_000_000),
          async (entries, blockSize, freeBytes) => {
            const tree = treeOf(entries);
            let plan: Ext4Plan;
            try {
              plan = planExt4(tree, { uuid, blockSize, freeBytes, ...options });
            } catch (error) {
              // Attributes can be too large for the inode and the block; that is told.
              expect((error as Error).message).toMatch(/extended attributes need \d+ bytes/);
              return;
            }
            const image = await save("features.img", plan);
            expectCleanExt4(image);
            const inodes = [...new Set(plan.inventory.inodeOf)];
            const commands = join(scratch, "commands");
            writeFileSync(commands, inodes.map((inode) => `ncheck ${inode}\n`).join(""));
            const { output } = run("debugfs", ["-f", commands, image]);
            for (const inode of inodes)
              if (inode !== 2) expect(output).toMatch(new RegExp(`^${inode}\\t/`, "m"));
            if (freeBytes > 3_000_000) return;
            const volume = (await openExt4(bytesSource(readFileSync(image))))!;
            let names = 0;
            for await (const entry of volume.entries()) {
              if (entry.path.length > 0 && Buffer.from(entry.path).toString() !== "lost+found") names++;
            }
            expect(names).toBe(tree.length - 1);
            expect(volume.problems).toEqual([]);
          },
        ),
        { numRuns: 8 },
      );
    },
  );

  it("directories of 1, 100, 20,000 and 500,000 entries are indexed, and there is nothing to optimise", async () => {
    for (const count of [1, 100, 20_000, 500_000]) {
      const entries = Array.from(
        { length: count },
        (_, index): Entry => ({ path: `d/ñame ${index}`, type: "fifo" }),
      );
      const plan = planExt4(treeOf(entries), { uuid });
      const image = await save("directory.img", plan);
      expectCleanExt4(image);
      const blocks = plan.inventory.blocks[1]!;
      const { output } = run("debugfs", ["-R", "stat /d", image]);
      expect(output).toMatch(blocks > 1 ? /Flags: 0x81000/ : /Flags: 0x80000/);
      const last = run("debugfs", ["-R", `stat "/d/ñame ${count - 1}"`, image]);
      expect(last.output).toContain("Type: FIFO");
    }
  }, 120_000);

  it("every flipped byte that a checksum covers is noticed", async () => {
    const holes = Array.from({ length: 30 }, (_, index) => ({ offset: index * 8192, length: 4096 }));
    const entries: Entry[] = [
      { path: "holes", type: "file", content: patterned(300_000, 1), data: holes },
      { path: "attributes", type: "file", xattrs: new Map([["user.large", new Uint8Array(2000).fill(7)]]) },
      ...Array.from(
        { length: 800 },
        (_, index): Entry => ({ path: `d/a longer name ${index}`, type: "file" }),
      ),
      { path: "linear/file", type: "file" },
    ];
    const plan = planExt4(treeOf(entries), { uuid, size: 200 << 20, features: ["orphan_file", "mmp"] });
    const image = await save("sound.img", plan);
    expectCleanExt4(image);
    const sound = readFileSync(image);
    const flipped = join(scratch, "flipped.img");
    /** Bytes to flip: from each kind of structure, those that its checksum covers. */
    const places: [string, number][] = [
      ["superblock", 1024 + 0x78],
      ["superblock", 1024 + 0x104],
    ];
    const seen = new Map<string, number>();
    for (const { what, position, length, group, row } of plan.regions()) {
      const kind = row === plan.tree.child(0, new TextEncoder().encode("d")) ? "indexed directory" : what;
      const count = seen.get(kind) ?? 0;
      seen.set(kind, count + 1);
      if (group !== undefined && group > 0) continue;
      const at = (offset: number): number => places.push([kind, position + offset]);
      if (kind === "group descriptors") [0x0c, 0x10, 0x12, 0x5c].forEach(at);
      else if (kind === "block bitmap") [3000, 4095].forEach(at);
      else if (kind === "inode bitmap") [0, 40].forEach(at);
      else if (kind === "inode table") [256 + 0x04, 256 + 0x10, 10 * 256 + 0x08, 20 * 256 + 0x90].forEach(at);
      else if (kind === "indexed directory") [0x28, 4096 + 9, 4096 + 300, length - 200].forEach(at);
      else if (kind === "directory" && count === 1) [9, 2000].forEach(at);
      else if (kind === "extent tree") [16, 40].forEach(at);
      else if (kind === "extended attributes") [40, 3000, 4000].forEach(at);
      else if (kind === "orphan file") at(4090);
      else if (kind === "multiple mount protection") at(0x14);
    }
    expect(new Set(places.map(([kind]) => kind))).toEqual(
      new Set([
        "superblock",
        "group descriptors",
        "block bitmap",
        "inode bitmap",
        "inode table",
        "directory",
        "indexed directory",
        "extent tree",
        "extended attributes",
        "orphan file",
        "multiple mount protection",
      ]),
    );
    copyFileSync(image, flipped);
    for (const [kind, position] of places) {
      const damaged = Buffer.from(sound.subarray(0, sound.length));
      damaged[position]! ^= 0x10;
      writeFileSync(flipped, damaged);
      expect(() => expectCleanExt4(flipped), `${kind} at ${position}`).toThrow();
    }
  }, 120_000);
});
