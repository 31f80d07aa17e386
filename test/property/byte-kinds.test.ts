import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiskwrightError } from "../../src/errors.ts";
import {
  type BlockSize,
  type Ext4Options,
  type Ext4Plan,
  ext4Free,
  openExt4,
  planExt4,
  writeExt4,
} from "../../src/ext4/index.ts";
import {
  type ByteRange,
  byteKinds,
  bytesSource,
  type Extent,
  freeBeside,
  sweep,
  united,
  without,
  zeroingTarget,
} from "../../src/extents/index.ts";
import { fatFree, planFat, readFat, writeFat } from "../../src/fat32/index.ts";
import { image, imageExtents, imageFree, plan } from "../../src/image/index.ts";
import { freeRanges } from "../../src/inspect/index.ts";
import { type Tree, treeOf } from "../../src/tree/index.ts";
import { anyFatTree } from "../support/fat-trees.ts";
import { render } from "../support/render.ts";
import { anyRichTree } from "../support/trees.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";

/** Ranges in any order, some of them over each other. */
const anyRanges = fc.array(
  fc.record({ position: fc.nat(60), length: fc.nat(12) }).map((range): ByteRange => range),
  { maxLength: 8 },
);

function bytesOf(ranges: Iterable<ByteRange>): Set<number> {
  const bytes = new Set<number>();
  for (const { position, length } of ranges) {
    for (let byte = position; byte < position + length; byte++) bytes.add(byte);
  }
  return bytes;
}

/** Ranges that ascend, of one byte at least, with no two of them over each other. */
function expectSequence(ranges: readonly ByteRange[], size: number): void {
  let covered = 0;
  for (const { position, length } of ranges) {
    expect(length).toBeGreaterThan(0);
    expect(position).toBeGreaterThanOrEqual(covered);
    covered = position + length;
  }
  expect(covered).toBeLessThanOrEqual(size);
}

describe("ranges", () => {
  it("are united to those that cover the same bytes", () => {
    fc.assert(
      fc.property(anyRanges, (ranges) => {
        const joined = united(ranges);
        expectSequence(joined, 100);
        expect(bytesOf(joined)).toEqual(bytesOf(ranges));
      }),
    );
  });

  it("lose the bytes that others take", () => {
    fc.assert(
      fc.property(anyRanges, anyRanges, (some, others) => {
        const rest = [...without(united(some), united(others))];
        expectSequence(rest, 100);
        const taken = bytesOf(others);
        expect(bytesOf(rest)).toEqual(new Set([...bytesOf(some)].filter((byte) => !taken.has(byte))));
      }),
    );
  });

  it("and what lies beside them are the whole", () => {
    fc.assert(
      fc.property(anyRanges, fc.integer({ min: 72, max: 80 }), (ranges, size) => {
        const used = united(ranges);
        const free = [...freeBeside(used, size)];
        expectSequence(free, size);
        expect(united([...used, ...free])).toEqual([{ position: 0, length: size }]);
      }),
    );
  });

  it("of content and free bytes give every byte one kind, content first", () => {
    fc.assert(
      fc.property(anyRanges, anyRanges, (some, others) => {
        const content = united(some);
        const free = united(others);
        const kinds = [...byteKinds(content, free, 100)];
        expectSequence(kinds, 100);
        expect(kinds.reduce((sum, { length }) => sum + length, 0)).toBe(100);
        const contentBytes = bytesOf(content);
        const freeBytes = bytesOf(free);
        for (const { position, length, kind } of kinds) {
          for (let byte = position; byte < position + length; byte++) {
            const expected = contentBytes.has(byte) ? "content" : freeBytes.has(byte) ? "free" : "zero";
            expect(kind).toBe(expected);
          }
        }
      }),
    );
  });
});

/** Extents that keep off everything that is free, so that each byte has one kind. */
function expectApart(extents: Iterable<Extent>, free: readonly ByteRange[], size: number): void {
  expectSequence(free, size);
  let next = 0;
  let covered = 0;
  for (const { position, length } of extents) {
    expect(position).toBeGreaterThanOrEqual(covered);
    covered = position + length;
    while (next < free.length && free[next]!.position + free[next]!.length <= position) next++;
    const following = free[next];
    if (length > 0 && following !== undefined) expect(following.position).toBeGreaterThanOrEqual(covered);
  }
  expect(covered).toBeLessThanOrEqual(size);
}

const OLD = 0xaa;

/** What a card that was full of other bytes holds when an image is written to it, but for what is free. */
async function usedCard(
  extents: () => Iterable<Extent>,
  free: readonly ByteRange[],
  size: number,
): Promise<Uint8Array> {
  const card = new Uint8Array(size).fill(OLD);
  const into = {
    begin: (): void => {},
    write: (position: number, bytes: Uint8Array): void => card.set(bytes, position),
    commit: (): void => {},
    abort: (): void => {},
  };
  const target = zeroingTarget({ into, free });
  await target.begin(size);
  await sweep(extents(), (position, bytes) => target.write(position, bytes));
  await target.commit();
  return card;
}

/** Bytes that are free keep what the card had; all others are those of the image. */
function expectFlashed(card: Uint8Array, whole: Uint8Array, free: readonly ByteRange[]): void {
  const expected = whole.slice();
  for (const { position, length } of free) expected.fill(OLD, position, position + length);
  expect(Buffer.compare(card, expected)).toBe(0);
}

const ext4Options = fc.record({
  blockSize: fc.constantFrom<BlockSize>(1024, 2048, 4096),
  freeBytes: fc.constantFrom(0, 100_000, 9_000_000),
  type: fc.constantFrom("ext2" as const, "ext3" as const, "ext4" as const),
  features: fc.constantFrom(
    [],
    ["^metadata_csum"],
    ["^flex_bg"],
    ["meta_bg", "^resize_inode"],
    ["has_journal"],
    ["^has_journal", "sparse_super2", "^resize_inode"],
  ),
  blocksPerGroup: fc.constantFrom(undefined, 1024, 4096),
});

/** A plan, or `undefined` for a tree with more extended attributes than small blocks hold. */
function planned4(tree: Tree, options: Partial<Ext4Options>): Ext4Plan | undefined {
  try {
    return planExt4(tree, { uuid, ...options });
  } catch (error) {
    if (error instanceof DiskwrightError && error.code === "INVALID_TREE") return undefined;
    throw error;
  }
}

describe("an ext4 filesystem", () => {
  it("is sound on a card that held other bytes, and its bitmaps say what the plan calls free", async () => {
    await fc.assert(
      fc.asyncProperty(anyRichTree(500), ext4Options, async (entries, options) => {
        const planned = planned4(treeOf(entries), options);
        fc.pre(planned !== undefined);
        const free = [...ext4Free(planned)];
        const extents = (): Iterable<Extent> => writeExt4(planned);
        expectApart(extents(), free, planned.size);
        expect(free.reduce((sum, { length }) => sum + length, 0)).toBe(
          planned.freeBlocks * options.blockSize,
        );
        const whole = await render(extents(), planned.size);
        const card = await usedCard(extents, free, planned.size);
        expectFlashed(card, whole, free);
        const volume = (await openExt4(bytesSource(card)))!;
        expect(volume.problems).toEqual([]);
        const found: ByteRange[] = [];
        for await (const range of volume.freeRanges()) found.push(range);
        expect(united(found)).toEqual(united(free));
      }),
      { numRuns: 40 },
    );
  });
});

describe("a FAT volume", () => {
  it("is sound on a card that held other bytes, and its table says what the plan calls free", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyFatTree,
        fc.constantFrom<(12 | 16)[]>(12, 16),
        fc.integer({ min: 0, max: 300_000 }),
        async (entries, bits, freeBytes) => {
          const planned = planFat(treeOf(entries), { serial: 1, bits, freeBytes });
          const free = [...fatFree(planned)];
          const extents = (): Iterable<Extent> => writeFat(planned);
          expectApart(extents(), free, planned.size);
          const whole = await render(extents(), planned.size);
          const card = await usedCard(extents, free, planned.size);
          expectFlashed(card, whole, free);
          const volume = (await readFat(bytesSource(card)))!;
          expect(await volume.check()).toEqual([]);
          const found: ByteRange[] = [];
          for await (const range of volume.freeRanges()) found.push(range);
          expect(found.reduce((sum, { length }) => sum + length, 0)).toBe(planned.freeBytes);
          // Sectors at the end that are no whole cluster are free, too, but no table entry says so.
          expect([...without(united(found), free)]).toEqual([]);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("a disk", () => {
  const layouts = ["none", "legacy", "legacy+gpt", "efi", "efixbootldr", "hybrid"] as const;

  it.each(layouts)("%s: has one kind for each byte, and keeps no signature of an older system", (layout) => {
    const root = treeOf([
      { path: "/boot/kernel", type: "file", content: "k" },
      { path: "/etc/hostname", type: "file", content: "box\n" },
    ]);
    const planned = plan(image({ root, layout, additionalSpace: 64 * 1024 * 1024, bootSize: "64M" }));
    const free = [...imageFree(planned)];
    expectApart(imageExtents(planned), free, planned.size);
    const areas = [{ offset: 0, size: planned.size }, ...planned.partitions].flatMap(({ offset, size }) => [
      { position: offset, length: 4096 },
      { position: offset + size - 4096, length: 4096 },
    ]);
    expect([...without(united(areas), free)]).toEqual(united(areas));
    expect(free.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(50_000_000);
  });

  it("has free what its filesystems call free", async () => {
    const root = treeOf([
      { path: "/boot/kernel", type: "file", content: "k" },
      { path: "/data", type: "file", content: new Uint8Array(100_000).fill(7) },
    ]);
    const planned = plan(image({ root, layout: "efi", additionalSpace: 2 ** 22, bootSize: "40M" }));
    const disk = bytesSource(await render(imageExtents(planned), planned.size));
    const found: ByteRange[] = [];
    for await (const range of freeRanges(disk)) found.push(range);
    // Between partitions nobody says that bytes are free.
    const inPartitions = planned.partitions.map(({ offset, size }) => ({ position: offset, length: size }));
    const outside = [...without([{ position: 0, length: planned.size }], inPartitions)];
    expect(united(found)).toEqual(united(without(imageFree(planned), outside)));
  });
});
