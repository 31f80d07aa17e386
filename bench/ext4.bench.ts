import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, it } from "vitest";
import { MAIN } from "../test/support/cli.ts";
import { type Contender, compare } from "./measure.ts";

// ext4 from a directory: diskwright beside `mke2fs -d` and, where they are installed, genimage and
// systemd-repart, whole processes, the same trees, in turn.

const place = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), "diskwright-bench-"));
afterAll(() => rmSync(place, { recursive: true }));

const report = join(place, "time.txt");
const ours = join(place, "ours.img");
const theirs = join(place, "theirs.img");

/** A new sparse file for a program that wants one. */
function sparse(path: string, size: number): void {
  rmSync(path, { force: true });
  const descriptor = openSync(path, "w");
  ftruncateSync(descriptor, size);
  closeSync(descriptor);
}

function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/**
 * All make an ext4 with the default features of mke2fs, of the same size and number of inodes, in a new file
 * each time. tar makes no filesystem: it shows what reading and writing alone take.
 */
function contenders(tree: string, size: number, inodes: number): Contender[] {
  const fixed = ["--size", String(size), "--inodes", String(inodes), "--xattrs", "none"];
  const list: Contender[] = [
    {
      name: "diskwright",
      command: [process.execPath, MAIN, "mkfs", "ext4", tree, ...fixed, "-q", "-o", ours],
      before: () => rmSync(ours, { force: true }),
    },
    {
      name: "mke2fs -d",
      command: ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-N", String(inodes), "-d", tree, theirs],
      before: () => sparse(theirs, size),
    },
    {
      name: "tar | cat",
      command: ["sh", "-c", 'tar cf - -C "$1" . | cat > "$2"', "sh", tree, theirs],
      before: () => rmSync(theirs, { force: true }),
    },
  ];
  if (isInstalled("genimage")) list.push(genimage(tree, size));
  if (isInstalled("systemd-repart")) list.push(repart(tree, size));
  return list;
}

/** genimage copies the tree, then calls mke2fs and debugfs. */
function genimage(tree: string, size: number): Contender {
  const [config, scratch, output] = ["genimage.cfg", "genimage.tmp", "genimage.out"].map((name) =>
    join(place, name),
  );
  writeFileSync(
    config!,
    `image theirs.img {\n ext4 { use-mke2fs = true }\n size = ${Math.ceil(size / 2 ** 20)}M\n}\n`,
  );
  return {
    name: "genimage",
    command: [
      "genimage",
      ...["--config", config!, "--rootpath", tree, "--tmppath", scratch!, "--outputpath", output!],
      ...["--inputpath", place],
    ],
    before: () => {
      for (const directory of [scratch!, output!]) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** systemd-repart makes a partition table as well, and calls mke2fs. */
function repart(tree: string, size: number): Contender {
  const definitions = join(place, "repart.d");
  mkdirSync(definitions, { recursive: true });
  const root = `[Partition]\nType=linux-generic\nFormat=ext4\nSizeMinBytes=${size}\nCopyFiles=/:/\n`;
  writeFileSync(join(definitions, "root.conf"), root);
  const where = ["--empty=create", `--size=${size + 4 * 2 ** 20}`, "--dry-run=no", "--offline=yes"];
  const known = spawnSync("systemd-repart", ["--help"], { encoding: "utf8" }).stdout;
  const usable = where.filter((option) => known.includes(option.split("=")[0]!));
  return {
    name: "systemd-repart",
    command: ["systemd-repart", ...usable, `--definitions=${definitions}`, `--root=${tree}`, theirs],
    before: () => rmSync(theirs, { force: true }),
  };
}

/** Bytes that do not compress and are the same every time. */
function noise(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = seed * 2654435761 + 1;
  for (let at = 0; at + 4 <= size; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes.writeInt32LE(state, at);
  }
  return bytes;
}

function files(name: string, count: number, perDirectory: number, size: (index: number) => number): string {
  const tree = join(place, name);
  mkdirSync(tree);
  for (let index = 0; index < count; index++) {
    const directory = join(tree, `d${Math.floor(index / perDirectory)}`);
    if (index % perDirectory === 0) mkdirSync(directory);
    writeFileSync(join(directory, `a file with a name ${index}`), noise(size(index), index));
  }
  return tree;
}

/** The bytes that the files of a tree take, and how many entries there are. */
function measureTree(tree: string): { readonly size: number; readonly inodes: number } {
  const du = spawnSync("du", ["-s", "-B1", tree], { encoding: "utf8" }).stdout;
  const entries = spawnSync("sh", ["-c", 'find "$1" -xdev | wc -l', "sh", tree], { encoding: "utf8" }).stdout;
  const inodes = Math.ceil(Number(entries) * 1.1) + 1000;
  const content = Number(du.split("\t")[0]);
  return { size: Math.ceil((content * 1.1 + inodes * 600) / 2 ** 20 + 64) * 2 ** 20, inodes };
}

function compareTree(title: string, tree: string, rounds: number): void {
  const { size, inodes } = measureTree(tree);
  compare(title, contenders(tree, size, inodes), rounds, report);
  rmSync(ours, { force: true });
  rmSync(theirs, { force: true });
}

it("20,000 small files", () => {
  const tree = files("small", 20_000, 40, (index) => 1024 + ((index * 7919) % 15_360));
  compareTree("20,000 files of 1 to 16 KiB in 500 directories", tree, 7);
  rmSync(tree, { recursive: true });
});

it("few large files", () => {
  const tree = files("large", 8, 8, () => 128 * 2 ** 20);
  compareTree("8 files of 128 MiB", tree, 5);
  rmSync(tree, { recursive: true });
});

it("one directory", () => {
  const tree = files("flat", 20_000, 20_000, () => 100);
  compareTree("20,000 files of 100 bytes in one directory", tree, 1);
  rmSync(tree, { recursive: true });
});

it("a system", () => {
  const tree = process.env.BENCH_TREE ?? "/usr";
  if (existsSync(tree)) compareTree(`a real tree, ${tree}`, tree, 3);
});

it("one million empty files", () => {
  // Ours alone: mke2fs takes many minutes for such a tree.
  const own = (count: number): Contender => {
    const tree = files(`empty-${count}`, count, 500, () => 0);
    return {
      name: `${count.toLocaleString("en")} empty files`,
      command: [process.execPath, MAIN, "mkfs", "ext4", tree, "-q", "-o", ours],
      before: () => rmSync(ours, { force: true }),
    };
  };
  compare("time and memory by the number of entries", [own(10_000), own(100_000), own(1_000_000)], 3, report);
});
