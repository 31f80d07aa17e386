import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setAttributeSync } from "@napi-rs/xattr";
import { expect, it } from "vitest";
import { MIB, utf8 } from "../../src/bytes/index.ts";
import { openExt4 } from "../../src/ext4/index.ts";
import { sourceWindow } from "../../src/extents/index.ts";
import { describeDisk, harvest } from "../../src/harvest/index.ts";
import { type ImagePlan, type ImageSpec, image, plan, write } from "../../src/image/index.ts";
import type { Layout } from "../../src/layouts/index.ts";
import { fileSource, fileTarget } from "../../src/node/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { copyPart, expectCleanExt4, expectCleanFat, expectCleanGpt } from "../support/judges.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { patterned } from "../support/trees.ts";
import { type Seen, seenInVolume, seenOnHost } from "../support/volume-snapshot.ts";
import { acl } from "../support/xattrs.ts";

const scratch = scratchDirectory();
const time = 1_700_000_000;

/** What distinguishes trees: all but what a filesystem counts or notes for itself. */
function told(seen: ReadonlyMap<string, Seen>, withXattrs = true): unknown[] {
  return [...seen]
    .filter(([path]) => path !== "lost+found")
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, { times, allocated: _, xattrs, links, type, ...rest }]) => [
      path,
      type,
      // A directory counts its subdirectories, lost+found among them.
      type === "directory" ? undefined : links,
      rest,
      times.mtime,
      withXattrs ? xattrs : undefined,
    ]);
}

const everything: Entry[] = [
  { path: "etc", type: "directory", mode: 0o755, mtime: 1_600_000_000_123_456_789n },
  { path: "etc/passwd", type: "file", content: "root:x:0:0::/:/bin/sh\n", mtime: -5_000_000_001n },
  {
    path: "etc/shadow",
    type: "file",
    mode: 0o640,
    gid: 42,
    content: "root:*:\n",
    mtime: 10_000_000_000_000_000_007n,
    xattrs: new Map([
      ["user.comment", utf8("secret")],
      ["system.posix_acl_access", acl([0x01, 6], [0x02, 4, 1000], [0x04, 4], [0x10, 4], [0x20, 0])],
    ]),
  },
  { path: "usr/bin/ping", type: "file", mode: 0o755, content: patterned(70_000, 3) },
  { path: "usr/bin/ping4", type: "hardlink", target: "usr/bin/ping" },
  { path: "usr/lib/large", type: "file", content: patterned(3_000_000, 5), mode: 0o4755, uid: 70_000 },
  {
    path: "usr/lib/holes",
    type: "file",
    content: patterned(4_000_000, 9),
    data: [3, 4, 500, 900].map((block) => ({ offset: block * 4096, length: 4096 })),
  },
  { path: "bin", type: "symlink", target: "usr/bin" },
  { path: "long", type: "symlink", target: "x/".repeat(200) },
  { path: "dev/null", type: "character", device: { major: 1, minor: 3 }, mode: 0o666 },
  { path: "dev/far", type: "block", device: { major: 259, minor: 70_000 } },
  { path: "run/pipe", type: "fifo" },
  { path: Uint8Array.of(0x61, 0xff, 0xfe), type: "file", content: "no UTF-8" },
  ...Array.from(
    { length: 600 },
    (_, index): Entry => ({ path: `many/name ${index}`, type: "file", content: "x".repeat(index) }),
  ),
];

async function build(
  name: string,
  spec: Omit<ImageSpec, "root">,
  entries = everything,
): Promise<{ path: string; original: ImagePlan }> {
  const original = plan(image({ root: treeOf(entries), additionalSpace: 20 * MIB, ...spec }));
  const path = join(scratch, name);
  await write(original, fileTarget(path, { force: true }));
  return { path, original };
}

/** Writes what a disk holds as a new one, and says what was to be warned of. */
async function rewrite(
  path: string,
  original: ImagePlan,
  name: string,
): Promise<{ path: string; planned: ImagePlan; warnings: readonly string[] }> {
  const disk = fileSource(path);
  try {
    const { image: harvested, warnings } = await harvest(disk, original);
    const planned = plan(harvested);
    const to = join(scratch, name);
    await write(planned, fileTarget(to, { force: true }));
    return { path: to, planned, warnings };
  } finally {
    disk.close();
  }
}

const rootOf = ({ partitions }: ImagePlan) => partitions.find(({ mount }) => mount === "/")!;

/** Looks at the root filesystem of a disk as a kernel mounts it; `undefined` where the host has no loop devices. */
function mountedRoot<Result>(
  path: string,
  planned: ImagePlan,
  mode: "rw" | "ro",
  look: (mountPoint: string) => Result,
): Result | undefined {
  const { offset, size } = rootOf(planned);
  let result: Result | undefined;
  withMount(path, `${mode},offset=${offset},sizelimit=${size}`, (mountPoint) => {
    result = look(mountPoint);
  });
  return result;
}

async function seenByUs(path: string, planned: ImagePlan): Promise<Map<string, Seen>> {
  const { offset, size } = rootOf(planned);
  const disk = fileSource(path);
  try {
    return await seenInVolume((await openExt4(sourceWindow(disk, offset, size)))!);
  } finally {
    disk.close();
  }
}

async function expectCleanRoot(path: string, planned: ImagePlan): Promise<void> {
  const { offset, size } = rootOf(planned);
  const part = join(scratch, "part.img");
  await copyPart(path, offset, size, part);
  expectCleanExt4(part);
}

const CHANGES = `
set -e
cd "$1"
rm etc/passwd usr/bin/ping4 many/*7
mv usr/lib/large usr/lib/grown
mv many/'name 12' etc/moved
printf 'more' >> usr/lib/grown
truncate -s 9000000 usr/lib/grown
printf 'new' > etc/new; chmod 4711 etc/new; chown 12:345678 etc/new
ln etc/new usr/new-too
ln -s ../etc/new usr/link
mknod dev/tty c 4 64
mkdir -p deep/a/b/c/d/e/f/g/h
dd if=/dev/urandom of=deep/a/b/c/random bs=1000 count=700 2>/dev/null
dd if=/dev/zero of=deep/zeros bs=64k count=10 2>/dev/null
dd if=/dev/urandom of=deep/sparse bs=4096 count=1 seek=300 2>/dev/null
for i in $(seq 900); do echo $i > "many/later $i"; done
rm -rf run
`;

describeWith(["e2fsck", "mount"], "a disk that a kernel has changed", () => {
  it.each(["none", "legacy", "efi", "hybrid"] as const)(
    "holds what the kernel showed: %s",
    async (layout) => {
      const { path, original } = await build(`${layout}.img`, { layout });
      const shown = mountedRoot(path, original, "rw", (mountPoint) => {
        expect(run("sh", ["-c", CHANGES, "sh", mountPoint]).output).toBe("");
        const attributes = { "user.new": "1", "user.large": "v".repeat(2000), "trusted.t": "2" };
        for (const [name, value] of Object.entries(attributes)) {
          setAttributeSync(join(mountPoint, "etc/new"), name, value);
        }
        return seenOnHost(mountPoint);
      });
      if (shown === undefined) return;
      const { path: again, planned, warnings } = await rewrite(path, original, `${layout}-again.img`);
      expect(warnings).toEqual([]);
      await expectCleanRoot(again, planned);
      expect(told(mountedRoot(again, planned, "ro", seenOnHost)!)).toEqual(told(shown));
      expect(told(await seenByUs(again, planned), false)).toEqual(told(shown, false));
    },
  );

  it("is the same disk after another history of the same tree", async () => {
    const histories = [
      {
        script:
          "rm -r many; printf one > a; printf two > b; mkdir -p d/e; ln a d/link; cp usr/lib/large d/e/f",
        attributes: [
          ["user.x", "1"],
          ["user.y", "2"],
        ],
      },
      {
        script: `mkdir -p d/e/tmp; for i in $(seq 500); do echo $i > d/e/tmp/$i; done; cat usr/lib/large > g
          printf two > a; printf x > b; mv a h; printf one > a; mv h b; ln a d/link; sync -f .; rm -r d/e/tmp many; mv g d/e/f`,
        attributes: [
          ["user.y", "2"],
          ["user.x", "0"],
          ["user.x", "1"],
        ],
      },
    ] as const;
    const sums: string[] = [];
    for (const [index, history] of histories.entries()) {
      const { path, original } = await build(`history-${index}.img`, { layout: "efi", time });
      const done = mountedRoot(path, original, "rw", (mountPoint) => {
        const script = `set -e; cd "$1"; ${history.script}; chmod 755 d/e/f; chown -R 0:0 d`;
        expect(run("sh", ["-c", script, "sh", mountPoint]).output).toBe("");
        for (const [name, value] of history.attributes) setAttributeSync(join(mountPoint, "a"), name, value);
        return true;
      });
      if (done === undefined) return;
      const { path: again } = await rewrite(path, original, `history-${index}-again.img`);
      const sum = run("sha256sum", [again]).stdout.split(" ")[0]!;
      sums.push(sum);
      expect(run("sha256sum", [path]).stdout.split(" ")[0]).not.toBe(sum);
    }
    expect(sums[0]).toBe(sums[1]);
  });

  it("tells of attributes that are lost", async () => {
    const { path, original } = await build("flags.img", { layout: "none" });
    const done = mountedRoot(path, original, "rw", (mountPoint) => {
      expect(run("chattr", ["+i", join(mountPoint, "etc/passwd")]).output).toBe("");
      expect(run("chattr", ["+Ad", join(mountPoint, "etc")]).output).toBe("");
      return true;
    });
    if (done === undefined) return;
    const { warnings } = await rewrite(path, original, "flags-again.img");
    expect(warnings).toEqual([
      "ROOT: 2 entries have attributes of chattr, which are not kept: /etc (dA), /etc/passwd (i)",
    ]);
  });

  it("is refused while its journal has to be replayed", async () => {
    const { path, original } = await build("mounted.img", { layout: "legacy" });
    const copy = join(scratch, "copy.img");
    const done = mountedRoot(path, original, "rw", (mountPoint) => {
      writeFileSync(join(mountPoint, "new"), "x");
      run("sync", ["--file-system", mountPoint]);
      copyFileSync(path, copy);
      return true;
    });
    if (done === undefined) return;
    await expect(rewrite(copy, original, "mounted-again.img")).rejects.toThrow(
      expect.objectContaining({
        code: "CORRUPT",
        partition: "ROOT",
        message: expect.stringContaining("the journal has to be replayed"),
      }),
    );
  });
});

describeWith(["debugfs", "e2fsck", "tune2fs"], "a filesystem that e2fsprogs have changed", () => {
  const changed = async (name: string, commands: readonly string[]) => {
    const { path, original } = await build(`${name}.img`, { layout: "none" });
    expect(run("debugfs", ["-w", "-f", "-", path], `${commands.join("\n")}\n`).stderr).toMatch(
      /^debugfs [\d.]+ .*\n$/,
    );
    return { path, original };
  };

  it("holds what debugfs put there", async () => {
    const file = join(scratch, "file");
    writeFileSync(file, "from debugfs");
    const { path, original } = await changed("debugfs", [
      `write ${file} etc/new`,
      "mkdir etc/d",
      `write ${file} etc/d/deeper`,
      "symlink etc/link ../bin",
      "ea_set etc/new user.from debugfs",
      "rm etc/passwd",
      "set_inode_field usr/bin/ping uid 70001",
    ]);
    const { path: again, planned } = await rewrite(path, original, "debugfs-again.img");
    await expectCleanRoot(again, planned);
    expect(told(await seenByUs(again, planned))).toEqual(told(await seenByUs(path, original)));
    const seen = await seenByUs(again, planned);
    expect(seen.get("etc/new")!.xattrs).toEqual({ "user.from": Buffer.from("debugfs").toString("hex") });
    expect(seen.has("etc/passwd")).toBe(false);
    expect(seen.get("usr/bin/ping")!.owner).toBe("70001:0");
  });

  it("keeps the UUID, the label and the features that it has now", async () => {
    const { path, original } = await build("tuned.img", { layout: "none" });
    const uuid = "12345678-9abc-4def-8123-456789abcdef";
    const options = [
      "-U",
      uuid,
      "-L",
      "renamed",
      "-O",
      "project,quota",
      "-m",
      "3",
      "-e",
      "remount-ro",
      "-c",
      "20",
    ];
    expect(run("tune2fs", [...options, path]).status).toBe(0);
    const { path: again, planned } = await rewrite(path, original, "tuned-again.img");
    await expectCleanRoot(again, planned);
    const facts = (image: string): string[] =>
      run("dumpe2fs", ["-h", image])
        .stdout.split("\n")
        .filter((line) =>
          /^Filesystem (UUID|volume|features)|^Inode count|^Block count|^Reserved block|^Errors|^Maximum/.test(
            line,
          ),
        );
    expect(facts(again)).toEqual(facts(path));
    expect(facts(again).join()).toContain(uuid);
  });
});

const FOREIGN: readonly (readonly [string, readonly string[]])[] = [
  ["of ext4", ["-t", "ext4"]],
  ["of ext2", ["-t", "ext2"]],
  ["of ext3 with blocks of 1 KiB", ["-t", "ext3", "-b", "1024"]],
  ["with small groups", ["-t", "ext4", "-g", "4096", "-N", "3000"]],
  ["with inodes of 512 bytes, and no reserve", ["-t", "ext4", "-I", "512", "-m", "0"]],
  ["with a journal and room to grow of its own", ["-t", "ext4", "-J", "size=6", "-E", "resize=3000000"]],
  [
    "without checksums and flex_bg",
    ["-t", "ext4", "-O", "^metadata_csum,^flex_bg", "-E", "hash_seed=00112233-4455-4677-8899-aabbccddeeff"],
  ],
  [
    "with what is new",
    [
      "-t",
      "ext4",
      "-O",
      "extent,64bit,metadata_csum,orphan_file,metadata_csum_seed,fast_commit,sparse_super2,large_dir,ea_inode",
    ],
  ],
  ["with inline data", ["-t", "ext4", "-O", "inline_data"]],
];

describeWith(["mke2fs", "e2fsck", "dumpe2fs", "sgdisk"], "a disk of others", () => {
  it.each(FOREIGN)("has the same filesystem when it is written by us: %s", async (_, options) => {
    const size = 64 * MIB;
    const path = join(scratch, "foreign.img");
    const staged = join(scratch, "staged");
    run("sh", [
      "-c",
      `rm -rf ${staged} ${path}; mkdir -p ${staged}/d; cp -a /usr/share/dict ${staged}/ 2>/dev/null; seq 90000 > ${staged}/d/n; seq 5 > ${staged}/small; ln ${staged}/small ${staged}/d/link; truncate -s ${size} ${path}`,
    ]);
    expect(run("mke2fs", ["-q", "-F", ...options, "-L", "theirs", "-d", staged, path]).output).toBe("");
    const disk = fileSource(path);
    const { spec, warnings } = await describeDisk(disk);
    expect(warnings).toEqual([]);
    const planned = plan(image(spec));
    const again = join(scratch, "foreign-again.img");
    await write(planned, fileTarget(again, { force: true }));
    expectCleanExt4(again);
    const before = (await openExt4(disk))!;
    expect(told(await seenInVolume((await openExt4(fileSource(again)))!))).toEqual(
      told(await seenInVolume(before)),
    );
    disk.close();
    const facts = (image: string): string[] =>
      run("dumpe2fs", ["-h", image])
        .stdout.split("\n")
        .filter((line) =>
          /^(Filesystem (volume|UUID|features)|Default (directory|mount)|Directory Hash|Inode (count|size)|(Reserved )?[Bb]lock (count|size)|Blocks per|Inodes per|Reserved GDT|Errors|Total journal|Maximum mount)/.test(
            line,
          ),
        );
    expect(facts(again)).toEqual(facts(path));
    expect(facts(again).length).toBeGreaterThan(12);
  });

  it("keeps table, kinds and content of all partitions", async () => {
    const path = join(scratch, "mixed.img");
    const parts = { fat: join(scratch, "fat.img"), ext4: join(scratch, "ext4.img") };
    run("sh", [
      "-c",
      `rm -f ${path} ${parts.fat} ${parts.ext4}; truncate -s 200M ${path}; truncate -s 40M ${parts.fat}; truncate -s 60M ${parts.ext4}`,
    ]);
    const script = [
      "-a",
      "2048",
      "-n",
      "3:1M:+40M",
      "-t",
      "3:ef00",
      "-c",
      "3:same",
      "-n",
      "1:50M:+60M",
      "-c",
      "1:same",
      "-A",
      "1:set:2",
      "-n",
      "2:120M:+4M",
      "-t",
      "2:8200",
      "-c",
      "2:",
    ];
    expect(run("sgdisk", [...script, path]).status).toBe(0);
    expect(run("mkfs.fat", ["-F", "32", "-n", "THEIRS", parts.fat]).status).toBe(0);
    expect(run("mmd", ["-i", parts.fat, "::/EFI"]).output).toBe("");
    writeFileSync(join(scratch, "x"), "content of a file");
    expect(run("mcopy", ["-i", parts.fat, join(scratch, "x"), "::/EFI/Long Name.txt"]).output).toBe("");
    expect(run("mke2fs", ["-q", "-F", "-t", "ext4", "-L", "root", parts.ext4]).stderr).toBe("");
    run("sh", [
      "-c",
      `dd if=${parts.fat} of=${path} bs=1M seek=1 conv=notrunc; dd if=${parts.ext4} of=${path} bs=1M seek=50 conv=notrunc; printf 'swap here' | dd of=${path} bs=1 seek=${121 * MIB + 5} conv=notrunc; printf 'code' | dd of=${path} bs=1 conv=notrunc; printf 'core image' | dd of=${path} bs=1 seek=40000 conv=notrunc`,
    ]);
    const disk = fileSource(path);
    const { spec, warnings } = await describeDisk(disk);
    expect(warnings).toEqual([]);
    expect(
      (spec.layout as Layout).partitions.map(({ name, gptName, number, filesystem, raw }) => [
        name,
        gptName,
        number,
        filesystem?.type,
        raw?.data,
      ]),
    ).toEqual([
      ["partition 3", "same", 3, "fat", undefined],
      ["partition 1", "same", 1, "ext4", undefined],
      ["partition 2", "", 2, undefined, [{ offset: MIB, length: 4096 }]],
    ]);
    const planned = plan(image(spec));
    const again = join(scratch, "mixed-again.img");
    await write(planned, fileTarget(again, { force: true }));
    disk.close();
    expectCleanGpt(again);
    const info = (image: string): string =>
      [1, 2, 3].map((number) => run("sgdisk", ["-i", String(number), image]).stdout).join();
    expect(info(again)).toBe(info(path));
    await copyPart(again, MIB, 40 * MIB, parts.fat);
    expectCleanFat(parts.fat);
    expect(run("mtype", ["-i", parts.fat, "::/EFI/Long Name.txt"]).stdout).toBe("content of a file");
    await copyPart(again, 50 * MIB, 60 * MIB, parts.ext4);
    expectCleanExt4(parts.ext4);
    for (const [skip, count] of [
      [0, 440],
      [40_000, 10],
      [121 * MIB, 100],
    ]) {
      const bytes = (image: string): string =>
        run("sh", ["-c", `tail -c +${skip! + 1} ${image} | head -c ${count} | xxd`]).stdout;
      expect(bytes(again)).toBe(bytes(path));
    }
  });

  it("keeps logical partitions in their places", async () => {
    const path = join(scratch, "logical.img");
    const ext4 = join(scratch, "logical-ext4.img");
    const table =
      "label: dos\nlabel-id: 0x12345678\n1: start=2048, size=20480, type=83, bootable\n2: start=22528, size=180000, type=5\n5: start=24576, size=40960, type=83\n6: start=67584, size=40960, type=c\n";
    run("sh", ["-c", `rm -f ${path} ${ext4}; truncate -s 100M ${path}; truncate -s 20M ${ext4}`]);
    expect(run("sfdisk", ["-q", path], table).status).toBe(0);
    expect(run("mke2fs", ["-q", "-F", "-t", "ext4", ext4]).stderr).toBe("");
    run("sh", ["-c", `dd if=${ext4} of=${path} bs=512 seek=24576 conv=notrunc`]);
    const disk = fileSource(path);
    const { spec, warnings } = await describeDisk(disk);
    expect(warnings).toEqual([]);
    const again = join(scratch, "logical-again.img");
    await write(plan(image(spec)), fileTarget(again, { force: true }));
    disk.close();
    const places = (image: string): string[] =>
      run("sfdisk", ["-d", image])
        .stdout.split("\n")
        .filter((line) => /label-id|img[156] :/.test(line))
        .map((line) => line.replace(/^.*img/, ""));
    expect(places(again)).toEqual(places(path));
    expect(places(again)).toHaveLength(4);
    expect(run("sfdisk", ["-V", again]).output).toContain("No errors detected");
    await copyPart(again, 24576 * 512, 20 * MIB, ext4);
    expectCleanExt4(ext4);
  });
});

describeWith(["mcopy", "mdel", "fsck.fat"], "a FAT partition that mtools have changed", () => {
  it("holds what they put there, and is the same after another history", async () => {
    const sums: string[] = [];
    for (const [index, isLong] of [false, true].entries()) {
      const { path, original } = await build(
        `mtools-${index}.img`,
        { layout: "efi", time, bootSize: "64M" },
        [
          { path: "boot/EFI/BOOT/BOOTX64.EFI", type: "file", content: patterned(100_000, 1) },
          { path: "boot/old", type: "file", content: "old" },
        ],
      );
      const esp = original.partitions.find(({ name }) => name === "ESP")!;
      const at = ["-i", `${path}@@${esp.offset}`];
      const file = join(scratch, "mtools-file");
      writeFileSync(file, "x".repeat(123_456));
      if (isLong) {
        for (let round = 0; round < 20; round++)
          expect(run("mcopy", [...at, file, `::/temporary ${round}`]).output).toBe("");
      }
      expect(run("mcopy", [...at, file, "::/EFI/A long name.conf"]).output).toBe("");
      if (isLong) expect(run("mdel", [...at, "::/temporary*"]).output).toBe("");
      expect(run("mdel", [...at, "::/old"]).output).toBe("");
      expect(run("mmd", [...at, "::/loader"]).output).toBe("");
      const { path: again, warnings } = await rewrite(path, original, `mtools-${index}-again.img`);
      expect(warnings).toEqual([]);
      const part = join(scratch, "esp.img");
      await copyPart(again, esp.offset, esp.size, part);
      expectCleanFat(part);
      expect(run("mdir", ["-b", "-/", "-i", part, "::"]).stdout.trim().split("\n")).toEqual([
        "::/EFI/",
        "::/loader/",
        "::/EFI/A long name.conf",
        "::/EFI/BOOT/",
        "::/EFI/BOOT/BOOTX64.EFI",
      ]);
      sums.push(run("sha256sum", [again]).stdout.split(" ")[0]!);
    }
    expect(sums[0]).toBe(sums[1]);
  });
});
