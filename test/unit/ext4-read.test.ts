import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteKey, utf8 } from "../../src/bytes/index.ts";
import { DiskwrightError } from "../../src/errors.ts";
import {
  type Ext4Options,
  type Ext4Plan,
  Ext4Volume,
  openExt4,
  planExt4,
  writeExt4,
} from "../../src/ext4/index.ts";
import { type ByteSource, bytesSource } from "../../src/extents/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { render } from "../support/render.ts";
import { patterned, patternedBytes } from "../support/trees.ts";
import { acl } from "../support/xattrs.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const WITHOUT_CHECKSUMS = ["^metadata_csum"];

/** An image, where its parts lie, and its numbers of inodes by path. */
interface Image {
  readonly plan: Ext4Plan;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly inodes: ReadonlyMap<string, number>;
  /** Where an inode starts, by its number or its path. */
  at(inode: number | string): number;
}

async function made(entries: readonly Entry[], options: Partial<Ext4Options> = {}): Promise<Image> {
  const plan = planExt4(treeOf(entries), {
    uuid,
    blockSize: 1024,
    freeBytes: 50_000,
    ...options,
    features: ["ea_inode", ...(options.features ?? [])],
  });
  const bytes = await render(writeExt4(plan), plan.size);
  const inodes = new Map<string, number>();
  for await (const { path, inode } of (await opened(bytes)).entries()) inodes.set(byteKey(path), inode);
  const { blockSize, inodeSize } = plan.design;
  const at = (inode: number | string): number => {
    const number = typeof inode === "number" ? inode : inodes.get(inode)!;
    return plan.geometry.metadata[0]!.inodeTable * blockSize + (number - 1) * inodeSize;
  };
  return { plan, bytes, view: new DataView(bytes.buffer, bytes.byteOffset), inodes, at };
}

async function opened(image: Uint8Array | ByteSource): Promise<Ext4Volume> {
  const volume = await openExt4(image instanceof Uint8Array ? bytesSource(image) : image);
  expect(volume).toBeInstanceOf(Ext4Volume);
  return volume!;
}

async function collected<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const list: Value[] = [];
  for await (const value of values) list.push(value);
  return list;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Some of everything, so that a reader meets every structure. */
const everything: readonly Entry[] = [
  {
    path: "file",
    type: "file",
    content: "content",
    mode: 0o4711,
    uid: 70_000,
    gid: 5,
    mtime: 1_234_567_890_123n,
  },
  { path: "large", type: "file", content: patterned(70_000, 3) },
  {
    path: "pieces",
    type: "file",
    content: patterned(400 * 2048, 7),
    data: Array.from({ length: 400 }, (_, index) => ({ offset: index * 2048, length: 1000 })),
  },
  { path: "fast", type: "symlink", target: "file" },
  { path: "slow", type: "symlink", target: `${"./".repeat(60)}file` },
  { path: "directory/below/deep", type: "file", content: "deep" },
  { path: "many", type: "directory" },
  ...Array.from({ length: 150 }, (_, index): Entry => ({ path: `many/number ${index}`, type: "file" })),
  { path: "device", type: "block", device: { major: 259, minor: 70_000 } },
  { path: "fifo", type: "fifo" },
  {
    path: "attributes",
    type: "file",
    xattrs: new Map([
      ["user.short", utf8("short")],
      ["user.long", patternedBytes(500, 1)],
      ["user.outside", patternedBytes(3000, 2)],
      ["system.posix_acl_access", acl([0x01, 6], [0x02, 4, 1000], [0x04, 4], [0x10, 4], [0x20, 0])],
    ]),
  },
];

/** Reads whatever a filesystem has. */
async function readAll(volume: Ext4Volume): Promise<void> {
  for await (const { inode, type, size } of volume.entries()) {
    await volume.xattrs(inode);
    if (type !== "file") continue;
    for await (const { offset, length } of volume.dataRanges(inode)) {
      expect(offset + length).toBeLessThanOrEqual(size);
    }
    const content = await volume.open(inode);
    if (size < 2 ** 20) await content.read(0, size);
    else for (const offset of [0, Math.floor(size / 2), size - 5000]) await content.read(offset, 5000);
  }
}

/** What reading a damaged image comes to. Any error but the reader's own goes through. */
async function verdict(bytes: Uint8Array): Promise<readonly string[]> {
  let volume: Ext4Volume | undefined;
  try {
    volume = await openExt4(bytesSource(bytes));
    if (volume === undefined) return ["not a filesystem"];
    await readAll(volume);
  } catch (error) {
    if (!(error instanceof DiskwrightError)) throw error;
    expect(["CORRUPT", "SOURCE_UNREADABLE"]).toContain(error.code);
    return [...new Set([error.message, ...(volume?.problems ?? [])])];
  }
  return volume.problems;
}

describe("an ext4 volume", () => {
  it("tells everything about an entry", async () => {
    const { bytes } = await made(everything);
    const volume = await opened(bytes);
    const time = 1_234_567_890_123n;
    expect(await volume.stat("file")).toEqual({
      path: utf8("file"),
      inode: expect.any(Number),
      type: "file",
      mode: 0o4711,
      uid: 70_000,
      gid: 5,
      size: 7,
      links: 1,
      atime: time,
      ctime: time,
      mtime: time,
      crtime: time,
      allocated: 1024,
      flags: 0x80000,
      generation: 0,
    });
    expect((await volume.stat("/device")).device).toEqual({ major: 259, minor: 70_000 });
    expect(await volume.xattrs("attributes")).toEqual(
      new Map([...everything.at(-1)!.xattrs!].sort(([a], [b]) => (a < b ? -1 : 1))),
    );
    expect(volume.problems).toEqual([]);
  });

  it("has no time of creation in short inodes", async () => {
    const { bytes } = await made([{ path: "file", type: "file", mtime: 5_000_000_000n }], { inodeSize: 128 });
    const { mtime, crtime } = await (await opened(bytes)).stat("file");
    expect([mtime, crtime]).toEqual([5_000_000_000n, undefined]);
  });

  it("lists a directory, and walks a part of the tree", async () => {
    const { bytes } = await made(everything);
    const volume = await opened(bytes);
    const names = (entries: { path: Uint8Array }[]): string[] => entries.map(({ path }) => text(path)).sort();
    expect(names(await collected(volume.list("/directory/")))).toEqual(["directory/below"]);
    expect(names(await collected(volume.entries("directory")))).toEqual([
      "directory",
      "directory/below",
      "directory/below/deep",
    ]);
    expect(names(await collected(volume.list("/many")))).toHaveLength(150);
    await expect(collected(volume.list("file"))).rejects.toMatchObject({
      code: "SOURCE_UNREADABLE",
      message: "file: not a directory",
    });
  });

  it("follows paths as a kernel does", async () => {
    const loop = Array.from(
      { length: 41 },
      (_, index): Entry => ({
        path: `chain/${index}`,
        type: "symlink",
        target: index === 0 ? "/f" : `${index - 1}`,
      }),
    );
    const { bytes } = await made([
      { path: "f", type: "file", content: "f" },
      { path: "a/b/file", type: "file", content: "below" },
      { path: "a/up", type: "symlink", target: "../../../a/b" },
      { path: "a/absolute", type: "symlink", target: "/a/b/" },
      { path: "circle", type: "symlink", target: "circle" },
      { path: "nowhere", type: "symlink", target: "a/none" },
      { path: Uint8Array.of(0xff, 0x2f, 0xfe), type: "file", content: "bytes" },
      ...loop,
    ]);
    const volume = await opened(bytes);
    const read = async (path: string | Uint8Array): Promise<string> => text(await volume.readFile(path));
    for (const path of ["a/up/file", "/a//absolute/./file", "../a/b/../b/file", "a/up/../b/file"]) {
      expect(await read(path)).toBe("below");
      expect(text((await volume.stat(path)).path)).toBe("a/b/file");
    }
    expect(await read(Uint8Array.of(0xff, 0x2f, 0xfe))).toBe("bytes");
    expect(await read("chain/39")).toBe("f");
    expect((await volume.stat("a/up", { follow: false })).type).toBe("symlink");
    expect((await volume.stat("a/up/", { follow: false })).type).toBe("directory");
    expect((await volume.stat("")).inode).toBe(2);
    expect((await volume.stat("../..")).inode).toBe(2);
    const refused: [string, string][] = [
      ["chain/40", "chain/40: more than 40 symlinks, which may lead in a circle"],
      ["circle", "circle: more than 40 symlinks, which may lead in a circle"],
      ["nowhere", "nowhere: no such file or directory"],
      ["f/", "f/: not a directory"],
      ["f/x", "f/x: not a directory"],
      ["\n", "\\x0a: no such file or directory"],
    ];
    for (const [path, message] of refused) {
      await expect(volume.stat(path)).rejects.toMatchObject({ code: "SOURCE_UNREADABLE", message });
    }
    await expect(volume.readFile("a")).resolves.toHaveLength(1024);
  });

  it("finds names without regard to case only where a directory says so", async () => {
    const { bytes, view, at } = await made(
      [
        { path: "folded/Stra\u00dfe", type: "file", content: "1" },
        { path: "plain/Name", type: "file" },
      ],
      { features: ["casefold", ...WITHOUT_CHECKSUMS] },
    );
    view.setUint32(at("folded") + 0x20, view.getUint32(at("folded") + 0x20, true) | 0x40000000, true);
    const volume = await opened(bytes);
    expect(text((await volume.stat("folded/STRASSE")).path)).toBe("folded/Straße");
    await expect(volume.stat("plain/name")).rejects.toThrow("no such file");
  });

  it("reads a file at any position, and knows where its data lies", async () => {
    for (const features of [[], ["^extent", "^64bit"]]) {
      const { bytes } = await made(everything, { features });
      const volume = await opened(bytes);
      const ranges = await collected(volume.dataRanges("pieces"));
      expect(ranges).toEqual(
        Array.from({ length: 400 }, (_, index) => ({ offset: index * 2048, length: 1024 })),
      );
      const whole = patternedBytes(400 * 2048, 7);
      // A block that has data is stored whole; the others are holes.
      const expected = whole.map((byte, at) => (at % 2048 < 1024 ? byte : 0));
      const content = await volume.open("pieces");
      expect(Buffer.compare(await volume.readFile("pieces"), expected)).toBe(0);
      await fc.assert(
        fc.asyncProperty(fc.nat(content.size), fc.nat(20_000), async (offset, length) => {
          const end = Math.min(offset + length, content.size);
          const bytes = await content.read(offset, end - offset);
          expect(Buffer.compare(bytes, expected.subarray(offset, end))).toBe(0);
        }),
        { numRuns: 30 },
      );
      expect(() => content.read(1, content.size)).toThrow(RangeError);
      expect(() => content.read(-1, 1)).toThrow(RangeError);
    }
  });

  it("does not hand out the image's own bytes", async () => {
    const { bytes } = await made(everything);
    const before = bytes.slice();
    const volume = await opened(bytes);
    (await volume.readFile("file")).fill(0xaa);
    for (const value of (await volume.xattrs("attributes")).values()) value.fill(0xaa);
    for await (const { path, target } of volume.entries()) {
      path.fill(0xaa);
      target?.fill(0xaa);
    }
    expect(Buffer.compare(bytes, before)).toBe(0);
  });

  it("reads blocks that are only set aside as zeros", async () => {
    const { bytes, view, at } = await made([{ path: "f", type: "file", content: patterned(5000, 1) }], {
      features: WITHOUT_CHECKSUMS,
    });
    const length = at("f") + 0x28 + 12 + 4;
    view.setUint16(length, view.getUint16(length, true) + 32768, true);
    const volume = await opened(bytes);
    expect(await volume.readFile("f")).toEqual(new Uint8Array(5000));
    expect(await collected(volume.dataRanges("f"))).toEqual([]);
  });

  it("reads files that share blocks", async () => {
    const { bytes, view, at } = await made(
      [
        { path: "a", type: "file", content: "same" },
        { path: "b", type: "file", content: "none" },
      ],
      { features: WITHOUT_CHECKSUMS },
    );
    view.setUint32(1024 + 0x64, view.getUint32(1024 + 0x64, true) | 0x4000, true);
    bytes.copyWithin(at("b") + 0x28, at("a") + 0x28, at("a") + 0x28 + 60);
    const volume = await opened(bytes);
    expect(volume.features).toContain("shared_blocks");
    expect(text(await volume.readFile("b"))).toBe("same");
    expect(volume.problems).toEqual([]);
  });

  it("says in which state the journal is", async () => {
    const options = { features: ["has_journal"], size: 8 << 20 };
    const { bytes, view, plan } = await made([], options);
    expect((await opened(bytes)).journal).toEqual({ state: "clean", size: 1 << 20 });
    const journal = [...plan.regions()].find(({ what }) => what === "journal")!.position;
    const message = "the journal has to be replayed: mount it once or run e2fsck";
    view.setUint32(journal + 0x1c, 1, false);
    const started = await opened(bytes);
    expect([started.journal.state, started.problems]).toEqual(["needs replay", [message]]);
    view.setUint32(journal + 0x1c, 0, false);
    view.setUint32(1024 + 0x60, view.getUint32(1024 + 0x60, true) | 0x4, true);
    const flagged = await opened(bytes);
    expect(flagged.journal.state).toBe("needs replay");
    expect(flagged.problems).toEqual(["the superblock: its checksum does not match", message]);
    view.setUint32(journal, 0, false);
    expect((await opened(bytes)).problems).toContain("the journal has no superblock: run e2fsck");
    expect((await opened((await made([], { features: ["^has_journal"] })).bytes)).journal).toEqual({
      state: "none",
      size: 0,
    });
  });

  it("says what cannot be read of encrypted files, and lists the others", async () => {
    const { bytes, view, at } = await made(
      [
        { path: "secret/names", type: "file" },
        { path: "secret file", type: "file", content: "x" },
        { path: "secret link", type: "symlink", target: "x" },
        { path: "plain", type: "file", content: "plain" },
      ],
      { features: ["encrypt", ...WITHOUT_CHECKSUMS] },
    );
    for (const name of ["secret", "secret file", "secret link"]) {
      view.setUint32(at(name) + 0x20, view.getUint32(at(name) + 0x20, true) | 0x800, true);
    }
    const volume = await opened(bytes);
    const paths = (await collected(volume.entries())).map(({ path }) => text(path));
    expect(paths.sort()).toEqual(["", "lost+found", "plain", "secret", "secret file", "secret link"]);
    expect(volume.problems).toEqual(["/secret is encrypted: its names cannot be read"]);
    await expect(volume.readFile("secret file")).rejects.toThrow(/encrypted \(feature encrypt\)/);
    await expect(collected(volume.list("secret"))).rejects.toThrow(/encrypted \(feature encrypt\)/);
    expect((await volume.stat("secret link", { follow: false })).target).toBeUndefined();
    expect(text(await volume.readFile("plain"))).toBe("plain");
  });

  it("names features that it does not read, and still says what the superblock does", async () => {
    const { bytes, view } = await made([], { features: WITHOUT_CHECKSUMS, label: "label" });
    for (const [bit, name] of [
      [0x1, "compression"],
      [0x8, "journal_dev"],
      [0x1000, "dirdata"],
      [0x80000000, "0x80000000"],
    ] as const) {
      const copy = bytes.slice();
      new DataView(copy.buffer).setUint32(1024 + 0x60, (view.getUint32(1024 + 0x60, true) | bit) >>> 0, true);
      const volume = await opened(copy);
      expect([volume.label, volume.uuid]).toEqual(["label", uuid]);
      const message = `the filesystem has features that cannot be read: ${name}`;
      expect(volume.problems).toEqual([message]);
      await expect(volume.readFile("x")).rejects.toMatchObject({ code: "SOURCE_UNREADABLE", message });
    }
  });

  it("reads metadata in pieces, each of them once", async () => {
    const { bytes } = await made(
      Array.from({ length: 5000 }, (_, index): Entry => ({ path: `${index % 20}/${index}`, type: "file" })),
    );
    let reads = 0;
    const source: ByteSource = {
      size: bytes.length,
      read(position, length) {
        reads++;
        return bytes.subarray(position, position + length);
      },
    };
    expect(await collected((await opened(source)).entries())).toHaveLength(5022);
    expect(reads).toBeLessThan(bytes.length / 16384 + 10);
  });
});

describe("a damaged ext4 filesystem", () => {
  it("is never trusted where a checksum covers it", async () => {
    const image = await made(everything);
    expect(await verdict(image.bytes)).toEqual([]);
    const covered = checksummed(image);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(covered.length - 1),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 255 }),
        async (which, share, change) => {
          const { start, length } = covered[which]!;
          const at = start + Math.floor(share * length);
          const bytes = image.bytes.slice();
          bytes[at]! ^= change;
          expect(await verdict(bytes), `byte ${at}`).not.toEqual([]);
        },
      ),
      { numRuns: 250 },
    );
  });

  it.each<[string, string[]]>([
    ["with extents", ["^metadata_csum"]],
    ["with block maps", ["^extent", "^64bit", "^metadata_csum"]],
    ["with checksums", []],
  ])("%s ends in an error of the reader or in problems", async (_, features) => {
    const image = await made(everything, { features });
    const metadata = checksummed(image);
    const damage = fc.record({
      which: fc.nat(metadata.length - 1),
      share: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      width: fc.constantFrom(1, 2, 4),
      value: fc.oneof(
        fc.constantFrom(0, 1, 2, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0xffffffff),
        fc.nat(64),
        fc.nat(0xffffffff),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), async (list) => {
        const bytes = image.bytes.slice();
        const view = new DataView(bytes.buffer);
        for (const { which, share, width, value } of list) {
          const { start, length } = metadata[which]!;
          const at = start + Math.floor((share * length) / width) * width;
          if (width === 1) view.setUint8(at, value & 0xff);
          else if (width === 2) view.setUint16(at, value & 0xffff, true);
          else view.setUint32(at, value, true);
        }
        const started = performance.now();
        await verdict(bytes);
        expect(performance.now() - started).toBeLessThan(5000);
      }),
      { numRuns: 250 },
    );
  });

  it("that ends too early is told as such", async () => {
    const { bytes } = await made(everything);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2048, max: bytes.length - 60_000 }), async (size) => {
        const problems = await verdict(bytes.subarray(0, size));
        expect(problems.join("\n")).toMatch(/but only \d+ are there/);
      }),
      { numRuns: 40 },
    );
    expect(await openExt4(bytesSource(bytes.subarray(0, 2047)))).toBeUndefined();
    expect(await openExt4(bytesSource(new Uint8Array(4096)))).toBeUndefined();
  });

  it("has a bounded list of problems", async () => {
    const { bytes, at } = await made(everything);
    for (let inode = 12; inode < 150; inode++) bytes[at(inode) + 0x64]! ^= 1;
    const volume = await opened(bytes);
    await collected(volume.entries()).catch(() => []);
    expect(volume.problems).toHaveLength(101);
    expect(volume.problems[0]).toMatch(/^inode \d+: its checksum does not match$/);
    expect(volume.problems[100]).toMatch(/^… and \d+ more$/);
  });

  it("has its group descriptors checked without metadata_csum, too", async () => {
    const { bytes } = await made(everything, { features: ["^metadata_csum", "uninit_bg"] });
    expect(await verdict(bytes)).toEqual([]);
    bytes[2048 + 0x0c]! ^= 1;
    expect(await verdict(bytes)).toEqual(["the descriptor of group 0: its checksum does not match"]);
  });

  it("may lead in circles, and is left", async () => {
    const entries: Entry[] = [
      { path: "a/b/c", type: "file" },
      { path: "pieces", type: "file", content: patterned(400 * 2048, 7), data: everything[2]!.data! },
      { path: "far", type: "file", content: patterned(400 * 2048, 7) },
    ];
    const extents = await made(entries, { features: WITHOUT_CHECKSUMS });
    const { bytes, view, at, inodes, plan } = extents;
    const attempt = async (change: (view: DataView) => void): Promise<readonly string[]> => {
      const before = bytes.slice();
      change(view);
      const problems = await verdict(bytes);
      bytes.set(before);
      return problems;
    };
    const directory = view.getUint32(at("a/b") + 0x28 + 12 + 8, true) * 1024;
    expect(view.getUint32(directory + 24, true)).toBe(inodes.get("a/b/c"));
    // A name below a directory leads back to it.
    expect(
      await attempt(() => {
        view.setUint32(directory + 24, inodes.get("a")!, true);
        view.setUint8(directory + 24 + 7, 2);
      }),
    ).toEqual([`directory inode ${inodes.get("a")} is reached twice`]);
    // A node of the tree is its own child, and one child has many parents.
    const root = at("pieces") + 0x28;
    expect(view.getUint16(root + 6, true)).toBe(2);
    const node = view.getUint32(root + 12 + 4, true) * 1024;
    expect(await attempt(() => view.setUint32(node + 12 + 4, node / 1024, true))).toEqual([
      expect.stringMatching(/^the extent tree of inode \d+ is damaged: a node has the depth 1$/),
      `inode ${inodes.get("pieces")} has block ${node / 1024}, which something else has, too`,
    ]);
    expect(
      await attempt(() => {
        const child = view.getUint32(node + 12 + 4, true);
        for (let entry = 1; entry < 5; entry++) view.setUint32(node + 12 + 12 * entry + 4, child, true);
      }),
    ).toEqual([
      expect.stringMatching(/^the extent tree of inode \d+ is damaged: its entries do not ascend at 0$/),
      expect.stringMatching(/^inode \d+ has block \d+, which something else has, too$/),
    ]);
    // Two extents of a directory name the same block.
    expect(
      await attempt(() => {
        const inode = at("a/b");
        view.setUint32(inode + 4, 2048, true);
        view.setUint16(inode + 0x28 + 2, 2, true);
        view.setUint32(inode + 0x28 + 24, 1, true);
        view.setUint16(inode + 0x28 + 28, 1, true);
        view.setUint32(inode + 0x28 + 32, directory / 1024, true);
      }),
    ).toEqual([
      `directory inode ${inodes.get("a/b")} has block ${directory / 1024} twice`,
      `inode ${inodes.get("a/b")} has block ${directory / 1024}, which something else has, too`,
      `inode ${inodes.get("a/b")} counts 2 sectors, but has 4`,
    ]);
    expect(plan.geometry.groups).toBe(1);

    const maps = await made(entries, { features: [...WITHOUT_CHECKSUMS, "^extent", "^64bit"] });
    const far = maps.at("far");
    const doubly = maps.view.getUint32(far + 0x28 + 4 * 13, true);
    maps.view.setUint32(doubly * 1024 + 4, doubly, true);
    expect(await verdict(maps.bytes)).toEqual([
      `the block map of inode ${maps.inodes.get("far")} reaches block ${doubly} twice`,
    ]);
  });

  it("that claims the same directory for many inodes is left", async () => {
    const names = Array.from({ length: 400 }, (_, index): Entry => ({ path: `d/${index}`, type: "file" }));
    const others = Array.from(
      { length: 200 },
      (_, index): Entry => ({ path: `e${index}`, type: "directory" }),
    );
    const { bytes, view, at } = await made([...names, ...others], {
      features: [...WITHOUT_CHECKSUMS, "^dir_index"],
    });
    for (let index = 0; index < 200; index++) {
      const from = at("d");
      bytes.copyWithin(at(`e${index}`) + 0x28, from + 0x28, from + 0x28 + 60);
      view.setUint32(at(`e${index}`) + 4, view.getUint32(from + 4, true), true);
    }
    expect((await verdict(bytes))[0]).toBe("the directories share blocks");
  });

  it("that claims a file of exabytes takes neither memory nor time", async () => {
    const { bytes, view, at } = await made([{ path: "f", type: "file", content: "data" }], {
      features: WITHOUT_CHECKSUMS,
    });
    view.setUint32(at("f") + 0x6c, 2 ** 10 - 1, true);
    const volume = await opened(bytes);
    const content = await volume.open("f");
    expect(content.size).toBe((2 ** 10 - 1) * 2 ** 32 + 4);
    expect(await content.read(content.size - 100, 100)).toEqual(new Uint8Array(100));
    await expect(volume.readFile("f")).rejects.toThrow(/too many to hold in memory: use open\(\)/);
    view.setUint32(at("f") + 0x6c, 2 ** 20, true);
    await expect((await opened(bytes)).open("f")).rejects.toThrow(/more than 4294967296 blocks can hold/);
    view.setUint32(at("f") + 0x6c, 2 ** 31, true);
    await expect((await opened(bytes)).open("f")).rejects.toThrow(/the impossible size/);
  });

  it("has no names that would lead out of a directory", async () => {
    const { bytes, view, at } = await made(
      [
        { path: "d/aaaaaaaa", type: "file" },
        { path: "d/bbbbbbbb", type: "symlink", target: "/etc" },
      ],
      { features: WITHOUT_CHECKSUMS },
    );
    const first = view.getUint32(at("d") + 0x28 + 12 + 8, true) * 1024 + 24 + 8;
    expect(text(bytes.subarray(first, first + 8))).toBe("aaaaaaaa");
    for (const [name, problem] of [
      ["../../xx", /has the impossible name "..\/..\/xx"$/],
      ["a\0aaaaaa", /has the impossible name "a\\x00aaaaaa"$/],
      ["bbbbbbbb", /^directory inode \d+ has the name "bbbbbbbb" twice$/],
    ] as const) {
      bytes.set(utf8(name), first);
      expect((await verdict(bytes))[0]).toMatch(problem);
    }
  });

  it("names what else is wrong", async () => {
    const { bytes, view, at, inodes } = await made(
      [
        { path: "d/file", type: "file" },
        { path: "f", type: "file", content: "f" },
      ],
      { features: WITHOUT_CHECKSUMS },
    );
    const attempt = async (change: () => void): Promise<readonly string[]> => {
      const before = bytes.slice();
      change();
      const problems = await verdict(bytes);
      bytes.set(before);
      return problems;
    };
    const d = inodes.get("d")!;
    const block = view.getUint32(at("d") + 0x28 + 12 + 8, true) * 1024;
    const cases: [() => void, RegExp][] = [
      [() => view.setUint32(block, 3, true), new RegExp(`^directory inode ${d}: "." leads to inode 3$`)],
      [() => view.setUint32(block + 12, 3, true), /^\/d: ".." leads to inode 3$/],
      [() => view.setUint8(block + 24 + 7, 2), /^\/d\/file is a file, but its directory says directory$/],
      [
        () => view.setUint32(block + 24, 2 ** 31, true),
        /"file" leads to inode 2147483648, which there is not$/,
      ],
      [() => view.setUint16(at("f") + 0x1a, 0, true), /^inode \d+ has a name, but counts no links$/],
      [() => view.setUint16(at("f"), 0, true), /has the impossible mode 00$/],
      [() => view.setUint32(at("d") + 4, 4096, true), /has 4 blocks, but 3 lack$/],
      [() => view.setUint16(at("f") + 0x80, 400, true), /claims 400 bytes of fields behind the first 128$/],
      [
        () => view.setUint32(at("f") + 0x28 + 20, 2 ** 31, true),
        /names blocks 2147483648 to 2147483649 of \d+$/,
      ],
      [
        () => view.setUint32(at("f") + 0x68, 2 ** 31, true),
        /should lie in block 2147483648, but the filesystem has \d+$/,
      ],
      [() => view.setUint32(2048 + 8, 2 ** 31, true), /puts its inode table into block 2147483648/],
      [() => view.setUint16(1024 + 0x3a, 2, true), /^the filesystem is marked as damaged: run e2fsck$/],
      [() => view.setUint16(1024 + 0x3a, 0, true), /^the filesystem was not unmounted: run e2fsck$/],
      [
        () => view.setUint32(1024 + 0xe8, 12, true),
        /^files that were deleted while in use wait for their removal/,
      ],
      [() => view.setUint16(1024 + 0x58, 100, true), /impossible sizes: inodes of 100 bytes/],
      [() => view.setUint32(1024 + 0x28, 0, true), /impossible sizes: 0 inodes in a group/],
      [() => view.setUint32(1024 + 0x20, 0, true), /impossible sizes: 0 blocks in a group/],
      [() => view.setUint32(1024, 2 ** 32 - 1, true), /impossible sizes: 4294967295 inodes/],
      [() => view.setUint16(1024 + 0xfe, 0, true), /impossible sizes: group descriptors of 0 bytes/],
    ];
    for (const [change, problem] of cases) expect((await attempt(change)).join("\n")).toMatch(problem);
    expect(await verdict(bytes)).toEqual([]);
  });

  it("notices a value of an attribute that is not what was set", async () => {
    const image = await made(everything);
    const { bytes, view, at } = image;
    const [value] = valueInodes(image);
    const content = view.getUint32(at(value!) + 0x28 + 12 + 8, true) * 1024;
    bytes[content]! ^= 1;
    expect(await verdict(bytes)).toEqual([
      expect.stringMatching(
        /^inode \d+, which holds the extended attribute "user\.\w+" of inode \d+, does not match its hash$/,
      ),
    ]);
  });
});

/** The ranges of an image that a reader of everything reads and that checksums cover. */
function checksummed(image: Image): { start: number; length: number }[] {
  const { bytes, view, plan, inodes, at } = image;
  const { blockSize, inodeSize } = plan.design;
  const ranges = [
    // But not the number that says that there is a filesystem at all.
    { start: 1024, length: 0x38 },
    { start: 1024 + 0x3a, length: 1024 - 0x3a },
    { start: 2048, length: 64 },
  ];
  expect(plan.geometry.groups).toBe(1);
  for (const inode of [...inodes.values(), ...valueInodes(image)])
    ranges.push({ start: at(inode), length: inodeSize });
  for (const { what, position, length } of plan.regions()) {
    if (what === "extent tree" || what === "block map") ranges.push({ start: position, length });
    // A block of them, or a value of 3000 bytes in blocks of its own, of which a hash lies in its inode.
    if (what === "extended attributes") ranges.push({ start: position, length: Math.min(length, 3000) });
    if (what !== "directory") continue;
    for (let start = position; start < position + length; start += blockSize) {
      const isRoot = bytes[start + 8] === 0x2e && view.getUint16(start + 16, true) === blockSize - 12;
      const isNode = view.getUint32(start, true) === 0 && view.getUint16(start + 4, true) === blockSize;
      const entries = isRoot ? 0x20 : 0x08;
      const used = isRoot || isNode ? entries + 8 * view.getUint16(start + entries + 2, true) : blockSize;
      ranges.push({ start, length: used });
    }
  }
  return ranges;
}

/** The inodes that hold values of attributes. */
function valueInodes({ plan, view, at }: Image): number[] {
  const all = Array.from({ length: plan.inventory.lastInode }, (_, index) => index + 1);
  return all.filter((inode) => (view.getUint32(at(inode) + 0x20, true) & 0x200000) !== 0);
}
