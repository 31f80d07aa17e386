import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc16Register, GIB, MIB, TIB, utf8 } from "../../src/bytes/index.ts";
import { encodeBlockMap, mapBlocks, mostMappedBlocks } from "../../src/ext4/block-map.ts";
import { designOf } from "../../src/ext4/design.ts";
import { chooseFeatures } from "../../src/ext4/features.ts";
import { blocksOfFile } from "../../src/ext4/file-map.ts";
import { growthLimit, headerOf } from "../../src/ext4/group-shape.ts";
import { type Ext4Options, type Ext4Plan, planExt4, writeExt4 } from "../../src/ext4/index.ts";
import { encodeJournalSuperblock, journalRanges } from "../../src/ext4/special/journal.ts";
import { encodeReservedBlocks, encodeResizePointers } from "../../src/ext4/special/resize-inode.ts";
import { journalSuperblock } from "../../src/ext4/structures.ts";
import { type Entry, type Tree, treeOf } from "../../src/tree/index.ts";
import { render } from "../support/render.ts";
import { patterned } from "../support/trees.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const hashSeed = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
const empty = treeOf([]);

function plan(options: Partial<Ext4Options> = {}, tree: Tree = empty): Ext4Plan {
  return planExt4(tree, { uuid, ...options });
}

describe("features", () => {
  it("start from a preset, and change by name, alias and sign", () => {
    expect(chooseFeatures("ext2").names).toEqual([
      "ext_attr",
      "resize_inode",
      "dir_index",
      "filetype",
      "sparse_super",
      "large_file",
    ]);
    expect(chooseFeatures("ext3").has("has_journal")).toBe(true);
    expect(chooseFeatures("ext4", ["^has_journal", "large_dir"]).has("has_journal")).toBe(false);
    expect(chooseFeatures("ext2", ["extents"]).has("extent")).toBe(true);
    expect(chooseFeatures("ext4", ["none", "filetype"]).names).toEqual(["filetype"]);
    expect(chooseFeatures("ext4", ["uninit_bg"]).has("uninit_bg")).toBe(false);
  });

  it("have the words of the superblock that mke2fs gives the preset", () => {
    expect(chooseFeatures("ext4").words).toEqual({
      compatible: 0x3c,
      incompatible: 0x2c2,
      readOnlyCompatible: 0x46b,
    });
    expect(chooseFeatures("ext4", ["orphan_file", "metadata_csum_seed"]).words).toEqual({
      compatible: 0x103c,
      incompatible: 0x22c2,
      readOnlyCompatible: 0x46b,
    });
  });

  it.each<[string, RegExp]>([
    ["^extent", /64bit needs extent: add extent, or remove it with \^64bit/],
    ["^metadata_csum,metadata_csum_seed", /metadata_csum_seed needs metadata_csum/],
    ["^has_journal,orphan_file", /orphan_file needs has_journal/],
    ["^has_journal,fast_commit", /fast_commit needs has_journal/],
    ["^sparse_super", /resize_inode needs sparse_super or sparse_super2/],
    ["meta_bg", /remove resize_inode/],
    ["^ext_attr,ea_inode", /ea_inode needs ext_attr/],
    ["quota,ea_inode", /quota does not count the values of ea_inode/],
    ["bigalloc", /bigalloc is not written/],
    ["has_jurnal", /no feature "has_jurnal": did you mean has_journal/],
    ["", /no feature ""/],
  ])("%s is refused with the reason", (list, message) => {
    expect(() => plan({ features: list.split(",") })).toThrow(message);
  });

  it("follow size and content where those have a say", () => {
    expect(plan({ size: 2047 * 4096 }).features.has("has_journal")).toBe(false);
    expect(plan({ size: 2048 * 4096 }).features.has("has_journal")).toBe(true);
    expect(plan({ features: ["has_journal"] }).features.has("has_journal")).toBe(true);
    const small = { type: "ext2", features: ["^resize_inode", "^large_file"] } as const;
    expect(plan(small).features.has("large_file")).toBe(false);
    const large = treeOf([{ path: "a", type: "file", content: patterned(2 ** 31, 1) }]);
    expect(plan(small, large).features.has("large_file")).toBe(true);
    // The descriptors of so many groups would fill theirs.
    const huge = plan({ size: TIB, blockSize: 1024, inodes: 1000, journalSize: 4 * MIB });
    expect(huge.features.has("meta_bg")).toBe(true);
    expect(huge.features.has("resize_inode")).toBe(false);
  });
});

describe("options", () => {
  it.each<[Partial<Ext4Options>, RegExp]>([
    [{ inodeSize: 300 }, /inodes of 300 bytes: use a power of 2 from 128/],
    [{ inodeSize: 2048, blockSize: 1024 }, /to the block size, 1024/],
    [{ inodeSize: 128, features: ["project"] }, /project needs inodes of 256/],
    [{ journalSize: 1024 }, /a journal of 1024 bytes: use 4 MiB/],
    [{ features: ["^has_journal"], journalSize: 4 * MIB }, /only with the feature has_journal/],
    [{ features: ["^resize_inode"], growTo: TIB }, /only with the feature resize_inode/],
    [{ growTo: 100 * TIB }, /cannot be reserved, the limit is 8.*meta_bg/],
    [{ size: 20 * TIB, features: ["^64bit"] }, /more than 2\^32 blocks: use the feature 64bit/],
    [{ lastMounted: `/${"x".repeat(64)}` }, /65 bytes: it can have 64/],
    [{ label: "ü".repeat(9) }, /18 bytes: it can have 16/],
    [{ defaultMountOptions: ["journal_data", "journal_data_ordered"] }, /one mode of its journal/],
    [{ stride: 70_000 }, /stride in blocks: 70000 is not within 0 … 65535/],
    [{ checkAfterMounts: 0 }, /not within 1/],
    [{ rootOwner: { uid: -1, gid: 0 } }, /owner -1 of the root/],
  ])("%j is refused", (options, message) => expect(() => plan(options)).toThrow(message));
});

describe("the journal", () => {
  it("is as large as mke2fs makes it, whatever the size", () => {
    const sizes = journalRanges(designOf({ uuid, hashSeed }), undefined, false);
    const of = (blocks: number): number =>
      sizes.find(({ from, to }) => from <= blocks && blocks < to)!.blocks;
    expect([2047, 2048, 32767, 32768, 2 ** 18, 2 ** 19, 2 ** 22, 2 ** 23, 2 ** 24, 2 ** 25].map(of)).toEqual([
      0, 1024, 1024, 4096, 8192, 16384, 32768, 65536, 131072, 262144,
    ]);
  });

  it("lies in one piece where there is room for that, and its inode needs no further block", () => {
    for (const size of [16 * MIB, 600 * MIB, 16 * GIB, 100 * GIB]) {
      const { journal } = plan({ size }).geometry;
      expect(journal!.mapBlocks).toBe(0);
      const ends = journal!.runs.map(({ physical, count }) => physical + count);
      expect(journal!.runs.slice(1).map(({ physical }) => physical)).toEqual(ends.slice(0, -1));
    }
  });

  it("has the superblock that is declared", () => {
    const design = designOf({ uuid, hashSeed, features: ["fast_commit"] });
    const stored = journalSuperblock.fromBytes(encodeJournalSuperblock(design, 1040));
    expect(stored).toMatchObject({
      magic: 0xc03b3998,
      blockType: 4,
      blocks: 1040,
      uuid,
      fastCommitBlocks: 16,
    });
    expect(blocksOfFile(plan({ size: 16 * MIB, journalSize: 8 * MIB }).geometry.journal)).toBe(2048);
  });
});

describe("room to grow", () => {
  it("is enough for 1 TiB in a filesystem of one group, or for what is asked", () => {
    expect(growthLimit(plan({ size: 16 * MIB }).geometry)).toBeGreaterThanOrEqual(TIB);
    expect(plan({ size: 16 * MIB, growTo: 64 * GIB }).geometry.reservedDescriptorBlocks).toBe(7);
    expect(plan({ size: 16 * MIB, growTo: 0 }).geometry.reservedDescriptorBlocks).toBe(0);
    expect(plan({ size: 2 * GIB, growTo: 4 * TIB }).geometry.reservedDescriptorBlocks).toBe(511);
  });

  it("is no more than a journal of that size lets a kernel change at once", () => {
    const { geometry } = plan({ size: 4 * MIB, blockSize: 1024 });
    expect(geometry.reservedDescriptorBlocks).toBe(127);
    const far = plan({ size: 64 * MIB, growTo: 4 * TIB });
    expect(far.warnings).toEqual([expect.stringMatching(/journal is too small.*use one of 16 MiB/)]);
    expect(plan({ size: 64 * MIB, growTo: 4 * TIB, journalSize: 16 * MIB }).warnings).toEqual([]);
  });

  it("is pointed to by the resize inode, block by block and copy by copy", () => {
    const { geometry } = plan({ size: 2 * GIB });
    const { descriptorBlocks, reservedDescriptorBlocks: reserved, blocksPerGroup } = geometry;
    const pointers = new DataView(encodeResizePointers(geometry).buffer);
    const copies = new DataView(encodeReservedBlocks(geometry).buffer);
    const groups = [1, 3, 5, 7, 9];
    for (let index = 0; index < reserved; index++) {
      expect(pointers.getUint32(4 * (descriptorBlocks + index), true)).toBe(1 + descriptorBlocks + index);
      const stored = groups.map((_, copy) => copies.getUint32(index * 4096 + 4 * copy, true));
      expect(stored).toEqual(groups.map((group) => group * blocksPerGroup + 1 + descriptorBlocks + index));
    }
    expect(groups.every((group) => headerOf(geometry, group).reservedBlocks === reserved)).toBe(true);
  });
});

describe("block maps", () => {
  const segments = fc
    .array(fc.tuple(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 1, max: 600 })), { maxLength: 12 })
    .map((gaps) => {
      let logical = 0;
      return gaps.map(([gap, count]) => {
        const segment = { logical: logical + gap, count };
        logical += gap + count;
        return segment;
      });
    });

  it("lead to every block of a file, by as many blocks of pointers as were counted", () => {
    fc.assert(
      fc.property(segments, fc.constantFrom(1024, 2048, 4096), (parts, blockSize) => {
        let physical = 1000;
        const runs = parts.map(({ logical, count }) => {
          const run = { logical, physical, count };
          physical += count;
          return run;
        });
        let next = physical;
        const { root, nodes } = encodeBlockMap(runs, blockSize, () => next++);
        expect(nodes).toHaveLength(mapBlocks(parts, blockSize));
        expect(nodes.map(({ block }) => block)).toEqual(nodes.map((_, index) => physical + index));
        const words = (bytes: Uint8Array): number[] => {
          const view = new DataView(bytes.buffer, bytes.byteOffset);
          return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(4 * index, true));
        };
        const found = new Map<number, number>();
        const per = blockSize / 4;
        const visit = (block: number, depth: number, first: number): void => {
          if (block === 0) return;
          if (depth === 0) found.set(first, block);
          else {
            const { bytes } = nodes.find((node) => node.block === block)!;
            words(bytes).forEach((pointer, index) => {
              visit(pointer, depth - 1, first + index * per ** (depth - 1));
            });
          }
        };
        words(root).forEach((pointer, index) => {
          const depth = Math.max(0, index - 11);
          const starts = [0, 12, 12 + per, 12 + per + per ** 2];
          visit(pointer, depth, depth === 0 ? index : starts[depth]!);
        });
        const wanted = runs.flatMap((run) =>
          Array.from({ length: run.count }, (_, index): [number, number] => [
            run.logical + index,
            run.physical + index,
          ]),
        );
        expect([...found].sort(([a], [b]) => a - b)).toEqual(wanted);
      }),
      { numRuns: 60 },
    );
  });

  it("say how large a file can be", () => {
    const file = (size: number): Tree => treeOf([{ path: "a", type: "file", content: patterned(size, 1) }]);
    const most = mostMappedBlocks(1024) * 1024;
    expect(() => plan({ type: "ext2", blockSize: 1024 }, file(most))).not.toThrow();
    expect(() => plan({ type: "ext2", blockSize: 1024 }, file(most + 1))).toThrow(/use the feature extent/);
  });
});

describe("the smallest filesystem", () => {
  it("is smaller than every other that holds the tree, found by trying all", () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 400_000 }), { maxLength: 30 });
    const sets = fc.constantFrom<Partial<Ext4Options>>({}, { type: "ext2" }, { features: ["^flex_bg"] });
    fc.assert(
      fc.property(sizes, sets, fc.constantFrom<1024 | 4096>(1024, 4096), (list, options, blockSize) => {
        const tree = treeOf(
          list.map(
            (size, index): Entry => ({ path: `f${index}`, type: "file", content: patterned(size, index) }),
          ),
        );
        const least = plan({ ...options, blockSize }, tree);
        for (
          let size = least.size - blockSize;
          size > 0 && size > least.size - 300 * blockSize;
          size -= blockSize
        ) {
          expect(() => plan({ ...options, blockSize, size }, tree)).toThrow(
            expect.objectContaining({ code: "DOES_NOT_FIT" }),
          );
        }
        expect(plan({ ...options, blockSize, size: least.size }, tree).size).toBe(least.size);
      }),
      { numRuns: 25 },
    );
  });

  it("names missing bytes that are enough, where a journal makes a larger one too small", () => {
    const tree = treeOf([{ path: "a", type: "file", content: patterned(7_400_000, 1) }]);
    const least = plan({}, tree);
    expect(least.features.has("has_journal")).toBe(false);
    let missing = 0;
    try {
      plan({ size: 8 * MIB }, tree);
    } catch (error) {
      missing = (error as { missingBytes: number }).missingBytes;
      expect((error as Error).message).toMatch(/journal 4 MiB.*without a journal it fits/);
    }
    expect(plan({ size: 8 * MIB, features: ["^has_journal"] }, tree).size).toBe(8 * MIB);
    expect(missing).toBeGreaterThan(0);
    expect(plan({ size: 8 * MIB + missing }, tree).features.has("has_journal")).toBe(true);
  });
});

describe("a tail too short for what it would have to hold", () => {
  it("is left out, and the inodes are those of what remains", () => {
    for (const blocks of [32769, 32770]) {
      const { geometry } = plan({ size: blocks * 4096 });
      expect([geometry.blocks, geometry.inodes]).toEqual([32768, 32768]);
    }
  });
});

describe("an inode of 128 bytes", () => {
  it("moves times beyond 2038 to its end, and says so", async () => {
    const tree = treeOf([{ path: "a", type: "file", mtime: 2n ** 31n * 1_000_000_000n }]);
    const planned = plan({ inodeSize: 128 }, tree);
    expect(planned.warnings).toEqual([expect.stringMatching(/^\/a: .*2038-01-19/)]);
    expect((await render(writeExt4(planned), planned.size)).length).toBe(planned.size);
    expect(plan({}, tree).warnings).toEqual([]);
    // What becomes an earlier time is not too late.
    expect(plan({ inodeSize: 128, time: 0 }, tree).warnings).toEqual([]);
  });
});

describe("CRC-16", () => {
  it("is that of the catalogue: ARC of 123456789 is 0xbb3d", () => {
    expect(crc16Register(0, utf8("123456789"))).toBe(0xbb3d);
  });
});
