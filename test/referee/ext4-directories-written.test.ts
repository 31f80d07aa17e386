import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import { nameHasher } from "../../src/ext4/directory/hash.ts";
import {
  type BlockSize,
  type Ext4Options,
  type Ext4Plan,
  planExt4,
  writeExt4,
} from "../../src/ext4/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { expectCleanExt4 } from "../support/judges.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { saveExtents } from "../support/save.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const hashSeed = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
const scratch = scratchDirectory();

/** Names that have bytes beyond ASCII, which signed and unsigned characters hash differently. */
function manyNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `a lönger ñame ${index}`);
}

function planned(names: readonly string[], options: Partial<Ext4Options>): Ext4Plan {
  const entries = names.map((name): Entry => ({ path: `d/${name}`, type: "fifo" }));
  return planExt4(treeOf([{ path: "d", type: "directory" }, ...entries]), { uuid, hashSeed, ...options });
}

async function save(name: string, plan: Ext4Plan): Promise<string> {
  return await saveExtents(scratch, name, () => writeExt4(plan), plan.size);
}

/** What debugfs says of the directory: its blocks, and the levels of its index; none when it is linear. */
function directory(image: string, blockSize: number): { blocks: number; levels: number | undefined } {
  const { stdout } = run("debugfs", ["-R", "stat /d", image]);
  const blocks = Number(/ Size: (\d+)/.exec(stdout)![1]) / blockSize;
  const isIndexed = (Number(/Flags: (0x[0-9a-f]+)/.exec(stdout)![1]) & 0x1000) !== 0;
  if (!isIndexed) return { blocks, levels: undefined };
  const dump = run("debugfs", ["-R", "htree_dump /d", image]).stdout;
  return { blocks, levels: Number(/Indirect levels: (\d+)/.exec(dump)![1]) };
}

/** e2fsck finds nothing wrong, and no directory that it would put in another order. */
function expectNothingToOptimise(image: string): void {
  expectCleanExt4(image);
  expect(run("e2fsck", ["-fn", image]).stdout).not.toContain("Pass 3A");
}

function expectFound(image: string, names: readonly string[], sample: readonly string[]): void {
  withMount(image, "ro", (root) => {
    const at = join(root, "d");
    // Each is looked up by its hash: nothing of a new mount is in memory.
    for (const name of sample) expect(statSync(join(at, name)).isFIFO(), name).toBe(true);
    for (const name of sample.slice(0, 200)) {
      expect(statSync(join(at, `${name}.`), { throwIfNoEntry: false }), `${name}.`).toBeUndefined();
    }
    const listed = readdirSync(at);
    expect(listed.length).toBe(names.length);
    const missing = new Set(names);
    for (const name of listed) missing.delete(name);
    expect([...missing]).toEqual([]);
  });
}

describeWith(["e2fsck", "debugfs"], "directories as they are written", () => {
  it.each<[number, BlockSize, number | undefined, Partial<Ext4Options>]>([
    [0, 4096, undefined, {}],
    [1, 4096, undefined, {}],
    [100, 4096, undefined, {}],
    [100, 1024, 0, {}],
    [20_000, 4096, 0, {}],
    [20_000, 4096, 0, { nameCharacters: "unsigned" }],
    [20_000, 2048, 1, { directoryHash: "tea" }],
    [20_000, 1024, 1, { directoryHash: "legacy", nameCharacters: "unsigned" }],
    [20_000, 1024, 1, { type: "ext2" }],
    [20_000, 4096, undefined, { features: ["^dir_index"] }],
    [500_000, 4096, 1, {}],
  ])(
    "%d entries in blocks of %d have an index of level %s, with %j",
    async (count, blockSize, levels, options) => {
      const names = manyNames(count);
      const image = await save("directory.img", planned(names, { blockSize, ...options }));
      expectNothingToOptimise(image);
      expect(directory(image, blockSize).levels).toBe(levels);
      const step = Math.max(1, Math.floor(count / 20_000));
      expectFound(
        image,
        names,
        names.filter((_, index) => index % step === 0),
      );
    },
  );

  it("cannot be made any smaller by e2fsck -D", async () => {
    const short = manyNames(5000);
    const mixed = short.map((name, index) => name.padEnd(22 + ((index * 37) % 220), "x"));
    for (const names of [short, mixed]) {
      for (const blockSize of [1024, 4096] as const) {
        const image = await save("packed.img", planned(names, { blockSize, freeBytes: 8 << 20 }));
        const { blocks } = directory(image, blockSize);
        const optimised = join(scratch, "optimised.img");
        copyFileSync(image, optimised);
        expect(run("e2fsck", ["-fyD", optimised]).output).toContain("Pass 3A: Optimizing directories");
        expect(blocks).toBeLessThanOrEqual(directory(optimised, blockSize).blocks);
      }
    }
  });

  it("have a third level with large_dir, and are refused without", async () => {
    // Three names fill a block of 1 KiB, and an index of two levels has room for 123 · 126 of them.
    const names = Array.from({ length: 47_000 }, (_, index) => `${index} `.padEnd(250, "name"));
    expect(() => planned(names, { blockSize: 1024 })).toThrow(/large_dir/);
    const plan = planned(names, { blockSize: 1024, features: ["large_dir"] });
    const image = await save("large.img", plan);
    expectNothingToOptimise(image);
    expect(directory(image, 1024).levels).toBe(2);
    expectFound(
      image,
      names,
      names.filter((_, index) => index % 10 === 0),
    );
  });

  it("lead to every name of those that have the same hash, in whichever blocks they lie", async () => {
    const hash = nameHasher({ hash: "half_md4", seed: hashSeed, isSigned: true });
    const first = new Map<number, string>();
    const names = new Set<string>();
    const alike: string[] = [];
    for (let index = 0; index < 400_000; index++) {
      const name = `${index} `.padEnd(250, "x");
      const bytes = utf8(name);
      const value = hash(bytes, 0, bytes.length);
      const other = first.get(value);
      if (other === undefined) first.set(value, name);
      else
        for (const one of [other, name]) {
          names.add(one);
          alike.push(one);
        }
      if (index % 100 === 0) names.add(name);
    }
    expect(alike.length).toBeGreaterThan(40);
    const image = await save("alike.img", planned([...names], { blockSize: 1024 }));
    expectNothingToOptimise(image);
    expectFound(image, [...names], alike);
  });

  it.each<[string, Partial<Ext4Options>]>([
    ["signed names", {}],
    ["unsigned names and tea", { nameCharacters: "unsigned", directoryHash: "tea" }],
    ["ext2", { type: "ext2" }],
    ["no checksums", { features: ["^metadata_csum"] }],
  ])("of two levels are split and emptied by a kernel, with %s", async (_, options) => {
    const names = manyNames(6000);
    const plan = planned(names, { blockSize: 1024, freeBytes: 8 << 20, inodes: 16_000, ...options });
    const image = await save("worked.img", plan);
    expect(directory(image, 1024).levels).toBe(1);
    withMount(image, "", (root) => {
      const at = join(root, "d");
      for (let index = 0; index < 4000; index++) writeFileSync(join(at, `néw ${index}`), "");
      for (let index = 0; index < 6000; index += 3) rmSync(join(at, names[index]!));
      mkdirSync(join(root, "e"));
      for (let index = 1; index < 6000; index += 3) {
        renameSync(join(at, names[index]!), join(root, "e", names[index]!));
      }
      expect(readdirSync(at).length).toBe(4000 + 2000);
    });
    expectCleanExt4(image);
    withMount(image, "ro", (root) => {
      for (let index = 2; index < 6000; index += 3)
        expect(statSync(join(root, "d", names[index]!)).isFIFO()).toBe(true);
      for (let index = 1; index < 6000; index += 3)
        expect(statSync(join(root, "e", names[index]!)).isFIFO()).toBe(true);
      for (let index = 0; index < 4000; index++)
        expect(statSync(join(root, "d", `néw ${index}`)).size).toBe(0);
    });
  });
});
