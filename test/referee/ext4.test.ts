import { closeSync, openSync, truncateSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { parseSize } from "../../src/bytes/index.ts";
import {
  type BlockSize,
  type Ext4Options,
  type Ext4Type,
  planExt4,
  writeExt4,
} from "../../src/ext4/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { expectCleanExt4 } from "../support/judges.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { saveExtents } from "../support/save.ts";
import { anyTree, patterned } from "../support/trees.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const scratch = scratchDirectory();

/** Writes a filesystem of `entries` and returns its path. */
async function make(
  name: string,
  entries: readonly Entry[],
  options: Partial<Ext4Options> = {},
): Promise<string> {
  const plan = planExt4(treeOf(entries), { uuid, ...options });
  return await saveExtents(scratch, name, () => writeExt4(plan), plan.size);
}

/** The fields of `dumpe2fs -h`, by name. */
function header(path: string): Map<string, string> {
  const lines = run("dumpe2fs", ["-h", path]).stdout.split("\n");
  return new Map(
    lines.map((line): [string, string] => [line.split(":")[0]!, line.slice(line.indexOf(":") + 1).trim()]),
  );
}

describeWith(["e2fsck", "dumpe2fs", "debugfs", "resize2fs", "mke2fs"], "ext4 before e2fsprogs", () => {
  it("random trees in every block size are clean", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyTree,
        fc.constantFrom<BlockSize>(1024, 2048, 4096),
        fc.constantFrom(0, 100_000, 30_000_000),
        fc.constantFrom(undefined, 1_700_000_000),
        async (entries, blockSize, freeBytes, time) => {
          expectCleanExt4(await make("random.img", entries, { blockSize, freeBytes, time }));
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each<[string, Partial<Ext4Options>]>([
    ["the smallest", {}],
    ["8 MiB", { size: 8 << 20 }],
    ["one group and one block", { size: 32769 * 4096 }],
    ["one group and two blocks", { size: 32770 * 4096 }],
    ["one group and three blocks", { size: 32771 * 4096 }],
    ["256 MiB", { size: 256 << 20 }],
    ["600 MiB", { size: 600 << 20 }],
    ["17 groups, the last of them short", { size: (16 * 32768 + 40) * 4096 }],
    ["4 GiB, 1 KiB blocks", { size: 2 ** 32, blockSize: 1024 }],
    ["100 GiB", { size: 100 * 2 ** 30 }],
    ["15 TiB", { size: 15 * 2 ** 40, inodes: 100_000 }],
  ])("an empty filesystem of %s is clean", async (_, options) => {
    expectCleanExt4(await make("empty.img", [], options));
  });

  // What mke2fs says of the same filesystem. Fields that differ on purpose are left out where they do:
  // a filesystem of one group has more reserved descriptors here, so that it can grow to 1 TiB.
  it.each<[string, string[]]>([
    ["8M", []],
    ["64M", []],
    ["256M", []],
    ["512M", []],
    ["600M", []],
    ["2G", []],
    ["16G", []],
    ["100G", []],
    ["1T", []],
    ["512M", ["-t", "ext2"]],
    ["2G", ["-t", "ext3"]],
    ["600M", ["-O", "orphan_file,metadata_csum_seed"]],
    ["600M", ["-O", "^metadata_csum,uninit_bg"]],
    ["600M", ["-O", "^flex_bg"]],
    ["600M", ["-O", "^sparse_super,^resize_inode"]],
    ["600M", ["-O", "sparse_super2"]],
    ["600M", ["-O", "meta_bg,^resize_inode"]],
    ["600M", ["-O", "mmp,fast_commit,large_dir,ea_inode"]],
    ["600M", ["-O", "^has_journal,encrypt,casefold,verity,stable_inodes,project"]],
    ["600M", ["-O", "quota,project"]],
    ["600M", ["-O", "^extent,^64bit,^resize_inode,^large_file"]],
    ["300M", ["-b", "1024"]],
    ["300M", ["-b", "2048"]],
    ["300M", ["-I", "128"]],
    ["300M", ["-I", "512"]],
    ["300M", ["-i", "65536"]],
    ["300M", ["-m", "1"]],
  ])("an empty filesystem of %s is what mke2fs %j makes", async (size, flags) => {
    const flag = (name: string): string | undefined =>
      flags.includes(name) ? flags[flags.indexOf(name) + 1] : undefined;
    const numberOf = (name: string): number | undefined =>
      flag(name) === undefined ? undefined : Number(flag(name));
    const bytes = parseSize(size);
    const theirs = join(scratch, "theirs.img");
    closeSync(openSync(theirs, "w"));
    truncateSync(theirs, bytes);
    const hashSeed = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
    const type = flag("-t") === undefined ? ["-t", "ext4"] : [];
    const common = ["-q", "-F", ...type, "-b", "4096", "-U", uuid, "-E", `hash_seed=${hashSeed}`];
    expect(run("mke2fs", [...common, ...flags, theirs]).status).toBe(0);
    const ours = await make("ours.img", [], {
      size: bytes,
      hashSeed,
      type: flag("-t") as Ext4Type | undefined,
      features: flag("-O")?.split(","),
      blockSize: numberOf("-b") as BlockSize | undefined,
      inodeSize: numberOf("-I"),
      bytesPerInode: numberOf("-i"),
      reservedPercent: numberOf("-m"),
    });
    expectCleanExt4(ours);
    const [own, other] = [header(ours), header(theirs)];
    const isSingleGroup = !own.has("Reserved GDT blocks") || Number(own.get("Block count")) <= 32768;
    const differing = [...new Set([...own.keys(), ...other.keys()])].filter(
      (name) =>
        own.get(name) !== other.get(name) &&
        !/created|time|checked|writes|hecksum|MMP|mmp_|Journal (start|sequence)|Filesystem state/.test(
          name,
        ) &&
        !(isSingleGroup && /^(Reserved GDT blocks|Free blocks|Overhead)/.test(name)),
    );
    expect(differing.map((name) => `${name}: ${own.get(name)}, mke2fs ${other.get(name)}`)).toEqual([]);
  });

  it.each([["quota"], ["quota,project,orphan_file"], ["quota,^extent,^64bit"], ["quota,^metadata_csum"]])(
    "%s: e2fsck finds the usage of every owner as it is told",
    async (features) => {
      const entries = Array.from(
        { length: 400 },
        (_, index): Entry => ({
          path: `d${index % 7}/${index}`,
          type: "file",
          content: patterned(index * 300, index),
          uid: (index * index) % 97,
          gid: index % 3 === 0 ? 4_294_967_294 - (index % 5) : index * 70_000,
        }),
      );
      entries.push({ path: "big", type: "file", content: patterned(30_000_000, 1), uid: 4711 });
      for (const rootOwner of [undefined, { uid: 12, gid: 34 }]) {
        const options = { features: features.split(","), freeBytes: 9_000_000, rootOwner };
        expectCleanExt4(await make("quota.img", entries, options));
      }
    },
  );

  it("its labels, identifiers and times are what was asked for", async () => {
    const hashSeed = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
    const fields = header(
      await make("named.img", [], {
        size: 8 << 20,
        label: "größe",
        hashSeed,
        time: 1_700_000_000,
        reservedPercent: 1,
      }),
    );
    expect(fields.get("Filesystem volume name")).toBe("größe");
    expect(fields.get("Filesystem UUID")).toBe(uuid);
    expect(fields.get("Directory Hash Seed")).toBe(hashSeed);
    expect(fields.get("Filesystem created")).toBe("Tue Nov 14 22:13:20 2023");
    expect(fields.get("Reserved block count")).toBe("20");
  });

  it("many tiny files, one huge directory and one huge file are clean", async () => {
    const tiny = Array.from(
      { length: 40_000 },
      (_, index): Entry => ({ path: `${index % 50}/${index}`, type: "file", content: index % 2 ? "1" : "" }),
    );
    expectCleanExt4(await make("tiny.img", tiny));
    const flat = Array.from(
      { length: 30_000 },
      (_, index): Entry => ({ path: `flat/a name that is rather long ${index}`, type: "file" }),
    );
    expectCleanExt4(await make("flat.img", flat));
    const subdirectories = Array.from(
      { length: 65_100 },
      (_, index): Entry => ({ path: `wide/${index}`, type: "directory" }),
    );
    const wide = await make("wide.img", subdirectories);
    expectCleanExt4(wide);
    expect(run("debugfs", ["-R", "stat /wide", wide]).stdout).toMatch(/Links: 1 /);
  });

  it("an extent tree of every depth is clean, and debugfs reads through it", async () => {
    const holes = (count: number): Entry => {
      const data = Array.from({ length: count }, (_, index) => ({ offset: index * 16384, length: 5000 }));
      return { path: `holes ${count}`, type: "file", content: patterned(count * 16384, count), data };
    };
    const image = await make("deep.img", [
      holes(4),
      holes(5),
      holes(340),
      holes(341),
      holes(1360),
      holes(1361),
      holes(5000),
    ]);
    expectCleanExt4(image);
    expect(run("debugfs", ["-R", 'dump_extents "/holes 1360"', image]).stdout).toMatch(/ 1\/ 1 +1\/340 /);
    expect(run("debugfs", ["-R", 'dump_extents "/holes 1361"', image]).stdout).toMatch(/ 2\/ 2 +1\/340 /);
  });

  it("a file with the most links is clean, and one more is refused", async () => {
    const links = (count: number): Entry[] => [
      { path: "0", type: "file", content: "linked" },
      ...Array.from(
        { length: count - 1 },
        (_, index): Entry => ({ path: `d/${index}`, type: "hardlink", target: "0" }),
      ),
    ];
    expectCleanExt4(await make("links.img", links(65_000)));
    await expect(make("links.img", links(65_001))).rejects.toThrow(
      /\/0: 65001 hard links, the limit is 65000/,
    );
  });

  it("resize2fs makes it larger and smaller, and it stays clean", async () => {
    const entries = Array.from(
      { length: 200 },
      (_, index): Entry => ({
        path: `d${index % 7}/${index}`,
        type: "file",
        content: patterned(index * 400, index),
      }),
    );
    for (const target of ["300M", "2G"]) {
      const image = await make("grown.img", entries, { size: 200 << 20 });
      expect(run("resize2fs", [image, target]).status).toBe(0);
      expectCleanExt4(image);
      expect(run("resize2fs", ["-M", image]).status).toBe(0);
      expectCleanExt4(image);
    }
  });
});
