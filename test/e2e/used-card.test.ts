import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { MAIN } from "../support/cli.ts";
import { copyPart, expectCleanExt4, expectCleanFat, expectCleanGpt } from "../support/judges.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

// An image is copied by its block map to a card that held another system: every byte that the map leaves out keeps
// what the card had. The zeros that count must be in the map, or the old bytes come back as free clusters that are
// taken, as entries of directories, as content of holes, or as a journal that the kernel replays.

const scratch = scratchDirectory();
const at = (name: string): string => join(scratch, name);
const tree = at("tree");
const OLD = 0xaa;
const MIB = 2 ** 20;

beforeAll(() => {
  mkdirSync(join(tree, "boot/loader"), { recursive: true });
  mkdirSync(join(tree, "many"));
  writeFileSync(join(tree, "boot/kernel"), Buffer.alloc(70_001, "kernel "));
  writeFileSync(join(tree, "boot/loader/entry"), "title box\n");
  writeFileSync(join(tree, "boot/env"), "start");
  truncateSync(join(tree, "boot/env"), 300_000);
  writeFileSync(join(tree, "hole"), "start");
  truncateSync(join(tree, "hole"), 2 * MIB);
  writeFileSync(join(tree, "zeros"), Buffer.alloc(65_536));
  for (let index = 0; index < 200; index++) writeFileSync(join(tree, `many/${index}`), `${index}\n`);
});

function done(args: readonly string[]): void {
  const { status, stderr } = run(process.execPath, [MAIN, ...args, "-q"]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
}

/** A card of some size that is full of the bytes of an older system. */
function usedCard(size: number): string {
  const card = at("card");
  const descriptor = openSync(card, "w");
  const old = Buffer.alloc(MIB, OLD);
  for (let written = 0; written < size; written += MIB) {
    writeSync(descriptor, old, 0, Math.min(MIB, size - written), written);
  }
  closeSync(descriptor);
  return card;
}

/** Copies an image to a used card, as bmaptool does it; the card is a block device while that is done. */
function flashed(imagePath: string, map: string): string {
  const card = usedCard(statSync(imagePath).size);
  const device = run("losetup", ["--find", "--show", card]).stdout.trim();
  expect(device).toMatch(/^\/dev\/loop/);
  try {
    const { status, output } = run("bmaptool", ["copy", "--bmap", map, imagePath, device]);
    expect(output).not.toMatch(/error/i);
    expect(status).toBe(0);
  } finally {
    expect(run("losetup", ["--detach", device]).output).toBe("");
  }
  return card;
}

function expectSameFiles(mountPoint: string, source: string): void {
  for (const name of readdirSync(source, { recursive: true }) as string[]) {
    if (!statSync(join(source, name)).isFile()) continue;
    expect(Buffer.compare(readFileSync(join(mountPoint, name)), readFileSync(join(source, name)))).toBe(0);
  }
}

/** A kernel uses the filesystem and loses power: what it left must be recovered, with every file of the image. */
function expectSurvivesPowerCut(card: string): void {
  const cut = at("cut");
  withMount(card, "rw", (mountPoint) => {
    expectSameFiles(mountPoint, tree);
    for (let index = 0; index < 100; index++) {
      mkdirSync(join(mountPoint, `new-${index}`));
      writeFileSync(join(mountPoint, `new-${index}/file`), `${index}`);
      if (index % 20 === 0) run("sync", ["--file-system", mountPoint]);
    }
    run("sync", ["--file-system", mountPoint]);
    rmSync(join(mountPoint, "many/7"));
    copyFileSync(card, cut);
  });
  withMount(cut, "rw", (mountPoint) => {
    expect(readFileSync(join(mountPoint, "new-99/file"), "utf8")).toBe("99");
    for (const name of ["boot/kernel", "hole", "zeros", "many/8"]) {
      expect(Buffer.compare(readFileSync(join(mountPoint, name)), readFileSync(join(tree, name)))).toBe(0);
    }
  });
  expectCleanExt4(card);
}

const programs = ["bmaptool", "losetup", "e2fsck", "mount"];

describeWith(programs, "ext4 on a used card", () => {
  it.each([
    ["ext2, one group", ["--type", "ext2", "--size", "8M"]],
    ["ext2, blocks of 1 KiB", ["--type", "ext2", "--size", "40M", "--block-size", "1024"]],
    ["ext3", ["--type", "ext3", "--size", "100M"]],
    ["ext4, smallest", ["--additional-space", "2M", "--inodes", "600"]],
    ["ext4, one group with a journal", ["--size", "12M", "--features", "has_journal"]],
    ["ext4, three groups", ["--size", "300M"]],
    ["without metadata_csum", ["--size", "300M", "--features", "^metadata_csum"]],
    ["uninit_bg", ["--size", "300M", "--features", "^metadata_csum,uninit_bg"]],
    ["without flex_bg", ["--size", "300M", "--features", "^flex_bg"]],
    [
      "meta_bg, orphan_file, fast_commit",
      ["--size", "200M", "--features", "meta_bg,^resize_inode,orphan_file,fast_commit"],
    ],
  ])("%s: is sound, survives a power cut, and has its content", (_, options) => {
    done(["mkfs", "ext4", tree, "--owner", "0:0", ...options, "-o", at("fs.img"), "-o", at("fs.bmap")]);
    const card = flashed(at("fs.img"), at("fs.bmap"));
    expectCleanExt4(card);
    expectSurvivesPowerCut(card);
  });
});

describeWith([...programs, "fsck.fat", "mcopy"], "FAT on a used card", () => {
  it.each(["12", "16", "32"])("FAT%s: is sound and has its content", (bits) => {
    const size = { 12: "4M", 16: "20M", 32: "40M" }[bits]!;
    const source = join(tree, "boot");
    done(["mkfs", "fat", source, "--bits", bits, "--size", size, "-o", at("fat.img"), "-o", at("fat.bmap")]);
    const card = flashed(at("fat.img"), at("fat.bmap"));
    expectCleanFat(card);
    mkdirSync(at(`fat-${bits}`));
    expect(run("mcopy", ["-s", "-n", "-i", card, "::/", at(`fat-${bits}`)]).output).toBe("");
    expectSameFiles(at(`fat-${bits}`), source);
  });
});

describeWith([...programs, "sgdisk", "parted", "fsck.fat"], "a whole disk on a used card", () => {
  it("is sound in its table and in both filesystems, by the map of build and by that of convert", async () => {
    done([
      "build",
      "--root",
      tree,
      "--owner",
      "0:0",
      "--layout",
      "efi",
      "--boot-size",
      "45M",
      "--additional-space",
      "20M",
      "-o",
      at("disk.img"),
      "-o",
      at("disk.bmap"),
      "-o",
      at("disk.qcow2"),
    ]);
    done(["convert", at("disk.qcow2"), `bmap:${at("converted.bmap")}`]);
    for (const map of [at("disk.bmap"), at("converted.bmap")]) {
      const card = flashed(at("disk.img"), map);
      expectCleanGpt(card);
      const { partitions } = JSON.parse(
        run(process.execPath, [MAIN, "inspect", card, "--json"]).stdout,
      ).table;
      const [esp, root] = partitions as { offset: number; size: number }[];
      await copyPart(card, esp!.offset, esp!.size, at("esp"));
      await copyPart(card, root!.offset, root!.size, at("root"));
      expectCleanFat(at("esp"));
      expectCleanExt4(at("root"));
    }
  });
});

describeWith(["bmaptool"], "zeros that are stored in a raw image", () => {
  it("give the program that makes a map of the file the same map, and change no byte", () => {
    const make = (zeros: string): string => {
      const path = at(`${zeros}.img`);
      done([
        "mkfs",
        "ext4",
        tree,
        "--owner",
        "0:0",
        "--size",
        "300M",
        "--zeros",
        zeros,
        "-o",
        path,
        "-o",
        at("own.bmap"),
      ]);
      return path;
    };
    const [holes, stored] = [make("holes"), make("stored")];
    expect(run("cmp", [holes, stored]).output).toBe("");
    const ranges = (path: string): string[] =>
      readFileSync(path, "utf8").match(/> \d+(-\d+)? <\/Range>/g) ?? [];
    expect(run("bmaptool", ["create", stored, "-o", at("theirs.bmap")]).status).toBe(0);
    expect(ranges(at("theirs.bmap"))).toEqual(ranges(at("own.bmap")));
    run("bmaptool", ["create", holes, "-o", at("theirs.bmap")]);
    expect(ranges(at("theirs.bmap"))).not.toEqual(ranges(at("own.bmap")));
  });

  it("are of no use without a raw image", () => {
    const { stderr } = run(process.execPath, [
      MAIN,
      "mkfs",
      "ext4",
      tree,
      "--zeros",
      "stored",
      "-q",
      "-o",
      at("x.qcow2"),
    ]);
    expect(stderr).toMatch(/--zeros stored is of no use/);
  });
});

describeWith(
  ["mke2fs", "debugfs", "mkfs.fat", "mcopy", "fsck.fat", ...programs],
  "a filesystem of another program",
  () => {
    it.each([
      ["ext4", ["-t", "ext4"]],
      ["ext4 without checksums", ["-t", "ext4", "-O", "^metadata_csum"]],
      ["uninit_bg", ["-t", "ext4", "-O", "^metadata_csum,uninit_bg"]],
      ["meta_bg", ["-t", "ext4", "-O", "^resize_inode,meta_bg", "-b", "1024"]],
      ["bigalloc", ["-t", "ext4", "-O", "bigalloc"]],
      ["ext2", ["-t", "ext2"]],
    ])("%s: keeps the zeros that it stores", (_, options) => {
      const path = at("theirs.img");
      rmSync(path, { force: true });
      expect(run("mke2fs", ["-q", "-F", "-d", tree, ...options, path, "200M"]).status).toBe(0);
      done(["convert", "--from", "raw", path, `bmap:${at("theirs.bmap")}`]);
      const card = flashed(path, at("theirs.bmap"));
      expectCleanExt4(card);
      withMount(card, "ro", (mountPoint) => expectSameFiles(mountPoint, tree));
      // Not everything is mapped: what the bitmaps call free is left out.
      const [, mapped] = /<MappedBlocksCount> (\d+)/.exec(readFileSync(at("theirs.bmap"), "utf8"))!;
      const all = (200 * MIB) / 4096;
      expect(Number(mapped) < all).toBe(!options.includes("bigalloc"));
    });

    it("FAT of mkfs.fat: keeps the free entries of its tables", () => {
      const path = at("theirs.fat");
      writeFileSync(path, "");
      truncateSync(path, 64 * MIB);
      run("mkfs.fat", ["-F32", path]);
      expect(run("mcopy", ["-s", "-i", path, join(tree, "many"), "::/"]).output).toBe("");
      done(["convert", "--from", "raw", path, `bmap:${at("theirs.bmap")}`]);
      const card = flashed(path, at("theirs.bmap"));
      expectCleanFat(card);
      expect(run("mdir", ["-i", card, "::/many"]).output).toMatch(/202 files/);
    });
  },
);

describe("the journal", () => {
  it("starts at a sequence number that follows from the identity", () => {
    const sequence = (seed: string): string => {
      const path = at("sequence.img");
      done(["mkfs", "ext4", tree, "--owner", "0:0", "--size", "64M", "--seed", seed, "-o", path]);
      return /^Journal sequence: +(\w+)$/m.exec(run("dumpe2fs", ["-h", path]).stdout)![1]!;
    };
    expect(sequence("one")).toBe(sequence("one"));
    expect(sequence("one")).not.toBe(sequence("two"));
  });
});
