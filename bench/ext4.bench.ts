import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, it } from "vitest";
import { MAIN } from "../test/support/cli.ts";
import { type Contender, compare } from "./measure.ts";

// ext4 from a directory: diskwright beside `mke2fs -d`, whole processes, the same trees, in turn.

const place = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), "diskwright-bench-"));
afterAll(() => rmSync(place, { recursive: true }));

const report = join(place, "time.txt");
const ours = join(place, "ours.img");
const theirs = join(place, "theirs.img");

/**
 * mke2fs is told the size and the number of inodes, and makes the same features. Both write into a new file
 * each time.
 */
function contenders(tree: string, size: number, inodes: number): Contender[] {
  const features = "^has_journal,^resize_inode";
  const options = ["-q", "-F", "-t", "ext4", "-b", "4096", "-N", String(inodes), "-O", features];
  return [
    {
      name: "diskwright",
      command: [process.execPath, MAIN, "mkfs", "ext4", tree, "--size", String(size), "-q", "-o", ours],
      before: () => rmSync(ours, { force: true }),
    },
    {
      name: "mke2fs -d",
      command: ["mke2fs", ...options, "-d", tree, theirs],
      before: (): void => {
        rmSync(theirs, { force: true });
        const descriptor = openSync(theirs, "w");
        ftruncateSync(descriptor, size);
        closeSync(descriptor);
      },
    },
  ];
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

it("20,000 small files", () => {
  const tree = files("small", 20_000, 40, (index) => 1024 + ((index * 7919) % 15_360));
  compare(
    "20,000 files of 1 to 16 KiB in 500 directories",
    contenders(tree, 400 * 2 ** 20, 25_000),
    5,
    report,
  );
});

it("few large files", () => {
  const tree = files("large", 8, 8, () => 128 * 2 ** 20);
  compare("8 files of 128 MiB", contenders(tree, 1300 * 2 ** 20, 1000), 5, report);
});

it("200,000 entries", () => {
  const tree = files("entries", 198_000, 100, (index) => index % 2);
  compare(
    "200,000 entries, empty files and files of one byte",
    contenders(tree, 1200 * 2 ** 20, 210_000),
    3,
    report,
  );
});

it("one directory", () => {
  const tree = files("flat", 50_000, 50_000, () => 0);
  compare("50,000 empty files in one directory", contenders(tree, 600 * 2 ** 20, 60_000), 1, report);
});
