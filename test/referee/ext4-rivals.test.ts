import {
  appendFileSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { byteKey, utf8 } from "../../src/bytes/index.ts";
import { type Ext4Options, planExt4, writeExt4 } from "../../src/ext4/index.ts";
import { directory, FileReader, fileTarget } from "../../src/node/index.ts";
import { type Entry, type Tree, treeOf } from "../../src/tree/index.ts";
import { expectCleanExt4 } from "../support/judges.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { saveExtents, writeRaw } from "../support/save.ts";
import { patterned } from "../support/trees.ts";
import { type Seen, seenOnHost } from "../support/volume-snapshot.ts";
import { acl } from "../support/xattrs.ts";

// Faults that other writers of ext4 were found to have: mke2fs -d, genext2fs, tar2ext4 and others. Most of
// them no fsck notices, so a kernel says what is there.

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const scratch = scratchDirectory();

async function make(tree: Tree, options: Partial<Ext4Options> = {}): Promise<string> {
  const plan = planExt4(tree, { uuid, ...options });
  const path = join(scratch, "rival.img");
  await writeRaw(() => writeExt4(plan), plan.size, fileTarget(path), { reader: new FileReader() });
  expectCleanExt4(path);
  return path;
}

/** What a kernel shows of a tree, by path; `undefined` where the host has no loop devices. */
async function shown(
  entries: readonly Entry[],
  options: Partial<Ext4Options> = {},
): Promise<Map<string, Seen> | undefined> {
  const image = await make(treeOf(entries), options);
  let seen: Map<string, Seen> | undefined;
  withMount(image, "ro", (root) => {
    seen = seenOnHost(root);
  });
  return seen;
}

const SECOND = 1_000_000_000n;

describeWith(["e2fsck", "debugfs", "resize2fs"], "what other writers get wrong", () => {
  it("times are kept to the nanosecond, from 1901 to 2446, of every type of entry", async () => {
    const times = [
      -(2n ** 31n) * SECOND,
      -1n,
      -SECOND + 1n,
      0n,
      1n,
      (2n ** 31n - 1n) * SECOND + 999_999_999n,
      2n ** 31n * SECOND + 1n,
      2n ** 32n * SECOND + 123_456_789n,
      // From 2310 to 2378 e2fsck takes a time for one before 1970 that was stored wrongly.
      10_737_418_239n * SECOND + 5n,
      12_884_901_888n * SECOND + 7n,
      15_032_385_535n * SECOND + 999_999_999n,
    ];
    const kinds: Omit<Entry, "path" | "mtime">[] = [
      { type: "file", content: "x" },
      { type: "directory" },
      { type: "symlink", target: "t" },
      { type: "symlink", target: "t".repeat(100) },
      { type: "fifo" },
      { type: "character", device: { major: 1, minor: 3 } },
    ];
    const entries = times.flatMap((mtime, index) =>
      kinds.map((kind, number): Entry => ({ path: `${index} ${number}`, ...kind, mtime })),
    );
    const seen = await shown(entries);
    for (const { path, mtime } of entries) {
      const { times: found } = seen?.get(path as string) ?? {};
      if (seen !== undefined) expect([path, found!.mtime, found!.ctime]).toEqual([path, mtime, mtime]);
    }
  });

  it("the root directory has its own mode, owner, times and attributes", async () => {
    const root: Entry = {
      path: "",
      type: "directory",
      mode: 0o1751,
      uid: 70_000,
      gid: 4_294_967_294,
      mtime: 1_234_567_890_987_654_321n,
      xattrs: new Map([["user.of the root", utf8("yes")]]),
    };
    const found = (await shown([root, { path: "file", type: "file" }]))?.get("");
    if (found === undefined) return;
    expect([found.mode, found.owner, found.times.mtime]).toEqual(["1751", "70000:4294967294", root.mtime]);
    expect(found.xattrs).toEqual({ "user.of the root": Buffer.from("yes").toString("hex") });
  });

  it("lost+found in the tree becomes that of the filesystem, and keeps what it had", async () => {
    const entries: Entry[] = [
      { path: "lost+found", type: "directory", mode: 0o711, uid: 5, mtime: 77n },
      { path: "lost+found/#123", type: "file", content: "found" },
    ];
    const seen = await shown(entries);
    if (seen === undefined) return;
    const { mode, owner, times } = seen.get("lost+found")!;
    expect([mode, owner, times.mtime]).toEqual(["711", "5:0", 77n]);
    expect(seen.get("lost+found/#123")!.size).toBe(5);
  });

  it("further names of a file, a symlink or a device are the same inode", async () => {
    const entries: Entry[] = [
      { path: "file", type: "file", content: "x" },
      { path: "fast", type: "symlink", target: "t" },
      { path: "slow", type: "symlink", target: "t".repeat(100) },
      { path: "device", type: "block", device: { major: 259, minor: 7 } },
      { path: "fifo", type: "fifo" },
    ];
    const names = entries.map(({ path }) => path as string);
    const links = names.map((name): Entry => ({ path: `d/${name}`, type: "hardlink", target: name }));
    withMount(await make(treeOf([...entries, ...links])), "ro", (root) => {
      for (const name of names) {
        const [one, other] = [lstatSync(join(root, name)), lstatSync(join(root, "d", name))];
        expect([name, other.ino, other.nlink]).toEqual([name, one.ino, 2]);
      }
    });
    const host = join(scratch, "links");
    mkdirSync(host);
    symlinkSync("nowhere", join(host, "a"));
    linkSync(join(host, "a"), join(host, "b"));
    withMount(await make(await directory(host)), "ro", (root) => {
      expect(lstatSync(join(root, "b")).ino).toBe(lstatSync(join(root, "a")).ino);
    });
  });

  it("a file has 65,000 names, and no more", async () => {
    const named = (count: number): Entry[] => [
      { path: "0", type: "file" },
      ...Array.from(
        { length: count - 1 },
        (_, index): Entry => ({ path: `d/${index}`, type: "hardlink", target: "0" }),
      ),
    ];
    withMount(await make(treeOf(named(65_000))), "ro", (root) => {
      expect(statSync(join(root, "0")).nlink).toBe(65_000);
    });
    for (const count of [65_001, 65_536, 66_001]) {
      expect(() => planExt4(treeOf(named(count)), { uuid })).toThrow(
        `/0: ${count} hard links, the limit is 65000`,
      );
    }
  });

  it.each<[string, (path: string) => void]>([
    ["grows", (path) => appendFileSync(path, Buffer.alloc(3 << 20, "more"))],
    ["shrinks", (path) => truncateSync(path, 1_000_000)],
    ["is emptied", (path) => truncateSync(path, 0)],
  ])(
    "a file that %s before it is read leaves no image, and one that does so while it is read neither",
    async (change, act) => {
      for (const isWhile of [false, true]) {
        const host = join(scratch, `${change} ${isWhile}`);
        mkdirSync(host);
        const path = join(host, "file");
        writeFileSync(path, Buffer.alloc(24 << 20, "old"));
        const plan = planExt4(await directory(host), { uuid });
        const output = join(scratch, "never.img");
        let isChanged = isWhile;
        if (!isWhile) act(path);
        const writing = writeRaw(() => writeExt4(plan), plan.size, fileTarget(output), {
          reader: new FileReader(),
          onProgress: () => {
            if (isChanged) act(path);
            isChanged = false;
          },
        });
        await expect(writing).rejects.toThrow(/file (changed after it was scanned|ends)/);
        expect(existsSync(output)).toBe(false);
        rmSync(host, { recursive: true });
      }
    },
  );

  it("zeros that a file holds take blocks, its holes do not", async () => {
    const host = join(scratch, "zeros");
    mkdirSync(host);
    writeFileSync(join(host, "zeros"), Buffer.alloc(300_000));
    const file = openSync(join(host, "holes"), "w");
    ftruncateSync(file, 4 << 20);
    writeSync(file, "data", 1 << 20);
    closeSync(file);
    const sources = [
      await directory(host),
      treeOf([{ path: "zeros", type: "file", content: new Uint8Array(300_000) }]),
    ];
    for (const tree of sources) {
      withMount(await make(tree), "ro", (root) => {
        expect(statSync(join(root, "zeros")).blocks * 512).toBe(Math.ceil(300_000 / 4096) * 4096);
        if (tree !== sources[0]) return;
        expect(statSync(join(root, "holes")).blocks * 512).toBeLessThan(1 << 20);
        expect(readFileSync(join(root, "holes")).indexOf("data")).toBe(1 << 20);
      });
    }
  });

  it("a kernel reads access control lists, and hands them on", async () => {
    const access = acl([0x01, 6], [0x02, 4, 1000], [0x04, 0], [0x08, 6, 70_000], [0x10, 6], [0x20, 0]);
    const standard = acl([0x01, 7], [0x02, 5, 1000], [0x04, 0], [0x10, 5], [0x20, 0]);
    const entries: Entry[] = [
      {
        path: "file",
        type: "file",
        mode: 0o660,
        content: "x",
        xattrs: new Map([["system.posix_acl_access", access]]),
      },
      {
        path: "d",
        type: "directory",
        mode: 0o755,
        xattrs: new Map([["system.posix_acl_default", standard]]),
      },
    ];
    withMount(await make(treeOf(entries), { freeBytes: 2 << 20, inodes: 64 }), "", (root) => {
      const seen = seenOnHost(root);
      expect(seen.get("file")!.xattrs["system.posix_acl_access"]).toBe(Buffer.from(access).toString("hex"));
      expect(seen.get("d")!.xattrs["system.posix_acl_default"]).toBe(Buffer.from(standard).toString("hex"));
      writeFileSync(join(root, "d/new"), "x");
      const handedOn = Buffer.from(
        seenOnHost(join(root, "d")).get("new")!.xattrs["system.posix_acl_access"]!,
        "hex",
      );
      expect(handedOn.subarray(12, 20)).toEqual(Buffer.from(standard.subarray(12, 20)));
    });
  });

  it.each(["4M", "8M", "32M", "127M"])("an image of one group, of %s, grows to 100 GiB", async (size) => {
    const content = patterned(100_000, 1);
    const bytes = Number.parseInt(size, 10) << 20;
    const image = await make(treeOf([{ path: "file", type: "file", content }]), { size: bytes });
    const { status, output } = run("resize2fs", [image, "100G"]);
    expect([status, /Illegal|orrupt/.test(output)]).toEqual([0, false]);
    expectCleanExt4(image);
    withMount(image, "ro", (root) => {
      const found = readFileSync(join(root, "file"));
      expect(found.every((byte, index) => byte === ((31 + index * 7 + 1) & 0xff))).toBe(true);
    });
    rmSync(image);
  });

  it("bits of a bitmap behind its last block or inode are set, whatever the size", async () => {
    for (const blocks of [700, 8191, 8192, 8193, 8460, 8800, 16_385, 16_500, 17_000, 24_578, 25_000]) {
      const plan = planExt4(treeOf([]), { uuid, blockSize: 1024, size: blocks * 1024, inodes: 40 });
      const path = await saveExtents(scratch, "bitmaps.img", () => writeExt4(plan), plan.size);
      expectCleanExt4(path);
      const image = readFileSync(path);
      const { metadata, groups, inodesPerGroup, blocksPerGroup } = plan.geometry;
      const isSet = (block: number, bit: number): boolean =>
        (image[block * 1024 + (bit >> 3)]! & (1 << (bit & 7))) !== 0;
      const { blockBitmap } = metadata[groups - 1]!;
      const length = plan.geometry.blocks - 1 - (groups - 1) * blocksPerGroup;
      for (let bit = length; bit < 8192; bit++) expect(isSet(blockBitmap, bit)).toBe(true);
      for (let bit = inodesPerGroup; bit < 8192; bit++)
        expect(isSet(metadata[0]!.inodeBitmap, bit)).toBe(true);
    }
  });

  it("the target of a symlink is whole up to a block, and refused beyond", async () => {
    for (const [blockSize, lengths] of [
      [1024, [1, 59, 60, 61, 1022, 1023]],
      [4096, [1, 59, 60, 1024, 4094, 4095]],
    ] as const) {
      const entries = lengths.map(
        (length): Entry => ({ path: `${length}`, type: "symlink", target: "t".repeat(length) }),
      );
      const seen = await shown(entries, { blockSize });
      for (const length of lengths) {
        if (seen !== undefined) expect(seen.get(`${length}`)!.target).toBe("t".repeat(length));
      }
      const tooLong = treeOf([{ path: "long", type: "symlink", target: "t".repeat(blockSize) }]);
      expect(() => planExt4(tooLong, { uuid, blockSize })).toThrow(
        `/long: the symlink's target has ${blockSize} bytes, the limit is ${blockSize - 1}`,
      );
    }
  });

  it("owners and numbers of devices have all their bits", async () => {
    const owners = [0, 65_535, 65_536, 70_000, 2 ** 31, 4_294_967_294];
    const devices = [
      [0, 0],
      [255, 255],
      [256, 0],
      [1, 256],
      [259, 70_000],
      [4095, 1_048_575],
    ] as const;
    const entries = owners.flatMap((uid, index): Entry[] => [
      { path: `f${uid}`, type: "file", uid, gid: owners[owners.length - 1 - index]! },
      {
        path: `d${index}`,
        type: index % 2 ? "block" : "character",
        device: { major: devices[index]![0], minor: devices[index]![1] },
      },
    ]);
    for (const options of [{}, { type: "ext2", inodeSize: 128 }] as const) {
      const seen = await shown(entries, options);
      if (seen === undefined) return;
      owners.forEach((uid, index) => {
        expect(seen.get(`f${uid}`)!.owner).toBe(`${uid}:${owners[owners.length - 1 - index]}`);
        expect(seen.get(`d${index}`)!.device).toBe(devices[index]!.join(":"));
      });
    }
  });

  it("names of any bytes are kept", async () => {
    const names = [
      Uint8Array.of(0xff, 0xfe, 0x0a),
      utf8(" leading"),
      utf8("-rf"),
      utf8("back\\slash\ttab\nline"),
      utf8("\\012"),
      utf8("💾"),
      new Uint8Array(255).fill(0xe9),
    ];
    const seen = await shown(names.map((path): Entry => ({ path, type: "file", content: "x" })));
    for (const name of names) if (seen !== undefined) expect(seen.get(byteKey(name))?.size).toBe(1);
  });

  it("attributes of 4,000 bytes are kept, larger ones are refused or have an inode", async () => {
    const of = (size: number): Entry[] => [
      {
        path: "file",
        type: "file",
        xattrs: new Map([["user.value", Uint8Array.from({ length: size }, (_, i) => i * 7)]]),
      },
    ];
    const expected = (size: number): string =>
      Buffer.from(Uint8Array.from({ length: size }, (_, i) => i * 7)).toString("hex");
    for (const [size, options] of [
      [4000, {}],
      [4001, { features: ["ea_inode"] }],
      [5000, { features: ["ea_inode"] }],
      [65_536, { features: ["ea_inode"] }],
      [65_536, { features: ["ea_inode"], blockSize: 1024 }],
    ] as const) {
      const seen = await shown(of(size), options);
      if (seen !== undefined) expect(seen.get("file")!.xattrs["user.value"]).toBe(expected(size));
    }
    expect(() => planExt4(treeOf(of(5000)), { uuid })).toThrow(/\/file: .*extended attributes.*ea_inode/);
  });

  it("a file of terabytes in thousands of pieces is read where it has data", async () => {
    const count = 3000;
    const distance = 2 ** 30;
    const size = count * distance;
    const data = Array.from({ length: count }, (_, index) => ({ offset: index * distance, length: 4096 }));
    const image = await make(treeOf([{ path: "large", type: "file", content: patterned(size, 3), data }]));
    withMount(image, "ro", (root) => {
      expect(statSync(join(root, "large")).size).toBe(size);
      const file = openSync(join(root, "large"), "r");
      const bytes = Buffer.alloc(8192);
      for (let index = 0; index < count; index += 37) {
        const offset = index * distance;
        expect(readSync(file, bytes, 0, 8192, offset)).toBe(8192);
        // The pattern repeats after 256 bytes, so it is the same at every multiple of the distance.
        expect(bytes.subarray(0, 4096).every((byte, at) => byte === ((3 * 31 + at * 7 + 1) & 0xff))).toBe(
          true,
        );
        expect(bytes.subarray(4096).every((byte) => byte === 0)).toBe(true);
      }
      closeSync(file);
    });
  });

  it("a journal of more than 65,535 blocks is one that a kernel uses", async () => {
    const image = await make(treeOf([]), { size: 2 ** 31, journalSize: 512 << 20 });
    withMount(image, "", (root) => {
      for (let index = 0; index < 300; index++) writeFileSync(join(root, `${index}`), "x".repeat(index * 50));
      utimesSync(root, 1, 1);
    });
    expectCleanExt4(image);
  });
});
