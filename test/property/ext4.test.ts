import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteKey } from "../../src/bytes/index.ts";
import { designOf } from "../../src/ext4/design.ts";
import { directoryBlocks } from "../../src/ext4/directory/directory.ts";
import { encodeLeaf, encodeTree, layExtents, nodeEntries, treeBlocks } from "../../src/ext4/extent-tree.ts";
import { geometry } from "../../src/ext4/geometry.ts";
import { groupLength } from "../../src/ext4/group-shape.ts";
import { encodeGroupDescriptor } from "../../src/ext4/groups.ts";
import {
  type BlockSize,
  type Ext4Plan,
  ext4Runs,
  openExt4,
  planExt4,
  writeExt4,
} from "../../src/ext4/index.ts";
import { encodeInode, signInode } from "../../src/ext4/inode.ts";
import { SpaceMap } from "../../src/ext4/space.ts";
import {
  directoryEntry,
  directoryTail,
  extentHeader,
  extentIndex,
  extentLeaf,
  groupDescriptor,
  inode as inodeRecord,
} from "../../src/ext4/structures.ts";
import { timeExtra, timeFrom, timeLow } from "../../src/ext4/time.ts";
import { bytesSource } from "../../src/extents/index.ts";
import { type Entry, type Tree, treeOf } from "../../src/tree/index.ts";
import { render } from "../support/render.ts";
import { anyTree, patterned } from "../support/trees.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const hashSeed = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
const blockSizes = fc.constantFrom<BlockSize>(1024, 2048, 4096);

/** What a walk must find: one row for each name, as the tree has it. */
function expected(tree: Tree): unknown[] {
  return Array.from({ length: tree.length }, (_, row) => {
    const primary = tree.columns.primary[row]!;
    const entry = tree.entry(primary);
    return {
      path: byteKey(tree.path(row).subarray(1)),
      type: entry.type,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      mtime: entry.mtime,
      size: entry.type === "directory" ? undefined : tree.columns.size[row],
      links: entry.type === "directory" ? undefined : tree.linkCount(row),
      target: entry.type === "symlink" ? tree.target(row) : undefined,
      device: entry.device,
    };
  });
}

async function walked(bytes: Uint8Array): Promise<{ rows: unknown[]; contents: Map<string, Uint8Array> }> {
  const volume = (await openExt4(bytesSource(bytes)))!;
  expect(await volume.check()).toEqual([]);
  const rows: unknown[] = [];
  const contents = new Map<string, Uint8Array>();
  for await (const entry of volume.entries()) {
    const { type, mode, uid, gid, mtime, target, device } = entry;
    if (byteKey(entry.path) === "lost+found") continue;
    const isDirectory = type === "directory";
    rows.push({
      path: byteKey(entry.path),
      type,
      mode,
      uid,
      gid,
      mtime,
      size: isDirectory ? undefined : entry.size,
      links: isDirectory ? undefined : entry.links,
      target,
      device,
    });
    if (type === "file") contents.set(byteKey(entry.path), await volume.readFile(entry.inode));
  }
  return { rows, contents };
}

/** Every used byte has one owner, inside of the filesystem, and what is free is what no one owns. */
function checkOwners(plan: Ext4Plan): void {
  let end = 0;
  let owned = 0;
  for (const { position, length } of plan.regions()) {
    expect(position).toBeGreaterThanOrEqual(end);
    end = position + length;
    owned += length;
  }
  expect(end).toBeLessThanOrEqual(plan.size);
  expect(plan.size - owned).toBe(plan.usage.free);
  expect(Object.values(plan.usage).reduce((sum, bytes) => sum + bytes)).toBe(plan.size);
}

const byPath = (a: unknown, b: unknown): number =>
  (a as { path: string }).path < (b as { path: string }).path ? -1 : 1;

describe("ext4", () => {
  it("gives back every tree that it is given, for every block size", async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, blockSizes, fc.nat(300_000), async (entries, blockSize, freeBytes) => {
        const tree = treeOf(entries);
        const plan = planExt4(tree, { uuid, blockSize, freeBytes });
        checkOwners(plan);
        const bytes = await render(writeExt4(plan), plan.size);
        const { rows, contents } = await walked(bytes);
        expect(rows.sort(byPath)).toEqual(expected(tree).sort(byPath));
        for (const [path, content] of contents) {
          const row = Array.from({ length: tree.length }, (_, at) => at).find(
            (at) => byteKey(tree.path(at).subarray(1)) === path,
          )!;
          const planned = tree.content(row);
          const bytesPlanned = new Uint8Array(planned.size);
          if (planned.type === "function") planned.read(0, bytesPlanned);
          expect(content).toEqual(bytesPlanned);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("gives the same bytes whatever the order of the entries", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyTree.chain((entries) =>
          fc.tuple(fc.constant(entries), fc.shuffledSubarray(entries, { minLength: entries.length })),
        ),
        async ([entries, shuffled]) => {
          const [a, b] = [entries, shuffled].map((list) =>
            planExt4(treeOf(list), { uuid, time: 1_700_000_000 }),
          );
          expect(a!.size).toBe(b!.size);
          const [ours, theirs] = [await render(writeExt4(a!), a!.size), await render(writeExt4(b!), b!.size)];
          expect(Buffer.compare(ours, theirs)).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("is as small as it can be: one block less does not fit, and the missing bytes are exact", () => {
    fc.assert(
      fc.property(anyTree, blockSizes, (entries, blockSize) => {
        const tree = treeOf(entries);
        const { size } = planExt4(tree, { uuid, blockSize });
        expect(planExt4(tree, { uuid, blockSize, size }).size).toBe(size);
        expect(() => planExt4(tree, { uuid, blockSize, size: size - 1 })).toThrow(
          expect.objectContaining({ code: "DOES_NOT_FIT", missingBytes: 1 }),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("leaves the free space that was asked for", () => {
    fc.assert(
      fc.property(anyTree, fc.integer({ min: 0, max: 2 ** 31 }), (entries, freeBytes) => {
        const plan = planExt4(treeOf(entries), { uuid, freeBytes });
        expect(plan.usage.free).toBeGreaterThanOrEqual(freeBytes);
        checkOwners(plan);
      }),
      { numRuns: 100 },
    );
  });

  it("lays large and sparse files around metadata without sharing a block", () => {
    const ranges = fc
      .array(fc.tuple(fc.integer({ min: 1, max: 2 ** 28 }), fc.integer({ min: 1, max: 2 ** 29 })), {
        maxLength: 30,
      })
      .map((gaps) => {
        let offset = 0;
        return gaps.map(([gap, length]) => {
          const range = { offset: offset + gap, length };
          offset += gap + length;
          return range;
        });
      });
    fc.assert(
      fc.property(fc.array(ranges, { minLength: 1, maxLength: 6 }), blockSizes, (files, blockSize) => {
        const entries = files.map((data, index): Entry => {
          const last = data.at(-1);
          const size = last === undefined ? 12345 : last.offset + last.length;
          return { path: `f${index}`, type: "file", content: patterned(size, index), data };
        });
        checkOwners(planExt4(treeOf(entries), { uuid, blockSize }));
      }),
      { numRuns: 40 },
    );
  });
});

describe("geometry", () => {
  it("cuts any number of blocks into groups that cover it, up to 64 TiB", () => {
    const blocks = fc.oneof(
      { weight: 30, arbitrary: fc.integer({ min: 20, max: 300_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: 20, max: 2 ** 34 }) },
    );
    fc.assert(
      fc.property(blocks, blockSizes, fc.integer({ min: 11, max: 200_000 }), (count, blockSize, inodes) => {
        // Millions of groups take their time.
        fc.pre(blockSize === 4096 || count < 2 ** 26);
        const design = designOf({ uuid, hashSeed, blockSize });
        const cut = geometry(design, count, { inodes, journalBlocks: 0 });
        if ("missingBlocks" in cut) {
          expect(cut.missingBlocks).toBeGreaterThan(0);
          return;
        }
        expect(cut.inodes).toBeGreaterThanOrEqual(inodes);
        expect(cut.blocks).toBeLessThanOrEqual(count);
        expect(groupLength(cut, cut.groups - 1)).toBeGreaterThan(0);
        expect(cut.metadata).toHaveLength(cut.groups);
        const own = cut.metadata.flatMap(({ blockBitmap, inodeBitmap, inodeTable }) => [
          { start: blockBitmap, count: 1 },
          { start: inodeBitmap, count: 1 },
          { start: inodeTable, count: cut.inodeTableBlocks },
        ]);
        // The space map refuses to be made when two of them overlap.
        expect(new SpaceMap(own, cut.blocks).takenBlocks).toBeLessThan(cut.space.takenBlocks);
        expect(Math.max(...own.slice(-3).map(({ start, count }) => start + count))).toBeLessThanOrEqual(
          cut.blocks,
        );
      }),
      { numRuns: 200 },
    );
  });
});

describe("encoders written by hand", () => {
  it("write the inode that is declared", () => {
    const values = fc.record({
      mode: fc.nat(0xffff),
      uid: fc.nat(0xffffffff),
      gid: fc.nat(0xffffffff),
      size: fc.nat(2 ** 44),
      links: fc.nat(65000),
      seconds: fc.integer({ min: -(2 ** 31), max: 2 ** 34 - 2 ** 31 - 1 }),
      nanoseconds: fc.nat(999_999_999),
      sectors: fc.nat(2 ** 40),
      flags: fc.nat(0xffffffff),
      xattrBlock: fc.nat(2 ** 48 - 1),
    });
    const design = designOf({ uuid, hashSeed });
    fc.assert(
      fc.property(values, fc.nat(2 ** 32 - 2), (value, number) => {
        const bytes = new Uint8Array(256);
        const view = new DataView(bytes.buffer);
        encodeInode(view, 0, 256, value);
        signInode(design, bytes, view, 0, number + 1);
        const declared = inodeRecord.fromBytes(bytes);
        expect(inodeRecord.toBytes(declared)).toEqual(bytes.slice(0, inodeRecord.span));
        expect(declared.sizeHigh * 2 ** 32 + declared.sizeLow).toBe(value.size);
        expect(declared.uidHigh * 2 ** 16 + declared.uidLow).toBe(value.uid);
        expect(declared.gidHigh * 2 ** 16 + declared.gidLow).toBe(value.gid);
        expect(declared.sectorsCountHigh * 2 ** 32 + declared.sectorsCountLow).toBe(value.sectors);
        expect(declared.xattrBlockHigh * 2 ** 32 + declared.xattrBlockLow).toBe(value.xattrBlock);
        expect(declared.flags).toBe(value.flags);
        expect(timeFrom(declared.modificationTime, declared.modificationTimeExtra)).toEqual({
          seconds: value.seconds,
          nanoseconds: value.nanoseconds,
        });
      }),
    );
  });

  it("write the group descriptor that is declared", () => {
    const values = fc.record({
      blockBitmap: fc.nat(2 ** 48 - 1),
      inodeBitmap: fc.nat(2 ** 48 - 1),
      inodeTable: fc.nat(2 ** 48 - 1),
      freeBlocks: fc.nat(0xffffffff),
      freeInodes: fc.nat(0xffffffff),
      directories: fc.nat(0xffffffff),
      unusedInodes: fc.nat(0xffffffff),
      blockBitmapChecksum: fc.nat(0xffffffff),
      inodeBitmapChecksum: fc.nat(0xffffffff),
      flags: fc.nat(7),
    });
    fc.assert(
      fc.property(values, fc.constantFrom<32 | 64>(32, 64), (value, size) => {
        const bytes = new Uint8Array(groupDescriptor.span);
        encodeGroupDescriptor(new DataView(bytes.buffer), 0, size, value);
        const declared = groupDescriptor.fromBytes(bytes);
        expect(groupDescriptor.toBytes(declared)).toEqual(bytes);
        const whole = (low: number, high: number, bits: number): number => high * 2 ** bits + low;
        const kept = (number: number, bits: number): number => (size === 64 ? number : number % 2 ** bits);
        expect(whole(declared.blockBitmapLow, declared.blockBitmapHigh, 32)).toBe(
          kept(value.blockBitmap, 32),
        );
        expect(whole(declared.inodeBitmapLow, declared.inodeBitmapHigh, 32)).toBe(
          kept(value.inodeBitmap, 32),
        );
        expect(whole(declared.inodeTableLow, declared.inodeTableHigh, 32)).toBe(kept(value.inodeTable, 32));
        for (const name of ["freeBlocks", "freeInodes", "unusedInodes"] as const) {
          const low = declared[`${name}CountLow`];
          expect(whole(low, declared[`${name}CountHigh`], 16)).toBe(kept(value[name], 16));
        }
        for (const name of ["blockBitmapChecksum", "inodeBitmapChecksum"] as const) {
          expect(whole(declared[`${name}Low`], declared[`${name}High`], 16)).toBe(kept(value[name], 16));
        }
        expect(declared.flags).toBe(value.flags);
      }),
    );
  });

  it("write the extent that is declared", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), fc.nat(2 ** 48 - 1), fc.nat(32768), (logical, physical, count) => {
        const bytes = new Uint8Array(12);
        encodeLeaf(new DataView(bytes.buffer), 0, logical, physical, count);
        expect(extentLeaf.fromBytes(bytes)).toEqual({
          logicalBlock: logical,
          length: count,
          startHigh: Math.floor(physical / 2 ** 32),
          startLow: physical % 2 ** 32,
        });
      }),
    );
  });

  it("write the directory entries and tails that are declared", () => {
    const names = fc.uniqueArray(fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 60 }), {
      minLength: 1,
      maxLength: 80,
    });
    fc.assert(
      fc.property(names, blockSizes, (list, blockSize) => {
        const clean = [...new Set(list.map((name) => `n${name.replaceAll("/", "_")}`))];
        const tree = treeOf(clean.map((path): Entry => ({ path, type: "file" })));
        const inodeOf = Uint32Array.from({ length: tree.length }, (_, row) => row + 100);
        const contents = { inode: 2, parentInode: 2, row: 0, blocks: 1, checksumSeed: 7 };
        const found: string[] = [];
        const format = { blockSize, hasChecksums: true, hasFileTypes: true, index: undefined };
        for (const block of directoryBlocks(tree, inodeOf, contents, format)) {
          const end = blockSize - directoryTail.span;
          const tail = directoryTail.fromBytes(block, end);
          expect(tail).toMatchObject({ inode: 0, recordLength: 12, nameLength: 0, fileType: 0xde });
          expect(directoryTail.toBytes(tail)).toEqual(block.slice(end));
          for (let at = 0; at < end; ) {
            const entry = directoryEntry.fromBytes(block, at);
            expect(directoryEntry.toBytes(entry)).toEqual(block.slice(at, at + directoryEntry.span));
            const name = block.subarray(
              at + directoryEntry.span,
              at + directoryEntry.span + entry.nameLength,
            );
            found.push(byteKey(name));
            at += entry.recordLength;
            expect(at).toBeLessThanOrEqual(end);
          }
        }
        expect(found).toEqual([
          ".",
          "..",
          ...Array.from({ length: tree.length - 1 }, (_, row) => byteKey(tree.name(row + 1))),
        ]);
      }),
      { numRuns: 60 },
    );
  });

  it("write the nodes of an extent tree that are declared", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), fc.nat(2 ** 40), (count, start) => {
        const extents = Array.from({ length: count }, (_, index) => ({
          logical: 2 * index,
          physical: start + 2 * index,
          count: 1,
        }));
        let next = start + 2 * count;
        const { root, nodes } = encodeTree(extents, 4096, 7, () => next++);
        expect(nodes).toHaveLength(treeBlocks(count, 4096));
        const leaves: number[] = [];
        const visit = (node: Uint8Array): void => {
          const head = extentHeader.fromBytes(node);
          expect(extentHeader.toBytes(head)).toEqual(node.slice(0, extentHeader.span));
          for (let index = 0; index < head.entries; index++) {
            const at = extentHeader.span + index * extentIndex.span;
            const stored = node.slice(at, at + extentIndex.span);
            if (head.depth === 0) {
              expect(extentLeaf.toBytes(extentLeaf.fromBytes(stored))).toEqual(stored);
              leaves.push(extentLeaf.fromBytes(stored).logicalBlock);
            } else {
              const below = extentIndex.fromBytes(stored);
              expect(extentIndex.toBytes(below)).toEqual(stored);
              visit(
                nodes.find(({ block }) => block === below.nodeBlockHigh * 2 ** 32 + below.nodeBlockLow)!
                  .bytes,
              );
            }
          }
        };
        visit(root);
        expect(leaves).toEqual(extents.map(({ logical }) => logical));
      }),
      { numRuns: 30 },
    );
  });

  it("keep every second that an inode can hold", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 15_032_385_535 }), (seconds) => {
        expect(timeFrom(timeLow(seconds), timeExtra(seconds, 0)).seconds).toBe(seconds);
      }),
    );
  });
});

describe("extent trees", () => {
  it("need no more blocks than their entries fill", () => {
    expect([0, 1, 4].map((count) => treeBlocks(count, 4096))).toEqual([0, 0, 0]);
    expect(treeBlocks(5, 4096)).toBe(1);
    expect(treeBlocks(4 * 340, 4096)).toBe(4);
    expect(treeBlocks(4 * 340 + 1, 4096)).toBe(6);
    expect(nodeEntries(4096)).toBe(340);
  });

  it("lay every block of a file once, around what is taken", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }))),
        fc.integer({ min: 1, max: 100_000 }),
        (gaps, count) => {
          let at = 0;
          const taken = gaps.map(([gap, length]) => {
            const run = { start: at + gap, count: length };
            at += gap + length;
            return run;
          });
          const space = new SpaceMap(taken, at + count);
          const seen: number[] = [];
          const end = layExtents(space, 0, [{ logical: 0, count }], (logical, physical, length) => {
            expect(logical).toBe(seen.length);
            expect(length).toBeLessThanOrEqual(32768);
            for (let block = 0; block < length; block++) seen.push(physical + block);
          });
          expect(seen).toHaveLength(count);
          expect(end).toBe(seen.at(-1)! + 1);
          expect(taken.every((run) => !seen.includes(run.start))).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("ext4Runs", () => {
  it("covers blocks that are written, all of them, and nothing but metadata is beside it", () => {
    fc.assert(
      fc.property(
        anyTree,
        blockSizes,
        fc.integer({ min: 0, max: 2 ** 24 }),
        (entries, blockSize, freeBytes) => {
          const plan = planExt4(treeOf(entries), { uuid, hashSeed, blockSize, freeBytes });
          const written = new Set<number>();
          for (const { position, length } of writeExt4(plan)) {
            const end = Math.ceil((position + length) / blockSize);
            for (let block = Math.floor(position / blockSize); block < end; block++) written.add(block);
          }
          const runs = [...ext4Runs(plan)];
          let covered = 0;
          for (const [index, { position, length }] of runs.entries()) {
            expect(length % blockSize).toBe(0);
            expect(length).toBeGreaterThan(0);
            if (index > 0)
              expect(position).toBeGreaterThan(runs[index - 1]!.position + runs[index - 1]!.length);
            for (let at = position; at < position + length; at += blockSize) {
              expect(written.has(at / blockSize)).toBe(true);
              covered++;
            }
          }
          expect(covered).toBe(plan.placement.usedBlocks);
        },
      ),
    );
  });
});
