import { createHash } from "node:crypto";
import { deflateSync, gzipSync } from "node:zlib";
import { KIB, MIB, utf8 } from "../../src/bytes/index.ts";
import { rawDisk } from "../../src/container/index.ts";
import { type Ext4Options, planExt4, writeExt4 } from "../../src/ext4/index.ts";
import { bytesSource, memoryTarget } from "../../src/extents/index.ts";
import { planFat, writeFat } from "../../src/fat32/index.ts";
import { copyDisk, type FormatName } from "../../src/formats/index.ts";
import { image, plan, write } from "../../src/image/index.ts";
import { LAYOUT_NAMES, type Layout, type LayoutPartition } from "../../src/layouts/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { render } from "../support/render.ts";
import { END_MARK, header, joined, member, pax } from "../support/tar-writer.ts";
import { patterned } from "../support/trees.ts";

/** What an input is read as. */
export type Kind = "disk" | "ext4" | "fat" | "tar" | "mtree" | "spec";

/** An input that is sound, from which others are made. */
export interface Seed {
  readonly name: string;
  readonly kind: Kind;
  readonly bytes: Uint8Array;
}

const UUID = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const TIME = 1_700_000_000;

const plain: readonly Entry[] = [
  { path: "file", type: "file", content: "content of a file" },
  { path: "large", type: "file", content: patterned(20_000, 3) },
  { path: "directory/below/deep", type: "file", content: "deep" },
  ...Array.from(
    { length: 40 },
    (_, index): Entry => ({ path: `many/a name ${index}`, type: "file", content: "x" }),
  ),
];

const rich: readonly Entry[] = [
  ...plain,
  { path: "fast", type: "symlink", target: "file" },
  { path: "slow", type: "symlink", target: "slow/".repeat(30) },
  { path: "linked", type: "hardlink", target: "large" },
  { path: "device", type: "block", device: { major: 259, minor: 70_000 } },
  { path: "fifo", type: "fifo" },
  {
    path: "pieces",
    type: "file",
    content: patterned(60 * 2048, 7),
    data: Array.from({ length: 60 }, (_, index) => ({ offset: index * 2048, length: 1000 })),
  },
  {
    path: "attributes",
    type: "file",
    xattrs: new Map([
      ["user.short", utf8("short")],
      ["user.long", new Uint8Array(400).fill(0x41)],
    ]),
  },
];

const EXT4: Readonly<Record<string, Partial<Ext4Options>>> = {
  ext2: { type: "ext2" },
  "ext2 with inodes of 128 bytes": { type: "ext2", inodeSize: 128 },
  ext3: { type: "ext3", journalSize: MIB },
  ext4: { features: ["^has_journal"] },
  "ext4 with a journal": { journalSize: MIB },
  "ext4 without checksums": { features: ["^metadata_csum", "^has_journal"] },
  "ext4 with uninit_bg": { features: ["^metadata_csum", "uninit_bg", "^has_journal"] },
  "ext4 with ea_inode and mmp": { features: ["ea_inode", "mmp", "^has_journal"] },
  "ext4 with an orphan file": { features: ["orphan_file"], journalSize: MIB },
  "ext4 with meta_bg": { features: ["meta_bg", "^resize_inode", "^has_journal"] },
  "ext4 with quota": { features: ["quota", "project", "^has_journal"] },
};

const FORMATS: readonly FormatName[] = [
  ...(["qcow2", "qcow2-compressed", "vdi", "vpc", "vpc-fixed", "vhdx", "vmdk", "android-sparse"] as const),
];

const MANIFEST = `#mtree
/set type=file uid=0 gid=0 mode=0644
. type=dir mode=0755
    etc type=dir
        passwd uname=root gname=root time=1700000000.5
        link type=link link=passwd
    ..
..
./dev/sda type=block device=native,8,0 mode=0660
./a\\040name optional nochange
`;

const SPEC = `layout: efi
size: 2GiB
seed: example
exclude: [&pattern "*.o", *pattern]
`;

/** The sound inputs, whose names begin with one of `only`, where there are any. */
export async function seeds(only: readonly string[] = []): Promise<Seed[]> {
  const made: Seed[] = [];
  const isWanted = (name: string): boolean =>
    only.length === 0 || only.some((wanted) => name.startsWith(wanted));
  const add = async (name: string, kind: Kind, make: () => Promise<Uint8Array>): Promise<void> => {
    if (isWanted(name)) made.push({ name, kind, bytes: await make() });
  };
  for (const [name, options] of Object.entries(EXT4)) await add(`ext4/${name}`, "ext4", () => ext4(options));
  for (const bits of [12, 16, 32] as const) await add(`fat/fat${bits}`, "fat", () => fat(bits));
  for (const layout of LAYOUT_NAMES) await add(`disk/${layout}`, "disk", () => disk(layout));
  const raw = new Uint8Array(256 * KIB);
  for (let at = 0; at < raw.length; at += 64 * KIB) raw.fill(0x40 + at / (64 * KIB), at + 100, at + 3000);
  for (const table of ["gpt", "mbr"] as const)
    await add(`disk/small ${table}`, "disk", () => smallDisk(table));
  for (const format of FORMATS) {
    await add(`disk/${format}`, "disk", async () => {
      const target = memoryTarget();
      await copyDisk(rawDisk(bytesSource(raw)), [{ format, target }], { seed: "fuzz", time: TIME });
      return target.bytes;
    });
  }
  await add("tar/members", "tar", async () => archive());
  await add("tar/gzip", "tar", async () => gzipSync(archive()));
  await add("mtree/manifest", "mtree", async () => utf8(MANIFEST));
  await add("spec/yaml", "spec", async () => utf8(SPEC));
  return made;
}

/** A name for what bytes hold. */
export function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 12);
}

/** For a corpus in few bytes: most of an image is zeros. */
export function packed(bytes: Uint8Array): Uint8Array {
  return deflateSync(bytes, { level: 9 });
}

async function ext4(options: Partial<Ext4Options>): Promise<Uint8Array> {
  const planned = planExt4(treeOf(rich), {
    uuid: UUID,
    blockSize: 1024,
    freeBytes: 20_000,
    time: TIME,
    ...options,
  });
  return await render(writeExt4(planned), planned.size);
}

async function fat(bits: 12 | 16 | 32): Promise<Uint8Array> {
  const planned = planFat(treeOf(plain), {
    bits,
    label: "FUZZ",
    serial: 0x12345678,
    sectorsPerCluster: 1,
    time: TIME,
  });
  return await render(writeFat(planned), planned.size);
}

async function disk(layout: (typeof LAYOUT_NAMES)[number]): Promise<Uint8Array> {
  const target = memoryTarget();
  const planned = plan(
    image({
      ...{ root: treeOf(plain), layout, seed: "fuzz", time: TIME, bootSize: 34 * MIB, additionalSpace: 0 },
      rootFilesystem: { features: ["^has_journal"] },
    }),
  );
  await write(planned, target);
  return target.bytes;
}

/** A table of each kind with both filesystems; an MBR with logical partitions. */
async function smallDisk(table: "gpt" | "mbr"): Promise<Uint8Array> {
  const ext4: LayoutPartition = {
    name: "root",
    size: "minimal",
    type: "linux-generic",
    filesystem: { type: "ext4", uuid: UUID, options: { features: ["^has_journal"] } },
    tree: treeOf(plain),
  };
  const fat: LayoutPartition = {
    name: "data",
    size: "minimal",
    type: table === "gpt" ? "esp" : 0x01,
    filesystem: { type: "fat", bits: 12 },
    tree: treeOf(plain),
  };
  const more = table === "mbr" ? [3, 4, 5].map((number) => ({ ...ext4, name: `more ${number}` })) : [];
  const layout: Layout = { name: "custom", table, alignment: 32 * KIB, partitions: [fat, ext4, ...more] };
  const target = memoryTarget();
  await write(plan(image({ root: treeOf([]), layout, seed: "fuzz", time: TIME })), target);
  return target.bytes;
}

function archive(): Uint8Array {
  return joined(
    member({ name: "directory/", type: "5", mode: 0o755 }),
    pax([
      ["path", "directory/a long name"],
      ["mtime", "1700000000.25"],
    ]),
    member({ name: "x", size: 5 }, "hello"),
    header({ name: "link", type: "2", link: "directory" }),
    header({ name: "hard", type: "1", link: "directory/a long name" }),
    END_MARK,
  );
}
