import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { DiskwrightError } from "../../src/errors.ts";
import { type Ext4Volume, openExt4 } from "../../src/ext4/index.ts";
import { bytesSource } from "../../src/extents/index.ts";
import { fileSource } from "../../src/node/index.ts";
import { makeHostTree } from "../support/host-tree.ts";
import { setXattr } from "../support/host-xattrs.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { type Seen, seenInVolume, seenOnHost } from "../support/volume-snapshot.ts";
import { acl } from "../support/xattrs.ts";

const scratch = scratchDirectory();
const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";

/** An empty image of a size such as "64M", which mke2fs then fills. */
function made(name: string, size: number, flags: readonly string[]): string {
  const path = join(scratch, name);
  rmSync(path, { force: true });
  writeFileSync(path, "");
  truncateSync(path, size);
  const { status, output } = run("mke2fs", ["-q", "-F", "-U", uuid, ...flags, path]);
  expect(status, output).toBe(0);
  return path;
}

async function reading<Result>(path: string, look: (volume: Ext4Volume) => Promise<Result>): Promise<Result> {
  const source = fileSource(path);
  try {
    return await look((await openExt4(source))!);
  } finally {
    source.close();
  }
}

/** What mke2fs takes over from a source: not the root's own metadata, and of times only whole seconds. */
function comparable(seen: Map<string, Seen>): Map<string, unknown> {
  const entries = [...seen].filter(([path]) => path !== "" && path !== "lost+found");
  return new Map(
    entries.sort().map(([path, { times, allocated, links, ...rest }]) => {
      const seconds = Number(times.mtime / 1_000_000_000n);
      // It wraps times outside of this range.
      const mtime = seconds > 0 && seconds < 2 ** 31 ? seconds : undefined;
      return [path, { ...rest, mtime, links: rest.type === "file" ? links : undefined }];
    }),
  );
}

describeWith(["mke2fs", "dumpe2fs"], "filesystems of mke2fs", () => {
  const tree = join(scratch, "tree");
  let expected: Map<string, unknown>;
  let sizes: Map<string, number | undefined>;

  beforeAll(async () => {
    await makeHostTree(tree);
    // Far behind holes: with small blocks a map of three levels leads there.
    const descriptor = openSync(join(tree, "far"), "w");
    ftruncateSync(descriptor, 80 << 20);
    for (const place of [0, 11, 12, 268, 300, 65_803, 65_804, 70_000])
      writeSync(descriptor, "data", place * 1024);
    closeSync(descriptor);
    for (const length of [59, 60, 61, 100, 150, 160, 300]) {
      writeFileSync(join(tree, `small ${length}`), Buffer.alloc(length, "small"));
      symlinkSync("l".repeat(length), join(tree, `symlink ${length}`));
    }
    mkdirSync(join(tree, "few"));
    for (const name of ["one", "two", "a third name"]) writeFileSync(join(tree, "few", name), name);
    setXattr(join(tree, "one"), "user.short", "value");
    setXattr(join(tree, "one"), "user.long", Buffer.alloc(600, "long"));
    setXattr(join(tree, "block"), "user.empty", "");
    setXattr(join(tree, "small 59"), "user.beside", "inline data");
    setXattr(join(tree, "few"), "user.directory", "d");
    setXattr(
      join(tree, "block"),
      "system.posix_acl_access",
      acl([0x01, 6], [0x02, 4, 1000], [0x04, 4], [0x10, 4], [0x20, 0]),
    );
    const seen = seenOnHost(tree);
    expected = comparable(seen);
    sizes = new Map([...seen].map(([path, { size }]) => [path, size]));
  });

  it.each<[string]>([
    ["-t ext2 -b 1024"],
    ["-t ext2 -b 4096"],
    ["-t ext2 -b 2048 -I 128"],
    ["-t ext2 -b 1024 -O ^filetype,^sparse_super,^resize_inode"],
    ["-t ext3 -b 1024"],
    ["-t ext4 -b 1024"],
    ["-t ext4 -b 2048"],
    ["-t ext4 -b 4096"],
    ["-t ext4 -b 4096 -I 128"],
    ["-t ext4 -b 4096 -I 512"],
    ["-t ext4 -b 1024 -O ^extent,^64bit"],
    ["-t ext4 -b 4096 -O ^64bit"],
    ["-t ext4 -b 4096 -O ^metadata_csum"],
    ["-t ext4 -b 1024 -O ^metadata_csum,uninit_bg"],
    ["-t ext4 -b 1024 -O ^metadata_csum,uninit_bg,^64bit"],
    ["-t ext4 -b 1024 -O meta_bg,^resize_inode"],
    ["-t ext4 -b 1024 -O meta_bg,^resize_inode,^64bit,^sparse_super,^flex_bg"],
    ["-t ext4 -b 1024 -O sparse_super2"],
    ["-t ext4 -b 1024 -O sparse_super2,meta_bg,^resize_inode"],
    ["-t ext4 -b 4096 -O bigalloc -C 16384"],
    ["-t ext4 -b 1024 -O bigalloc -C 16384"],
    ["-t ext4 -b 1024 -O bigalloc,meta_bg,^resize_inode -C 16384"],
    ["-t ext4 -b 4096 -O inline_data"],
    ["-t ext4 -b 1024 -I 512 -O inline_data"],
    ["-t ext4 -b 4096 -O inline_data,^metadata_csum,^filetype"],
    ["-t ext4 -b 1024 -O large_dir,ea_inode"],
    ["-t ext4 -b 4096 -O casefold,encrypt,stable_inodes,verity,project,quota"],
    ["-t ext4 -b 4096 -O orphan_file,metadata_csum_seed,fast_commit,mmp"],
    ["-t ext4 -b 4096 -O ^flex_bg,^dir_index,^extra_isize,^huge_file,^large_file"],
    ["-t ext4 -b 65536"],
    ["-t ext2 -b 65536"],
  ])("made with %s read as the directory that they were made from", async (flags) => {
    const isLarge = flags.includes("65536");
    const path = made("made.img", (isLarge ? 192 : 48) << 20, [
      ...flags.split(" "),
      "-N",
      "1024",
      "-d",
      tree,
    ]);
    await reading(path, async (volume) => {
      const seen = await seenInVolume(volume);
      if (flags.includes("inline_data")) {
        // There mke2fs forgets the hole at the end of a file.
        for (const name of ["far", "sparse"]) seen.set(name, { ...seen.get(name)!, size: sizes.get(name) });
      }
      expect(comparable(seen)).toEqual(expected);
      expect(await volume.check()).toEqual([]);
      expect(volume.journal.state).toBe(volume.features.includes("has_journal") ? "clean" : "none");
    });
  });

  it("with damaged inline data end in an error of the reader or in problems", async () => {
    const small = join(scratch, "small");
    mkdirSync(join(small, "directory"), { recursive: true });
    for (const name of ["one", "two", "three", "directory/four"]) {
      writeFileSync(join(small, name), name.repeat(20));
      setXattr(join(small, name), "user.name", name);
    }
    symlinkSync("s".repeat(70), join(small, "symlink"));
    const flags = ["-t", "ext4", "-O", "inline_data,^metadata_csum,^has_journal", "-d", small];
    const image = readFileSync(made("inline.img", 1 << 20, flags));
    const inodes = run("dumpe2fs", [join(scratch, "inline.img")]).stdout;
    const table = Number(/Inode table at (\d+)/.exec(inodes)![1]) * 1024;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(20 * 256 - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const bytes = new Uint8Array(image);
          for (const [at, value] of changes) bytes[table + at] = value;
          const volume = (await openExt4(bytesSource(bytes)))!;
          try {
            for await (const { inode, type } of volume.entries()) {
              await volume.xattrs(inode);
              if (type !== "file") continue;
              const content = await volume.open(inode);
              await content.read(0, Math.min(content.size, 10_000));
            }
          } catch (error) {
            expect(error).toBeInstanceOf(DiskwrightError);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("give holes and data of a file at any position", async () => {
    for (const flags of [
      ["-t", "ext2", "-b", "1024"],
      ["-t", "ext4"],
    ]) {
      const path = made("made.img", 48 << 20, [...flags, "-N", "1024", "-d", tree]);
      await reading(path, async (volume) => {
        const whole = readFileSync(join(tree, "far"));
        const content = await volume.open("far");
        expect(content.size).toBe(whole.length);
        for (const [offset, length] of [
          [0, 10],
          [1, 20_000],
          [12_000, 1_000],
          [268 * 1024 - 5, 40_000],
          [65_803 * 1024 - 100, 3000],
          [whole.length - 7, 7],
          [whole.length, 0],
        ] as const) {
          const bytes = await content.read(offset, length);
          expect(Buffer.compare(bytes, whole.subarray(offset, offset + length))).toBe(0);
        }
        expect(Buffer.compare(await volume.readFile("/sparse"), readFileSync(join(tree, "sparse")))).toBe(0);
      });
    }
  });
});

const FILL = `
import ctypes, os, sys
root, block = sys.argv[1], int(sys.argv[2])
# With small blocks enough for an index of two levels.
count = 3000 if block == 1024 else 500
libc = ctypes.CDLL(None, use_errno=True)
def fallocate(fd, mode, offset, length):
    return libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length))
def at(name): return os.path.join(root, name)
def write(name, data, flags=os.O_RDWR | os.O_CREAT, offset=0):
    fd = os.open(at(name), flags, 0o640)
    os.pwrite(fd, data, offset)
    return fd
os.mkdir(at("many"))
for i in range(count): os.close(os.open(at("many/a name of some length, number %d" % i), os.O_CREAT | os.O_WRONLY))
for i in range(0, count, 3): os.unlink(at("many/a name of some length, number %d" % i))
for i in range(60): os.mkdir(at("many/directory %d" % i))
fd = write("set aside", b"x" * 100)
fallocate(fd, 0, 0, 400 * 1024)
os.pwrite(fd, b"middle" * 1000, 100 * 1024)
os.close(fd)
fd = write("behind the end", b"short")
fallocate(fd, 1, 0, 300 * 1024)
os.close(fd)
fd = write("punched", b"p" * (256 * 1024))
fallocate(fd, 3, 64 * 1024, 64 * 1024)
os.close(fd)
fd = write("in pieces", b"")
for i in range(700): os.pwrite(fd, b"piece %d" % i, 2 * i * block)
os.close(fd)
fd = write("appended", b"")
for i in range(50): os.pwrite(fd, b"line %d\\n" % i, os.fstat(fd).st_size)
os.close(fd)
fd = write("far", b"far", offset=100 << 20)
os.ftruncate(fd, 200 << 20)
os.close(fd)
for n in (0, 1, 59, 60, 61, 100, 130, 200):
    os.close(write("small %d" % n, b"s" * n))
    if n: os.symlink("t" * n, at("symlink %d" % n))
os.close(write("grown", b"grown"))
os.truncate(at("grown"), 100000)
os.close(write("shrunk", b"s" * 50000))
os.truncate(at("shrunk"), 33)
os.link(at("appended"), at("many/linked"))
os.mkdir(at("small directory"))
for i in range(4): os.close(os.open(at("small directory/%d" % i), os.O_CREAT | os.O_WRONLY))
os.mknod(at("device"), 0o60600, os.makedev(259, 70000))
os.mkfifo(at("fifo"))
os.chown(at("appended"), 70000, 4294967294)
os.utime(at("appended"), ns=(1, 1700000000123456789))
if "after 2038" in sys.argv: os.utime(at("punched"), ns=(-86400000000001, 9000000000000000001))
os.setxattr(at("appended"), "user.a", b"1")
os.setxattr(at("appended"), "user.block", b"b" * 700)
os.setxattr(at("small 59"), "trusted.beside", b"inline")
os.setxattr(at("many"), "user.on a directory", b"")
if "values" in sys.argv:
    os.setxattr(at("far"), "user.huge", bytes(range(256)) * 100)
    os.setxattr(at("punched"), "user.huge", bytes(range(256)) * 100)
    os.setxattr(at("punched"), "user.other", b"o" * 5000)
os.close(write("deleted", b"d" * 10000))
os.unlink(at("deleted"))
`;

describeWith(["mke2fs", "mount", "python3"], "filesystems that a kernel wrote", () => {
  it.each<[string]>([
    ["-t ext2 -b 1024"],
    ["-t ext3 -b 4096 -I 128"],
    ["-t ext4 -b 4096"],
    ["-t ext4 -b 2048 -O ^extent,^64bit"],
    ["-t ext4 -b 2048 -O ^metadata_csum,uninit_bg"],
    ["-t ext4 -b 1024 -O inline_data,ea_inode"],
    ["-t ext4 -b 4096 -I 1024 -O inline_data"],
    ["-t ext4 -b 1024 -O ea_inode,large_dir,metadata_csum_seed,orphan_file"],
    ["-t ext4 -b 4096 -O bigalloc,meta_bg,^resize_inode -C 16384"],
    ["-t ext4 -b 1024 -O ^has_journal,sparse_super2,^flex_bg"],
  ])("on what was made with %s read as the kernel shows them", async (flags) => {
    const path = made("kernel.img", 64 << 20, flags.split(" "));
    const blockSize = /-b (\d+)/.exec(flags)![1]!;
    const extra = [
      ...(flags.includes("-I 128") || flags.includes("ext2") ? [] : ["after 2038"]),
      ...(flags.includes("ea_inode") ? ["values"] : []),
    ];
    let kernel: Map<string, Seen> | undefined;
    const isMounted = withMount(path, "rw,noatime", (mountPoint) => {
      expect(run("python3", ["-c", FILL, mountPoint, blockSize, ...extra]).output).toBe("");
      run("sync", ["-f", mountPoint]);
      kernel = seenOnHost(mountPoint);
    });
    if (!isMounted) return;
    await reading(path, async (volume) => {
      const seen = await seenInVolume(volume);
      expect(volume.problems).toEqual([]);
      const hasInline = volume.features.includes("inline_data");
      const sorted = (entries: Map<string, Seen>): unknown[] =>
        [...entries].sort().map(([path, { times, allocated, ...rest }]) => {
          // A kernel has no time of creation to show when the inode has no room for it.
          const crtime = seen.get(path)?.times.crtime === undefined ? undefined : times.crtime;
          // It counts inline content as blocks when it is asked, but does not store that.
          return [path, { ...rest, times: { ...times, crtime }, allocated: hasInline ? 0 : allocated }];
        });
      expect(sorted(seen)).toEqual(sorted(kernel!));
    });
  });

  it("name what an unclean filesystem needs, and read on", async () => {
    const path = made("dirty.img", 32 << 20, ["-t", "ext4"]);
    const copy = join(scratch, "copy.img");
    const isMounted = withMount(path, "rw", (mountPoint) => {
      writeFileSync(join(mountPoint, "file"), "content");
      run("sync", ["-f", mountPoint]);
      writeFileSync(join(mountPoint, "other"), "content");
      run("sync", ["-f", mountPoint]);
      writeFileSync(copy, readFileSync(path));
    });
    if (!isMounted) return;
    await reading(copy, async (volume) => {
      expect(volume.journal).toEqual({ state: "needs replay", size: 4 << 20 });
      expect(volume.problems).toContain("the journal has to be replayed: mount it once or run e2fsck");
      expect((await volume.stat("/")).type).toBe("directory");
    });
    await reading(path, async (volume) => expect(volume.journal.state).toBe("clean"));
  });
});

describeWith(["mke2fs", "debugfs", "tune2fs"], "filesystems that debugfs or tune2fs changed", () => {
  it("name a feature that is not read, and still say what they are", async () => {
    const path = made("feature.img", 8 << 20, ["-t", "ext4", "-L", "label"]);
    run("debugfs", ["-w", "-R", "feature dirdata", path]);
    await reading(path, async (volume) => {
      expect(volume.label).toBe("label");
      await expect(volume.stat("/")).rejects.toMatchObject({ code: "SOURCE_UNREADABLE" });
      await expect(volume.entries().next()).rejects.toThrow(/features that cannot be read: dirdata/);
    });
  });

  it("tell orphans, errors and a device for the journal", async () => {
    const path = made("state.img", 8 << 20, ["-t", "ext4"]);
    run("debugfs", ["-w", "-R", "ssv last_orphan 12", path]);
    run("debugfs", ["-w", "-R", "ssv state 2", path]);
    await reading(path, async (volume) => {
      expect(volume.problems).toEqual([
        "the filesystem is marked as damaged: run e2fsck",
        "files that were deleted while in use wait for their removal: mount it once or run e2fsck",
      ]);
    });
    const journal = made("journal.img", 8 << 20, ["-O", "journal_dev", "-b", "4096"]);
    await reading(journal, async (volume) => {
      expect(volume.problems.join()).toContain("journal_dev");
    });
  });

  it("have no problems when checksums were taken away or changed", async () => {
    const path = made("tuned.img", 16 << 20, [
      "-t",
      "ext4",
      "-d",
      scratch === "" ? "" : join(scratch, "tree/few"),
    ]);
    for (const change of ["^metadata_csum", "uninit_bg", "metadata_csum", "metadata_csum_seed"]) {
      run("tune2fs", ["-O", change, path]);
      expect(run("e2fsck", ["-fyD", path]).status).toBeLessThan(4);
      await reading(path, async (volume) => {
        expect((await seenInVolume(volume)).get("one")!.size).toBe(3);
        expect(volume.problems).toEqual([]);
      });
    }
  });
});
