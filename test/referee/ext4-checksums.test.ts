import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import { type Ext4Options, type Ext4Plan, planExt4, writeExt4 } from "../../src/ext4/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { expectCleanExt4 } from "../support/judges.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { saveExtents } from "../support/save.ts";
import { patterned } from "../support/trees.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const scratch = scratchDirectory();

/**
 * A tree that needs every structure that has a checksum: with blocks of 1 KiB its index has two levels. It fills
 * most groups: what the bitmaps say of the metadata of groups without used blocks e2fsck 1.47 sets right by
 * itself, in what mke2fs wrote as well.
 */
function everything(): Entry[] {
  const holes = Array.from({ length: 400 }, (_, index) => ({ offset: index * 8192, length: 4096 }));
  const entries: Entry[] = [
    { path: "holes", type: "file", content: patterned(400 * 8192, 1), data: holes },
    { path: "large", type: "file", content: patterned(20 << 20, 2) },
    { path: "in the inode", type: "file", xattrs: new Map([["user.short", utf8("value")]]) },
    { path: "in a block", type: "file", xattrs: new Map([["user.long", new Uint8Array(700).fill(7)]]) },
    { path: "linear/file", type: "file", content: "x" },
    { path: "symlink", type: "symlink", target: "t".repeat(100) },
  ];
  for (let index = 0; index < 6000; index++) {
    entries.push({ path: `indexed/a longer name ${index}`, type: "fifo" });
  }
  return entries;
}

/** A part of the image that a checksum covers; the checksum itself belongs to it. */
interface Covered {
  readonly kind: string;
  readonly start: number;
  readonly length: number;
}

const INODE_UNINITIALISED = 1;
const BLOCKS_UNINITIALISED = 2;

function coveredBy(plan: Ext4Plan, image: Buffer): Covered[] {
  const { blockSize, descriptorSize, inodeSize } = plan.design;
  const { geometry, inventory, tree } = plan;
  const covered: Covered[] = [{ kind: "superblock", start: 1024, length: 1024 }];
  const add = (kind: string, start: number, length: number): void =>
    void covered.push({ kind, start, length });
  const descriptors = (geometry.firstDataBlock + 1) * blockSize;
  const flags = (group: number): number => image.readUInt16LE(descriptors + group * descriptorSize + 0x12);
  const indexed = tree.child(0, utf8("indexed"))!;
  let block = 0;
  for (const { what, position, length, group, row } of plan.regions()) {
    if (what === "group descriptors" && group === 0) {
      for (let of = 0; of < geometry.groups; of++)
        add("group descriptor", position + of * descriptorSize, descriptorSize);
    } else if (what === "block bitmap" && (flags(group!) & BLOCKS_UNINITIALISED) === 0) {
      add(what, position, geometry.blocksPerGroup / 8);
    } else if (what === "inode bitmap" && (flags(group!) & INODE_UNINITIALISED) === 0) {
      add(what, position, geometry.inodesPerGroup / 8);
    } else if (what === "inode table") {
      const first = group! * geometry.inodesPerGroup + 1;
      const last = Math.min(first + geometry.inodesPerGroup - 1, inventory.lastInode);
      for (let inode = first; inode <= last; inode++) {
        add("inode", position + (inode - first) * inodeSize, inodeSize);
      }
    } else if (what === "directory" && row === indexed) {
      const [, nodes] = inventory.indexes.get(indexed)!.widths;
      for (let start = position; start < position + length; start += blockSize, block++) {
        if (block > nodes!) add("leaf of an index", start, blockSize);
        else addNode(block === 0 ? "root of an index" : "node of an index", start, block === 0 ? 32 : 8);
      }
    } else if (what === "directory") {
      for (let at = 0; at < length; at += blockSize) add("directory", position + at, blockSize);
    } else if (["extent tree", "extended attributes", "orphan file"].includes(what)) {
      for (let at = 0; at < length; at += blockSize) add(what, position + at, blockSize);
    } else if (what === "multiple mount protection") {
      add(what, position, 1024);
    }
  }
  return covered;

  /** Entries that are not there are not covered, and the checksum lies behind them. */
  function addNode(kind: string, start: number, entriesAt: number): void {
    const limit = image.readUInt16LE(start + entriesAt);
    const count = image.readUInt16LE(start + entriesAt + 2);
    add(kind, start, entriesAt + count * 8);
    add(kind, start + entriesAt + limit * 8 + 4, 4);
  }
}

/** Changes one byte of a file for as long as `look` looks at it. */
function withFlipped(path: string, sound: Buffer, position: number, bits: number, look: () => void): void {
  const put = (byte: number): void => {
    const file = openSync(path, "r+");
    writeSync(file, Uint8Array.of(byte), 0, 1, position);
    closeSync(file);
  };
  put(sound[position]! ^ bits);
  try {
    look();
  } finally {
    put(sound[position]!);
  }
}

/** What e2fsck prints beyond its passes and its summary. */
function complaints(path: string, ...options: readonly string[]): string[] {
  const { status, stdout, stderr } = run("e2fsck", ["-fn", ...options, path]);
  const lines = stdout.split("\n").filter((line) => !/^$|^Pass \d[A-Z]?: |: \d+\/\d+ files /.test(line));
  lines.push(...stderr.split("\n").filter((line) => !/^$|^e2fsck \d/.test(line)));
  return status === 0 ? lines : [`exit ${status}`, ...lines];
}

const SAMPLES = 14;

async function make(options: Partial<Ext4Options>): Promise<{ plan: Ext4Plan; path: string; sound: Buffer }> {
  const plan = planExt4(treeOf(everything()), { uuid, freeBytes: 4 << 20, ...options });
  const path = await saveExtents(scratch, "flipped.img", () => writeExt4(plan), plan.size);
  expectCleanExt4(path);
  return { plan, path, sound: readFileSync(path) };
}

describeWith(["e2fsck"], "checksums of ext4 before e2fsck", () => {
  it.each<[string, Partial<Ext4Options>]>([
    ["blocks of 1 KiB", { blockSize: 1024, features: ["orphan_file", "mmp"] }],
    [
      "a stored seed and no flex_bg",
      { blockSize: 1024, features: ["metadata_csum_seed", "mmp", "orphan_file", "^flex_bg"] },
    ],
    [
      "narrow descriptors and inodes of 512 bytes",
      { blockSize: 1024, inodeSize: 512, features: ["^64bit", "mmp", "orphan_file"] },
    ],
  ])("with %s: any byte that one covers is missed when it is another", async (_, options) => {
    const { plan, path, sound } = await make(options);
    const kinds = new Map<string, Covered[]>();
    for (const part of coveredBy(plan, sound)) kinds.set(part.kind, [...(kinds.get(part.kind) ?? []), part]);
    expect([...kinds.keys()].sort()).toEqual([
      "block bitmap",
      "directory",
      "extended attributes",
      "extent tree",
      "group descriptor",
      "inode",
      "inode bitmap",
      "leaf of an index",
      "multiple mount protection",
      "node of an index",
      "orphan file",
      "root of an index",
      "superblock",
    ]);
    const unnoticed: string[] = [];
    for (const [kind, parts] of kinds) {
      for (let sample = 0; sample < SAMPLES; sample++) {
        const { start, length } = parts[(sample * 7919) % parts.length]!;
        const position = start + ((sample * 104_729 + 17) % length);
        withFlipped(path, sound, position, 1 << (sample % 8), () => {
          if (!complaints(path).length)
            unnoticed.push(`${kind}: byte ${position - start} of the one at ${start}`);
        });
      }
    }
    expect(unnoticed).toEqual([]);
    expectCleanExt4(path);
  });

  it("a byte that means nothing is missed by its checksum alone", async () => {
    const { plan, path, sound } = await make({ blockSize: 1024, features: ["mmp"] });
    const parts = coveredBy(plan, sound);
    const inTree = (name: string): number => plan.inventory.inodeOf[plan.tree.child(0, utf8(name))!]!;
    const inode = (number: number): number => parts.filter(({ kind }) => kind === "inode")[number - 1]!.start;
    const first = (wanted: string): number => parts.find(({ kind }) => kind === wanted)!.start;
    const places: [string, number, RegExp][] = [
      ["the label", 1024 + 0x78, /Superblock checksum does not match/i],
      ["the reserved end of a descriptor", first("group descriptor") + 0x3c, /checksum/],
      ["the nanoseconds of a file", inode(inTree("holes")) + 0x88, /checksum does not match/],
      ["the value of an attribute in the inode", inode(inTree("in the inode")) + 255, /checksum/],
      ["the value of an attribute in a block", first("extended attributes") + 1000, /checksum/],
      ["a spare slot of an extent tree", first("extent tree") + 1000, /checksum/],
      ["the host that mounted it", first("multiple mount protection") + 0x10, /checksum|MMP/],
    ];
    for (const [what, position, message] of places) {
      withFlipped(path, sound, position, 1, () => expect(complaints(path).join("\n"), what).toMatch(message));
    }
  });

  it("the copies of the superblock have checksums of their own, those of the descriptors are equal", async () => {
    const { plan, path, sound } = await make({ blockSize: 1024 });
    const backups = [...plan.regions()].filter(({ what, group }) => what === "superblock" && group! > 0);
    expect(backups.map(({ group }) => group)).toEqual([1, 3]);
    for (const { position } of backups) {
      const from = ["-b", String(position / 1024), "-B", "1024"];
      // e2fsck that starts from a copy reads bitmaps that nobody wrote, so it always complains of some.
      expect(complaints(path, ...from).join("\n")).not.toMatch(/Superblock|Group descriptor|exit 8/);
      for (const at of [0x78, 0x10c, 0x3ff]) {
        withFlipped(path, sound, position + at, 4, () => {
          expect(complaints(path, ...from).join("\n")).toMatch(/Superblock checksum does not match|exit 8/);
        });
      }
      const descriptors = (at: number): Buffer =>
        sound.subarray(at + 1024, at + 1024 + plan.geometry.groups * 64);
      expect(descriptors(position).equals(descriptors(1024))).toBe(true);
    }
  });

  it("without metadata_csum, uninit_bg covers the descriptors", async () => {
    const { plan, path, sound } = await make({ blockSize: 1024, features: ["^metadata_csum", "uninit_bg"] });
    const { descriptorSize } = plan.design;
    for (let at = 0; at < plan.geometry.groups * descriptorSize; at += 5) {
      withFlipped(path, sound, 2048 + at, 2, () => {
        expect(complaints(path).join("\n"), `byte ${at}`).toMatch(/[Gg]roup descriptor/);
      });
    }
  });
});
