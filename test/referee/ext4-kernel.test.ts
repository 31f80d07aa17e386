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
import fc from "fast-check";
import { expect, it } from "vitest";
import { parseSize } from "../../src/bytes/index.ts";
import { type BlockSize, type Ext4Options, planExt4, writeExt4 } from "../../src/ext4/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { expectCleanExt4 } from "../support/judges.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { saveExtents } from "../support/save.ts";
import { anyRichTree, patterned, patternedBytes } from "../support/trees.ts";

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
  return await saveExtents(scratch, name, () => writeExt4(plan), plan.size);
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

const READ_XATTRS = `
import json, os, sys
found = []
for line in sys.stdin:
    path = os.path.join(os.fsencode(sys.argv[1]), bytes.fromhex(line.strip()))
    names = os.listxattr(path, follow_symlinks=False)
    found.append({name: os.getxattr(path, name, follow_symlinks=False).hex() for name in names})
print(json.dumps(found))
`;

const TYPES = [
  "",
  "fifo",
  "character",
  "",
  "directory",
  "",
  "block",
  "",
  "file",
  "",
  "symlink",
  "",
  "socket",
];

function bytesOfPath({ path }: Entry): Buffer {
  const bytes = typeof path === "string" ? Buffer.from(path) : Buffer.from(path);
  return bytes[0] === 0x2f ? bytes.subarray(1) : bytes;
}

/** A device number as Linux gives it to stat(2). */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (low & 0xffn) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | ((high & ~0xfffn) << 32n);
}

/** What a kernel should say of an entry. */
function expected(entry: Entry, names: number): unknown {
  const { type, mode, uid, gid, mtime, device, target, content, data } = entry;
  let digest: string | undefined;
  let size: number | undefined;
  if (type === "file" && typeof content === "object" && "read" in content) {
    const bytes = new Uint8Array(content.size);
    for (const { offset, length } of data ?? [{ offset: 0, length: content.size }]) {
      content.read(offset, bytes.subarray(offset, offset + length));
    }
    digest = createHash("sha256").update(bytes).digest("hex");
    size = content.size;
  }
  const links = type === "directory" ? undefined : names;
  const number = device === undefined ? undefined : deviceNumber(device.major, device.minor);
  return { type, mode, uid, gid, mtime, links, size, device: number, target, digest };
}

function actual(path: Buffer): unknown {
  const status = lstatSync(path, { bigint: true });
  const type = TYPES[Number(status.mode >> 12n)]!;
  const isDevice = type === "character" || type === "block";
  return {
    type,
    mode: Number(status.mode & 0o7777n),
    uid: Number(status.uid),
    gid: Number(status.gid),
    mtime: status.mtimeNs,
    links: type === "directory" ? undefined : Number(status.nlink),
    size: type === "file" ? Number(status.size) : undefined,
    device: isDevice ? status.rdev : undefined,
    target: type === "symlink" ? readlinkSync(path) : undefined,
    digest: type === "file" ? createHash("sha256").update(readFileSync(path)).digest("hex") : undefined,
  };
}

/** Compares all that a kernel says of a filesystem with the entries that it was made of. */
function expectShown(root: string, entries: readonly Entry[]): void {
  const primary = (entry: Entry): string =>
    entry.type === "hardlink"
      ? bytesOfPath({ ...entry, path: entry.target! }).toString("hex")
      : bytesOfPath(entry).toString("hex");
  const byPath = new Map(entries.map((entry) => [bytesOfPath(entry).toString("hex"), entry]));
  const names = new Map<string, number>();
  for (const entry of entries) names.set(primary(entry), (names.get(primary(entry)) ?? 0) + 1);
  const paths = [...byPath.keys()];
  const { stdout, stderr } = run("python3", ["-c", READ_XATTRS, root], `${paths.join("\n")}\n`);
  expect(stderr).toBe("");
  const xattrs = JSON.parse(stdout) as Record<string, string>[];
  entries.forEach((entry, index) => {
    const owner = byPath.get(primary(entry))!;
    const path = Buffer.concat([Buffer.from(`${root}/`), bytesOfPath(entry)]);
    expect(actual(path)).toEqual(expected(owner, names.get(primary(entry))!));
    const wanted = [...(owner.xattrs ?? [])].map(([name, value]) => [
      name,
      Buffer.from(value).toString("hex"),
    ]);
    expect(xattrs[index]).toEqual(Object.fromEntries(wanted));
  });
  expect(countBelow(Buffer.from(root))).toBe(entries.length + 1);
}

/** Entries below a directory, lost+found among them. */
function countBelow(at: Buffer): number {
  const children = readdirSync(at, { encoding: "buffer", withFileTypes: true });
  return children.reduce((sum, child) => {
    const path = Buffer.concat([at, Buffer.from("/"), child.name]);
    return sum + 1 + (child.isDirectory() ? countBelow(path) : 0);
  }, 0);
}

const SHARED = new Map([
  ["user.shared", new Uint8Array(600).fill(7)],
  ["security.note", new Uint8Array(40).fill(8)],
]);

const CHANGE_XATTRS = `
import os, sys
os.chdir(sys.argv[1])
for index in range(0, 200):
    path = "shared %d" % index
    if index % 4 == 0: os.setxattr(path, "user.shared", b"own " + bytes(index))
    if index % 4 == 1: os.removexattr(path, "user.shared")
    if index % 4 == 2: os.setxattr(path, "user.more", bytes(100))
    if index % 8 == 3: os.remove(path)
`;

describeWith(["e2fsck", "debugfs", "resize2fs", "python3"], "ext4 before a kernel", () => {
  it.each<[string, Partial<Ext4Options>]>([
    ...SETS,
    ["values in inodes of their own", { features: ["ea_inode"] }],
  ])("with %s: shows every entry of random trees as it was given", async (_, options) => {
    await fc.assert(
      fc.asyncProperty(
        anyRichTree(400),
        fc.constantFrom<BlockSize>(1024, 2048, 4096),
        fc.constantFrom(0, 9_000_000),
        async (entries, blockSize, freeBytes) => {
          let image: string;
          try {
            image = await make("shown.img", entries, { blockSize, freeBytes, ...options });
          } catch (error) {
            // What is too large for the inode and a block of attributes is refused.
            expect((error as Error).message).toMatch(/extended attributes need \d+ bytes/);
            return;
          }
          expectCleanExt4(image);
          withMount(image, "ro", (root) => expectShown(root, entries));
        },
      ),
      { numRuns: 6 },
    );
  });

  it.each<[string, Partial<Ext4Options>]>([
    ["the default features", {}],
    ["blocks of 1 KiB and no checksums", { blockSize: 1024, features: ["^metadata_csum"] }],
    ["inodes of 128 bytes", { type: "ext3", inodeSize: 128 }],
  ])("with %s: attribute blocks that files share are divided again", async (_, options) => {
    const entries = Array.from(
      { length: 200 },
      (__, index): Entry => ({ path: `shared ${index}`, type: "file", xattrs: SHARED }),
    );
    const image = await make("shared.img", entries, { freeBytes: 8 << 20, inodes: 400, ...options });
    withMount(image, "", (root) => expect(run("python3", ["-c", CHANGE_XATTRS, root]).output).toBe(""));
    expectCleanExt4(image);
  });

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
    ["64M", "of one group", {}],
    ["300M", "of several groups without resize_inode", { features: ["^resize_inode"] }],
    ["20M", "of ext3 with blocks of 1 KiB", { type: "ext3", blockSize: 1024 }],
    ["6M", "of one group with blocks of 1 KiB", { blockSize: 1024 }],
    ["100M", "of ext2 with blocks of 2 KiB", { type: "ext2", blockSize: 2048 }],
    ["200M", "without flex_bg", { features: ["^flex_bg"] }],
    ["200M", "without 64bit", { features: ["^64bit"] }],
    ["200M", "with uninit_bg", { features: ["^metadata_csum", "uninit_bg"] }],
    ["200M", "with sparse_super2", { features: ["sparse_super2"] }],
    ["200M", "with a stored seed", { features: ["metadata_csum_seed"] }],
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
