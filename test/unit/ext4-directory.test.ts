import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteKey, compareBytes, utf8 } from "../../src/bytes/index.ts";
import { ownedChecksum } from "../../src/ext4/checksum.ts";
import {
  type DirectoryContents,
  type DirectoryFormat,
  type DirectoryLayout,
  directoryBlocks,
  type ExtraChild,
  type IndexFormat,
  layDirectory,
} from "../../src/ext4/directory/directory.ts";
import { HASH_VERSION, type NameHashing, nameHasher } from "../../src/ext4/directory/hash.ts";
import { sortedByHash } from "../../src/ext4/directory/htree.ts";
import {
  directoryEntry,
  directoryTail,
  type IndexRoot,
  indexEntry,
  indexRoot,
  indexTail,
} from "../../src/ext4/structures.ts";
import {
  fileMode,
  PLAIN_DIRECTORY,
  type RowAttributes,
  type Tree,
  TreeBuilder,
} from "../../src/tree/index.ts";

const SEED = "8a1b2c3d-4e5f-4061-b273-849fa0b1c2d3";
const OWN_SEED = 7;
const INODE = 70;
const PARENT_INODE = 60;
const FIRST_CHILD_INODE = 1000;

const usualIndex: IndexFormat = { hash: "half_md4", seed: SEED, isSigned: true, mayBeLarge: false };
const usual: DirectoryFormat = { blockSize: 4096, hasChecksums: true, hasFileTypes: true, index: usualIndex };

/** Names of the same legacy hash, when so many `x` stand before them. */
const COLLIDING =
  "wfnycabg dohegads dohegasd nkbdjakl nkbdjalk cvpxsafn cvpxsanf fhakhbbk fhakhbkb tzzlibav tzzlibva aveuybcj"
    .split(" ")
    .map((name) => utf8("x".repeat(200) + name));
const COLLIDING_HASH = 0x80000000;

const FILE: RowAttributes = { ...PLAIN_DIRECTORY, mode: fileMode.FILE | 0o644 };

/** A tree of one directory; every third child is a directory, the others are files. */
function flatTree(names: readonly Uint8Array[]): Tree {
  const builder = new TreeBuilder(PLAIN_DIRECTORY);
  [...names]
    .sort(compareBytes)
    .forEach((name, index) => void builder.add(0, name, index % 3 === 0 ? PLAIN_DIRECTORY : FILE));
  return builder.finish([]);
}

/** So many names of `length` bytes. */
function names(count: number, length: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => utf8(String(index).padStart(length, "n")));
}

function laid(tree: Tree, format: DirectoryFormat, extra?: ExtraChild): DirectoryLayout {
  const layout = layDirectory(tree, 0, extra?.name, format);
  if (typeof layout === "string") throw new Error(layout);
  return layout;
}

function encoded(tree: Tree, format: DirectoryFormat, extra?: ExtraChild, blocks?: number): Uint8Array[] {
  const layout = laid(tree, format, extra);
  const contents: DirectoryContents = {
    inode: INODE,
    parentInode: PARENT_INODE,
    row: 0,
    ...layout,
    blocks: blocks ?? layout.blocks,
    checksumSeed: OWN_SEED,
    ...(extra === undefined ? {} : { extra }),
  };
  const inodeOf = Uint32Array.from({ length: tree.length }, (_, row) => FIRST_CHILD_INODE + row);
  return [...directoryBlocks(tree, inodeOf, contents, format)];
}

interface Found {
  readonly name: Uint8Array;
  readonly inode: number;
  readonly type: number;
}

/** Equality of whole blocks, which `toEqual` would compare byte by byte and slowly. */
function expectSame(block: Uint8Array, declared: Uint8Array): void {
  if (compareBytes(block, declared) !== 0) expect(block).toEqual(declared);
}

/** The entries of a block of entries; what is written is what is declared, up to the last byte. */
function entriesOf(block: Uint8Array, { blockSize, hasChecksums }: DirectoryFormat): Found[] {
  const end = hasChecksums ? blockSize - directoryTail.span : blockSize;
  const found: Found[] = [];
  const declared = new Uint8Array(blockSize);
  for (let at = 0; at < end; ) {
    const entry = directoryEntry.fromBytes(block, at);
    const { inode, recordLength, nameLength, fileType: type } = entry;
    const nameAt = at + directoryEntry.span;
    const name = block.subarray(nameAt, nameAt + nameLength);
    const least = (directoryEntry.span + nameLength + 3) & ~3;
    const isLast = at + recordLength === end;
    directoryEntry.encode({ ...entry, recordLength: isLast ? recordLength : least }, declared, at, "entry");
    declared.set(name, nameAt);
    // A block without entries has one that is not in use.
    if (inode !== 0) found.push({ name, inode, type });
    else expect({ at, nameLength, type, isLast }).toEqual({ at: 0, nameLength: 0, type: 0, isLast: true });
    at += Math.max(recordLength, least);
  }
  if (hasChecksums) {
    const checksum = ownedChecksum(OWN_SEED, block.subarray(0, end));
    const tail = { inode: 0, recordLength: 12, nameLength: 0, fileType: 0xde, checksum };
    directoryTail.encode(tail, declared, end, "tail");
  }
  expectSame(block, declared);
  return found;
}

interface Node {
  readonly root?: IndexRoot;
  readonly limit: number;
  /** The first one's hash is taken for 0: its place holds limit and count. */
  readonly entries: readonly { readonly hash: number; readonly block: number }[];
}

/** The entries of a root or of an inner node; what is written is what is declared, up to the last byte. */
function nodeOf(block: Uint8Array, isRoot: boolean, format: DirectoryFormat): Node {
  const { blockSize, hasChecksums, hasFileTypes } = format;
  const type = hasFileTypes ? 2 : 0;
  const declared = new Uint8Array(blockSize);
  const put = (at: number, inode: number, recordLength: number, name: string, fileType: number): void => {
    directoryEntry.encode({ inode, recordLength, nameLength: name.length, fileType }, declared, at, "entry");
    declared.set(utf8(name), at + directoryEntry.span);
  };
  if (isRoot) {
    put(0, INODE, 12, ".", type);
    put(12, PARENT_INODE, blockSize - 12, "..", type);
    indexRoot.encode(indexRoot.fromBytes(block, 24), declared, 24, "root");
  } else {
    put(0, 0, blockSize, "", 0);
  }
  const start = isRoot ? 32 : 8;
  const limit = block[start]! | (block[start + 1]! << 8);
  const count = block[start + 2]! | (block[start + 3]! << 8);
  expect(limit).toBe((blockSize - start) / 8 - (hasChecksums ? 1 : 0));
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThanOrEqual(limit);
  const entries = Array.from({ length: count }, (_, index) => {
    const entry = indexEntry.fromBytes(block, start + index * indexEntry.span);
    indexEntry.encode(entry, declared, start + index * indexEntry.span, "entry");
    return { hash: index === 0 ? 0 : entry.hash, block: entry.block };
  });
  if (hasChecksums) {
    const signed = Uint8Array.from([
      ...declared.subarray(0, start + count * indexEntry.span),
      ...new Uint8Array(indexTail.span),
    ]);
    const tail = { checksum: ownedChecksum(OWN_SEED, signed) };
    indexTail.encode(tail, declared, start + limit * indexEntry.span, "tail");
  }
  expectSame(block, declared);
  return isRoot ? { root: indexRoot.fromBytes(block, 24), limit, entries } : { limit, entries };
}

interface Leaf {
  /** The number of its block, and from which hash on it has names. */
  readonly block: number;
  readonly hash: number;
  readonly entries: readonly Found[];
}

/** Goes through an indexed directory as its root says, and meets every block once. */
function readIndexed(
  blocks: readonly Uint8Array[],
  format: DirectoryFormat,
): { root: IndexRoot; leaves: Leaf[] } {
  const met = new Set<number>();
  const leaves: Leaf[] = [];
  const root = nodeOf(blocks[0]!, true, format).root!;
  expect(root).toEqual({
    hashVersion: HASH_VERSION[format.index!.hash],
    infoLength: 8,
    indirectLevels: root.indirectLevels,
    unusedFlags: 0,
  });
  const visit = (block: number, level: number, hash: number): void => {
    expect(met.has(block)).toBe(false);
    met.add(block);
    if (level > root.indirectLevels) {
      leaves.push({ block, hash, entries: entriesOf(blocks[block]!, format) });
      return;
    }
    const { entries } = nodeOf(blocks[block]!, level === 0, format);
    entries.forEach((entry, index) => void visit(entry.block, level + 1, index === 0 ? hash : entry.hash));
  };
  visit(0, 0, 0);
  expect(met.size).toBe(blocks.length);
  return { root, leaves };
}

/** An indexed directory has each child once, where a lookup by hash finds it, in leaves that are full. */
function expectIndexed(tree: Tree, format: DirectoryFormat, extra?: ExtraChild): Leaf[] {
  const blocks = encoded(tree, format, extra);
  expect(blocks).toHaveLength(laid(tree, format, extra).blocks);
  const { leaves } = readIndexed(blocks, format);
  const hashOf = nameHasher(format.index!);
  const usable = format.blockSize - (format.hasChecksums ? 12 : 0);
  const size = ({ name }: Found): number => (8 + name.length + 3) & ~3;
  let last = -1;
  leaves.forEach(({ hash, entries }, index) => {
    const hashes = entries.map(({ name }) => hashOf(name, 0, name.length));
    expect(hashes.every((value, at) => at === 0 || value >= hashes[at - 1]!)).toBe(true);
    expect(hashes[0]).toBeGreaterThanOrEqual(last);
    // The lowest bit says that names of the hash begin in the leaf before.
    if (index > 0) expect(hash).toBe(hashes[0] === last ? last + 1 : hashes[0]);
    if (index > 0) {
      const before = leaves[index - 1]!.entries.reduce((sum, entry) => sum + size(entry), 0);
      expect(before + size(entries[0]!)).toBeGreaterThan(usable);
    }
    last = hashes.at(-1)!;
  });
  const expected = Array.from({ length: tree.length - 1 }, (_, index): Found => {
    const row = index + 1;
    const type = format.hasFileTypes ? (tree.isDirectory(row) ? 2 : 1) : 0;
    return { name: tree.name(row), inode: FIRST_CHILD_INODE + row, type };
  });
  if (extra !== undefined) expected.push({ ...extra, type: format.hasFileTypes ? 2 : 0 });
  expect(sortedFound(leaves.flatMap(({ entries }) => entries))).toEqual(sortedFound(expected));
  return leaves;
}

function sortedFound(found: readonly Found[]): string[] {
  return found.map(({ name, inode, type }) => `${byteKey(name)} ${inode} ${type}`).sort();
}

const kinds = ["legacy", "half_md4", "tea"] as const;

describe("the hash of a name", () => {
  /** As debugfs prints them: legacy, half_md4 and tea, each with signed and with unsigned characters. */
  it.each<[string, string, string]>([
    ["a", "a", "e74b53e2 e74b53e2 2739cf8e 2739cf8e ff97fdce ff97fdce"],
    ["ab", "ab", "da0d8cd0 da0d8cd0 945d2f7a 945d2f7a 76469f82 76469f82"],
    ["abc", "abc", "75afd992 75afd992 cb3a81a4 cb3a81a4 7f7cae52 7f7cae52"],
    ["abcd", "abcd", "fafa23ca fafa23ca 28c339ba 28c339ba 68047fa6 68047fa6"],
    ["passwd", "passwd", "98b8cd7c 98b8cd7c baa8a8e6 baa8a8e6 6a29d8ca 6a29d8ca"],
    ["15 bytes", "0123456789abcde", "e3a73290 e3a73290 e11279cc e11279cc ab05f20c ab05f20c"],
    ["16 bytes", "0123456789abcdef", "415c16fe 415c16fe d0fc467e d0fc467e fe01487c fe01487c"],
    ["17 bytes", "0123456789abcdefg", "fa356a68 fa356a68 94f3cba8 94f3cba8 3a6abe50 3a6abe50"],
    ["31 bytes", "x".repeat(31), "a365191c a365191c aa5f2214 aa5f2214 e075725c e075725c"],
    ["32 bytes", "x".repeat(32), "ccf8e87c ccf8e87c 1a183ad8 1a183ad8 4bdda82c 4bdda82c"],
    ["33 bytes", "x".repeat(33), "4e0d46ea 4e0d46ea 706e48c8 706e48c8 8f32986e 8f32986e"],
    ["64 bytes", "long".repeat(16), "919561aa 919561aa 9195a512 9195a512 85e11f64 85e11f64"],
    ["65 bytes", `${"long".repeat(16)}!`, "6cdae500 6cdae500 4ee58286 4ee58286 2f060eca 2f060eca"],
    ["255 bytes", "z".repeat(255), "f94f0890 f94f0890 c75ac854 c75ac854 e2335c0c e2335c0c"],
    ["café", "café", "96ca5a2c 6dde4230 1cd28ca6 cba00e06 79b1ae98 7fe79d50"],
    ["日本語", "日本語", "e2996e36 61b07d5a cb8b9428 5763ea76 993f2816 2560281a"],
    ["ÿ", "ÿ", "bbce3f1c 75cea31a 0f287ee8 73b94b70 c0bec95e 8b63b016"],
  ])("of %s is that of e2fsprogs", (_, name, expected) => {
    const hashes = kinds.flatMap((hash) =>
      [true, false].map((isSigned) => hex(hash, isSigned, SEED, utf8(name))),
    );
    expect(hashes.join(" ")).toBe(expected);
  });

  it.each<[string, number[], string]>([
    ["one byte", [0x80], "26f2c94c b7bcdb4c 39207532 b33d2eb6 24557792 e7297ad4"],
    ["three bytes", [0xff, 0x41, 0x80], "807ef7ee 5a993dc6 82eb2c7e dc60b6ba 3fc5b3a4 8baf4dea"],
    [
      "40 bytes",
      Array.from({ length: 40 }, (_, index) => 0x80 + 3 * index),
      "8b256312 5ac03358 48e29958 814307a8 c6479df4 b95a2574",
    ],
  ])("of %s that are not UTF-8 is that of e2fsprogs", (_, bytes, expected) => {
    const hashes = kinds.flatMap((hash) =>
      [true, false].map((isSigned) => hex(hash, isSigned, SEED, Uint8Array.from(bytes))),
    );
    expect(hashes.join(" ")).toBe(expected);
  });

  it("starts from the constants of MD4 when the seed is zero", () => {
    const zero = "00000000-0000-0000-0000-000000000000";
    expect(hex("half_md4", true, zero, utf8("abc"))).toBe("d196a868");
    expect(hex("tea", true, zero, utf8("abc"))).toBe("b1435ec4");
  });

  it("is never the one that ends a directory", () => {
    // Before it is moved, the legacy hash of this name is 0xfffffffe.
    expect(hex("legacy", true, SEED, utf8("mcqhmaet"))).toBe("fffffffc");
  });

  it("leaves its lowest bit to the index, and does not depend on where the name lies", () => {
    const name = fc.uint8Array({ minLength: 1, maxLength: 255 });
    fc.assert(
      fc.property(name, fc.constantFrom(...kinds), fc.boolean(), fc.nat(20), (bytes, hash, isSigned, at) => {
        const hashOf = nameHasher({ hash, isSigned, seed: SEED });
        const arena = new Uint8Array(at + bytes.length + 9).fill(0xa5);
        arena.set(bytes, at);
        const value = hashOf(arena, at, bytes.length);
        expect(value % 2).toBe(0);
        expect(value).toBe(nameHasher({ hash, isSigned, seed: SEED })(bytes, 0, bytes.length));
      }),
    );
  });
});

function hex(hash: NameHashing["hash"], isSigned: boolean, seed: string, name: Uint8Array): string {
  return nameHasher({ hash, isSigned, seed })(name, 0, name.length).toString(16).padStart(8, "0");
}

describe("the order of hashes", () => {
  it("is that of their values, equal ones as they come", () => {
    const hash = fc.oneof(fc.nat(3), fc.nat(5000), fc.integer({ min: 0, max: 0xffffffff }));
    fc.assert(
      fc.property(fc.array(hash, { maxLength: 300 }), (hashes) => {
        const expected = hashes.map((_, index) => index).sort((a, b) => hashes[a]! - hashes[b]! || a - b);
        expect([...sortedByHash(Uint32Array.from(hashes))]).toEqual(expected);
      }),
    );
  });
});

const anyFormat: fc.Arbitrary<DirectoryFormat & { readonly index: IndexFormat }> = fc.record({
  blockSize: fc.constantFrom(1024, 2048, 4096),
  hasChecksums: fc.boolean(),
  hasFileTypes: fc.boolean(),
  index: fc.record({
    hash: fc.constantFrom(...kinds),
    seed: fc.constantFrom(SEED, "00000000-0000-0000-0000-000000000000"),
    isSigned: fc.boolean(),
    mayBeLarge: fc.boolean(),
  }),
});

const anyNames: fc.Arbitrary<Uint8Array[]> = fc
  .uniqueArray(
    fc.oneof(
      fc.uint8Array({ minLength: 2, maxLength: 20 }),
      fc.uint8Array({ minLength: 200, maxLength: 255 }),
    ),
    { minLength: 1, maxLength: 250, selector: byteKey },
  )
  .map((list) => {
    const clean = list.map((name) =>
      name.map((byte) => (byte === 0 || byte === 0x2f || byte === 0x2e ? 0x5f : byte)),
    );
    return [...new Map(clean.map((name) => [byteKey(name), name])).values()];
  });

const lostAndFound: ExtraChild = { name: utf8("lost+found"), inode: 11 };

describe("a directory", () => {
  it("of any names is one block or an index in which each is found", () => {
    let indexed = 0;
    fc.assert(
      fc.property(anyNames, anyFormat, fc.boolean(), (list, format, hasExtra) => {
        const tree = flatTree(list);
        const extra = hasExtra ? lostAndFound : undefined;
        if (laid(tree, format, extra).blocks === 1) {
          const [block] = encoded(tree, format, extra);
          expect(entriesOf(block!, format)).toHaveLength(2 + list.length + (hasExtra ? 1 : 0));
        } else {
          expectIndexed(tree, format, extra);
          indexed++;
        }
      }),
    );
    expect(indexed).toBeGreaterThan(0);
  });

  it("of any names is linear without dir_index, in the order of the tree", () => {
    fc.assert(
      fc.property(anyNames, anyFormat, fc.nat(3), (list, { index: _, ...rest }, empty) => {
        const format = { ...rest, index: undefined };
        const tree = flatTree(list);
        const layout = laid(tree, format);
        expect(layout.index).toBeUndefined();
        const blocks = encoded(tree, format, undefined, layout.blocks + empty);
        expect(blocks).toHaveLength(layout.blocks + empty);
        const found = blocks.map((block) => entriesOf(block, format));
        for (const entries of found.slice(layout.blocks)) expect(entries).toEqual([]);
        const sorted = [utf8("."), utf8(".."), ...list.toSorted(compareBytes)];
        expect(found.flat().map(({ name }) => byteKey(name))).toEqual(sorted.map(byteKey));
        expect(found.flat().map(({ inode }) => inode)).toEqual([
          INODE,
          PARENT_INODE,
          ...list.map((_, child) => FIRST_CHILD_INODE + 1 + child),
        ]);
      }),
    );
  });

  it("that the tree does not have is empty blocks behind its first two entries", () => {
    const contents = { inode: 11, parentInode: 2, row: undefined, blocks: 4, checksumSeed: OWN_SEED };
    const blocks = [...directoryBlocks(flatTree([]), new Uint32Array(1), contents, usual)];
    const found = blocks.map((block) => entriesOf(block, usual).map(({ name }) => byteKey(name)));
    expect(found).toEqual([[".", ".."], [], [], []]);
  });

  it("of one block shares its layout with all others", () => {
    const tree = flatTree(names(3, 10));
    expect(laid(tree, usual)).toBe(laid(flatTree([]), { ...usual, index: undefined }));
  });

  it.each<[number, boolean, number, number, number]>([
    // 12 bytes each for "." and "..", then children of 92, and one that fills the block to the byte.
    [1024, true, 10, 68, 1],
    [1024, true, 10, 72, 2],
    [1024, false, 10, 80, 1],
    [1024, false, 10, 84, 2],
    [4096, true, 44, 12, 1],
    [4096, true, 44, 16, 2],
    [4096, false, 44, 24, 1],
    [4096, false, 44, 28, 2],
  ])(
    "with blocks of %d, checksums: %s, %d names and one of an entry of %d bytes has %d blocks",
    (blockSize, hasChecksums, count, last, expected) => {
      const format = { ...usual, blockSize, hasChecksums };
      const tree = flatTree([...names(count, 84), new Uint8Array(last - 8).fill(0x7a)]);
      expect(laid(tree, format).blocks).toBe(expected);
      // Without the two dots all children still fit into one leaf.
      if (expected > 1) expect(expectIndexed(tree, format)).toHaveLength(1);
    },
  );

  it.each<[number, boolean, number, readonly number[]]>([
    // Three names of 255 bytes fill a leaf of 1 KiB, fifteen one of 4 KiB.
    [1024, true, 3 * 123, [1, 123]],
    [1024, true, 3 * 123 + 1, [1, 1, 124]],
    [1024, true, 3 * 126, [1, 1, 126]],
    [1024, true, 3 * 126 + 1, [1, 2, 127]],
    [1024, false, 3 * 124, [1, 124]],
    [1024, false, 3 * 124 + 1, [1, 1, 125]],
    [1024, false, 3 * 127 + 1, [1, 2, 128]],
    [4096, true, 15 * 507, [1, 507]],
    [4096, true, 15 * 507 + 1, [1, 1, 508]],
    [4096, true, 15 * 510 + 1, [1, 2, 511]],
    [4096, false, 15 * 508, [1, 508]],
    [4096, false, 15 * 508 + 1, [1, 1, 509]],
  ])(
    "with blocks of %d, checksums: %s, and %d long names has levels of %j blocks",
    (blockSize, hasChecksums, count, widths) => {
      const format = { ...usual, blockSize, hasChecksums };
      const tree = flatTree(names(count, 255));
      const { blocks, index } = laid(tree, format);
      expect(index?.widths).toEqual(widths);
      expect(blocks).toBe(widths.reduce((sum, width) => sum + width));
      expectIndexed(tree, format);
    },
  );

  it("numbers the root first, then inner nodes, then leaves in the order of their hashes", () => {
    const leaves = expectIndexed(flatTree(names(400, 255)), { ...usual, blockSize: 1024 });
    expect(leaves.map(({ block }) => block)).toEqual(leaves.map((_, index) => 1 + 2 + index));
  });

  it("may lead from a leaf to the next with names of one hash", () => {
    const index: IndexFormat = { ...usualIndex, hash: "legacy" };
    const hashOf = nameHasher(index);
    for (const name of COLLIDING) expect(hashOf(name, 0, name.length)).toBe(COLLIDING_HASH);
    const format = { ...usual, blockSize: 1024, index };
    // Four of them fill a leaf, so that one leaf has no other hash.
    const leaves = expectIndexed(flatTree([...COLLIDING, ...names(500, 208)]), format);
    const continued = leaves.filter(({ hash }) => hash % 2 === 1);
    expect(continued.map(({ hash }) => hash)).toContain(COLLIDING_HASH + 1);
    expect(continued.length).toBeGreaterThanOrEqual(2);
    const tied = leaves.flatMap(({ entries }) => entries).filter(({ name }) => name[0] === 0x78);
    expect(tied.map(({ name }) => byteKey(name))).toEqual(COLLIDING.map(byteKey).sort());
  });

  it("takes the extra child wherever its hash is", () => {
    const leaves = expectIndexed(flatTree(names(2000, 20)), usual, lostAndFound);
    const found = leaves.flatMap(({ entries }) => entries).find(({ inode }) => inode === lostAndFound.inode)!;
    expect(found).toEqual({ ...lostAndFound, type: 2 });
  });

  it("with more names than two levels hold needs large_dir", () => {
    const format = { ...usual, blockSize: 1024 };
    const most = 3 * 123 * 126;
    const tree = flatTree(names(most + 1, 255));
    expect(layDirectory(tree, 0, undefined, format)).toBe(
      "its names take 15499 blocks, the limit of the index is 15498: " +
        "use the feature large_dir, or spread them over more directories",
    );
    const large = { ...format, index: { ...usualIndex, mayBeLarge: true } };
    expect(laid(tree, large).index?.widths).toEqual([1, 1, 124, 15499]);
    const blocks = encoded(tree, large);
    expect(blocks).toHaveLength(1 + 1 + 124 + 15499);
    expect(nodeOf(blocks[0]!, true, large)).toMatchObject({
      root: { indirectLevels: 2 },
      entries: [{ hash: 0, block: 1 }],
    });
    expect(nodeOf(blocks[1]!, false, large).entries.map(({ block }) => block)).toEqual(
      Array.from({ length: 124 }, (_, index) => 2 + index),
    );
    expect(nodeOf(blocks[125]!, false, large).entries).toEqual([{ hash: 0, block: 126 + 15498 }]);

    const full = flatTree(names(most, 255));
    expect(laid(full, format).index?.widths).toEqual([1, 123, 15498]);
  });

  it("with more names than three levels hold must be split", () => {
    const count = 3 * 123 * 126 * 126 + 1;
    const index: IndexFormat = { ...usualIndex, hash: "legacy", mayBeLarge: true };
    const format = { ...usual, blockSize: 1024, index };
    expect(layDirectory(alike(count), 0, undefined, format)).toBe(
      "its names take 1952749 blocks, the limit of the index is 1952748: spread them over more directories",
    );
  });

  it("without an index has less than 4 GiB", () => {
    const format = { ...usual, index: undefined };
    const perBlock = 15;
    // The two dots take the place of one name in the first block.
    const most = perBlock * (2 ** 20 - 1);
    expect(laid(alike(most), format).blocks).toBe(2 ** 20 - 1);
    expect(layDirectory(alike(most + perBlock), 0, undefined, format)).toBe(
      "its names take 4,294,967,296 bytes, the limit is 4,294,967,295 bytes: " +
        "use the features dir_index and large_dir, or spread them over more directories",
    );
  });
});

/** A directory of so many names of 255 bytes that a real tree would take gigabytes: they are all alike. */
function alike(count: number): Tree {
  const columns = {
    firstChild: Uint32Array.of(1),
    childCount: Uint32Array.of(count),
    nameStart: new Uint32Array(count + 1),
    nameLength: new Uint8Array(count + 1).fill(255),
    names: new Uint8Array(255).fill(0x6e),
  };
  return { columns } as unknown as Tree;
}
