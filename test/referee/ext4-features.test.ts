import { readFileSync, writeFileSync } from "node:fs";
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
import { treeOf } from "../../src/tree/index.ts";
import { expectCleanExt4 } from "../support/judges.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { saveExtents } from "../support/save.ts";
import { anyRichTree } from "../support/trees.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const scratch = scratchDirectory();

async function save(name: string, plan: Ext4Plan): Promise<string> {
  return await saveExtents(scratch, name, () => writeExt4(plan), plan.size);
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

describeWith(["e2fsck", "debugfs"], "ext4 with features of every kind, before e2fsprogs", () => {
  it.each(SETS.map((options): [string, Partial<Ext4Options>] => [JSON.stringify(options), options]))(
    "random trees with %s are clean, and debugfs finds every entry",
    async (_, options) => {
      await fc.assert(
        fc.asyncProperty(
          anyRichTree(400),
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
});
