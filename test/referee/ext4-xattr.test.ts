import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { filesystemSeed } from "../../src/ext4/checksum.ts";
import { decodeBlockXattrs, decodeInodeXattrs } from "../../src/ext4/xattr/encode.ts";
import { planXattrs, type XattrFormat, type XattrPlan } from "../../src/ext4/xattr/plan.ts";
import { treeOf } from "../../src/tree/index.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { acl, type Xattrs } from "../support/xattrs.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const scratch = scratchDirectory();
/** The first inode that a fresh filesystem gives away is that of the file, then come those of values. */
const FIRST_VALUE_INODE = 13;

const SET_ALL = `
import os, sys
path, pairs = sys.argv[1], sys.argv[2:]
open(path, "w").close()
for name, digits in zip(pairs[::2], pairs[1::2]):
    os.setxattr(path, name, bytes.fromhex(digits))
`;

interface Made {
  readonly bytes: Uint8Array;
  readonly blockSize: number;
  readonly inodeSize: number;
  /** Where the inode of the file starts. */
  readonly inode: number;
  /** The number of its block of attributes; 0 when it has none. */
  readonly xattrBlock: number;
}

/** A file to which a kernel gave attributes, one after the other; `undefined` without loop devices. */
function madeByKernel(xattrs: Xattrs, blockSize: number, inodeSize: number): Made | undefined {
  const path = join(scratch, "kernel.img");
  writeFileSync(path, "");
  truncateSync(path, 16 << 20);
  const sizes = ["-b", `${blockSize}`, "-I", `${inodeSize}`];
  expect(run("mke2fs", ["-q", "-t", "ext4", "-O", "ea_inode", "-U", uuid, ...sizes, path]).status).toBe(0);
  const isMounted = withMount(path, "rw", (mountPoint) => {
    const pairs = [...xattrs].flatMap(([name, value]) => [name, Buffer.from(value).toString("hex")]);
    expect(run("python3", ["-c", SET_ALL, join(mountPoint, "file"), ...pairs]).output).toBe("");
  });
  if (!isMounted) return undefined;
  const place = /located at block (\d+), offset 0x([0-9a-f]+)/.exec(
    run("debugfs", ["-R", "imap file", path]).stdout,
  )!;
  const status = run("debugfs", ["-R", "stat file", path]).stdout;
  return {
    bytes: new Uint8Array(readFileSync(path)),
    blockSize,
    inodeSize,
    inode: Number(place[1]) * blockSize + Number.parseInt(place[2]!, 16),
    xattrBlock: Number(/File ACL: (\d+)/.exec(status)![1]),
  };
}

function planOf(xattrs: Xattrs, { blockSize, inodeSize }: Made): XattrPlan {
  const format: XattrFormat = {
    blockSize,
    inodeRoom: inodeSize > 128 ? inodeSize - 128 - 32 : 0,
    mayUseInodes: true,
    checksumSeed: filesystemSeed(uuid),
    hasChecksums: true,
  };
  const problems: string[] = [];
  const plan = planXattrs(
    treeOf([{ path: "file", type: "file", xattrs }]),
    format,
    FIRST_VALUE_INODE,
    problems,
  );
  expect(problems).toEqual([]);
  return plan!;
}

function inodeArea({ bytes, inode, inodeSize }: Made): Uint8Array {
  return bytes.subarray(inode + 128 + 32, inode + inodeSize);
}

function blockBytes({ bytes, blockSize, xattrBlock }: Made): Uint8Array {
  return bytes.subarray(xattrBlock * blockSize, (xattrBlock + 1) * blockSize);
}

const size = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + 3) & 0xff);

// In the order of entries, so that a kernel that adds one after the other lays them as a plan does.
const sorted: Xattrs = new Map([
  ["user.a", size(5)],
  ["user.b", size(0)],
  ["user.ümlaut", size(301)],
  ["system.posix_acl_access", acl([1, 6], [2, 4, 1000], [4, 4], [8, 5, 70000], [16, 7], [32, 0])],
  ["trusted.x", size(64)],
  ["security.ima", size(33)],
]);

describeWith(["mke2fs", "debugfs", "python3"], "extended attributes beside those of a kernel", () => {
  it.each([1024, 4096])("a block of %d bytes has the same bytes", (blockSize) => {
    const made = madeByKernel(sorted, blockSize, 128);
    if (made === undefined) return;
    const plan = planOf(sorted, made);
    expect([plan.blocks, plan.blockOf(1), plan.inInode(1)]).toEqual([1, 0, undefined]);
    expect(plan.encodeBlock(0, made.xattrBlock)).toEqual(blockBytes(made));
    expect(new Map(decodeBlockXattrs(blockBytes(made)).map(asPair))).toEqual(sorted);
  });

  it("an inode that holds all has the same bytes", () => {
    const few: Xattrs = new Map([
      ["user.a", size(5)],
      ["trusted.x", size(12)],
      ["security.y", size(3)],
    ]);
    const made = madeByKernel(few, 4096, 256);
    if (made === undefined) return;
    const plan = planOf(few, made);
    expect([plan.blocks, plan.blockOf(1), made.xattrBlock]).toEqual([0, undefined, 0]);
    expect(plan.inInode(1)).toEqual(inodeArea(made));
    expect(new Map(decodeInodeXattrs(inodeArea(made)).map(asPair))).toEqual(few);
  });

  it("a value with an inode of its own has the same entry, and the inode what the plan says", () => {
    const large = new Map([
      ["user.big", size(10_001)],
      ["user.small", size(2)],
    ]);
    const made = madeByKernel(large, 4096, 256);
    if (made === undefined) return;
    const plan = planOf(large, made);
    expect(plan.inInode(1)).toEqual(inodeArea(made));
    expect(decodeInodeXattrs(inodeArea(made))[0]).toEqual({
      name: "user.big",
      valueInode: FIRST_VALUE_INODE,
      size: 10_001,
    });
    expect(plan.values).toEqual([
      {
        value: size(10_001),
        // Inodes follow each other: that of the value lies behind that of the file.
        hash: new DataView(made.bytes.buffer).getUint32(made.inode + 256 + 0x08, true),
        references: 1,
      },
    ]);
    const sectors = new DataView(made.bytes.buffer).getUint32(made.inode + 0x1c, true);
    expect(plan.valueBlocks(1) * (4096 / 512)).toBe(sectors);
  });

  it("what a kernel laid otherwise reads the same", () => {
    const mixed = new Map([...sorted].reverse());
    mixed.set("user.long", size(700));
    const made = madeByKernel(mixed, 4096, 256);
    if (made === undefined) return;
    const found = [...decodeInodeXattrs(inodeArea(made)), ...decodeBlockXattrs(blockBytes(made))];
    expect(new Map(found.map(asPair))).toEqual(mixed);
  });
});

function asPair(xattr: ReturnType<typeof decodeBlockXattrs>[number]): [string, Uint8Array] {
  expect(xattr).toHaveProperty("value");
  return [xattr.name, (xattr as { value: Uint8Array }).value];
}
