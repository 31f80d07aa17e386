import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseSize } from "../../src/bytes/index.ts";
import { type Ext4Options, planExt4, writeExt4 } from "../../src/ext4/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { expectCleanExt4 } from "../support/judges.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { saveExtents } from "../support/save.ts";
import { patterned, patternedBytes } from "../support/trees.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const scratch = scratchDirectory();

const MTIMES = [-1n, 0n, 2n ** 31n, 2n ** 32n + 5n, 10_000_000_000n].map(
  (s) => s * 1_000_000_000n + 123_456_789n,
);

/** A tree with everything that a kernel shows: small and large files, holes, links, an indexed directory. */
function everything(): Entry[] {
  const entries: Entry[] = [
    { path: "", type: "directory", mode: 0o751, uid: 12, gid: 34, mtime: 1_234_567_890_987_654_321n },
    { path: "large", type: "file", content: patterned(3_000_000, 7), mode: 0o4755 },
    { path: "link", type: "symlink", target: "large" },
    { path: "long link", type: "symlink", target: "x/".repeat(300) },
    { path: "second name", type: "hardlink", target: "large" },
    { path: "second link", type: "hardlink", target: "link" },
    { path: "fifo", type: "fifo" },
    { path: "device", type: "block", device: { major: 259, minor: 70_000 } },
    {
      path: "holes",
      type: "file",
      content: patterned(5_000_000, 3),
      data: [8, 100, 700, 701, 1100].map((block) => ({ offset: block * 4096, length: 4096 })),
    },
  ];
  for (let index = 0; index < 60; index++) {
    const mtime = MTIMES[index % MTIMES.length]!;
    entries.push({
      path: `d/${index}`,
      type: "file",
      content: patterned(index * 321, index),
      uid: index * 70_000,
      mtime,
    });
  }
  for (let index = 0; index < 1500; index++) entries.push({ path: `many/näme ${index}`, type: "file" });
  return entries;
}

async function make(name: string, entries: readonly Entry[], options: Partial<Ext4Options>): Promise<string> {
  const plan = planExt4(treeOf(entries), { uuid, ...options });
  return await saveExtents(scratch, name, writeExt4(plan), plan.size);
}

/** What a kernel says of everything below a directory, by path. */
function listing(directory: string): string[] {
  const lines: string[] = [];
  const visit = (path: string): void => {
    const full = join(directory, path);
    const status = lstatSync(full, { bigint: true });
    const { mode, uid, gid, nlink, mtimeNs, rdev, size } = status;
    const content = status.isFile()
      ? createHash("sha256").update(readFileSync(full)).digest("hex")
      : status.isSymbolicLink()
        ? readlinkSync(full)
        : "";
    lines.push(
      `${path} ${mode} ${uid}:${gid} ${nlink} ${mtimeNs} ${rdev} ${status.isDirectory() ? "" : size} ${content}`,
    );
    if (status.isDirectory())
      for (const name of readdirSync(full)) if (name !== "lost+found") visit(`${path}/${name}`);
  };
  visit("");
  return lines.sort();
}

const SETS: [string, Partial<Ext4Options>][] = [
  ["the default features", {}],
  ["ext2", { type: "ext2" }],
  ["ext3 with blocks of 1 KiB", { type: "ext3", blockSize: 1024 }],
  ["no checksums", { features: ["^metadata_csum"] }],
  ["no flex_bg and blocks of 2 KiB", { features: ["^flex_bg"], blockSize: 2048 }],
  ["orphan file and stored seed", { features: ["orphan_file", "metadata_csum_seed"] }],
  ["meta_bg", { features: ["meta_bg", "^resize_inode"] }],
  ["sparse_super2", { features: ["sparse_super2"] }],
  ["mmp, fast_commit and large_dir", { features: ["mmp", "fast_commit", "large_dir"] }],
  ["inodes of 1024 bytes", { inodeSize: 1024 }],
  ["unsigned names and tea", { nameCharacters: "unsigned", directoryHash: "tea" }],
];

describeWith(["e2fsck", "debugfs", "resize2fs"], "ext4 before a kernel", () => {
  it.each(SETS)("with %s: shows the tree, and stays clean when it is worked on", async (_, options) => {
    const image = await make("mounted.img", everything(), {
      ...options,
      freeBytes: 12_000_000,
      inodes: 6000,
    });
    expectCleanExt4(image);
    withMount(image, "", (root) => {
      const status = lstatSync(root, { bigint: true });
      expect([status.mode & 0o7777n, status.uid, status.gid, status.mtimeNs]).toEqual([
        0o751n,
        12n,
        34n,
        1_234_567_890_987_654_321n,
      ]);
      expect(statSync(join(root, "large")).nlink).toBe(2);
      expect(lstatSync(join(root, "link")).nlink).toBe(2);
      expect(lstatSync(join(root, "device")).rdev).not.toBe(0);
      expect(lstatSync(join(root, "holes")).blocks * 512).toBeLessThan(100_000);
      expect(Buffer.compare(readFileSync(join(root, "large")), patternedBytes(3_000_000, 7))).toBe(0);
      for (let index = 0; index < 60; index++) {
        const file = join(root, "d", String(index));
        expect(Buffer.compare(readFileSync(file), patternedBytes(index * 321, index))).toBe(0);
        expect(lstatSync(file, { bigint: true }).mtimeNs).toBe(MTIMES[index % MTIMES.length]);
        expect(lstatSync(file).uid).toBe(index * 70_000);
      }
      for (let index = 0; index < 1500; index++)
        expect(statSync(join(root, "many", `näme ${index}`)).size).toBe(0);

      // The work: the index grows and shrinks, blocks are taken and given back.
      for (let index = 0; index < 3000; index++) writeFileSync(join(root, "many", `further ${index}`), "");
      for (let index = 0; index < 1500; index += 2) rmSync(join(root, "many", `näme ${index}`));
      for (let index = 0; index < 300; index++) {
        renameSync(join(root, "many", `further ${index}`), join(root, `moved ${index}`));
      }
      appendFileSync(join(root, "large"), patternedBytes(1_000_000, 9));
      truncateSync(join(root, "holes"), 2_000_000);
      mkdirSync(join(root, "new/er/est"), { recursive: true });
      writeFileSync(join(root, "new/er/file"), patternedBytes(700_000, 4));
      rmdirSync(join(root, "new/er/est"));
      rmSync(join(root, "d"), { recursive: true });
    });
    expectCleanExt4(image);
  });

  it.each<[string, string, Partial<Ext4Options>]>([
    ["4M", "of one group without a journal", {}],
    ["16M", "of one group", {}],
    ["100M", "of one group", {}],
    ["200M", "of two groups", {}],
    ["200M", "of ext3", { type: "ext3" }],
    ["60M", "with blocks of 1 KiB", { blockSize: 1024 }],
    ["200M", "with meta_bg", { features: ["meta_bg", "^resize_inode"] }],
    ["100M", "without resize_inode", { features: ["^resize_inode"] }],
  ])(
    "%s %s: resize2fs doubles it, makes it sixteen times as large, and shrinks it",
    async (size, _, options) => {
      const bytes = parseSize(size);
      const entries = Array.from(
        { length: 150 },
        (__, index): Entry => ({
          path: `d${index % 7}/${index}`,
          type: "file",
          content: patterned(index * 70, index),
        }),
      );
      const image = await make("grown.img", entries, { size: bytes, ...options });
      let before: string[] = [];
      withMount(image, "ro,noload", (root) => {
        before = listing(root);
      });
      for (const target of [`${(2 * bytes) / 1024}K`, `${(16 * bytes) / 1024}K`, "-M"]) {
        const { status, output } = run("resize2fs", target === "-M" ? ["-M", image] : [image, target]);
        expect(output).not.toMatch(/Illegal|corrupt/);
        expect(status).toBe(0);
        expectCleanExt4(image);
        withMount(image, "ro,noload", (root) => expect(listing(root)).toEqual(before));
      }
    },
  );

  it.each(["100G", "1000G"])("a filesystem of one group grows to %s and stays whole", async (target) => {
    const entries: Entry[] = [{ path: "file", type: "file", content: patterned(100_000, 1) }];
    const image = await make("far.img", entries, { size: 64 << 20 });
    expect(run("resize2fs", [image, target]).status).toBe(0);
    expectCleanExt4(image);
    const dumped = spawnSync("debugfs", ["-R", "cat /file", image], { maxBuffer: 1 << 20 }).stdout;
    expect(Buffer.compare(dumped, patternedBytes(100_000, 1))).toBe(0);
    rmSync(image);
  });
});
