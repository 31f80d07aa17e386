import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiskwrightError } from "../../src/errors.ts";
import { xattrBlockChecksum } from "../../src/ext4/checksum.ts";
import { XATTR_MAGIC, xattrEntry, xattrHeader } from "../../src/ext4/structures.ts";
import { aclFromDisk, aclProblem, aclToDisk } from "../../src/ext4/xattr/acl.ts";
import {
  blockXattrRoom,
  compareXattrs,
  decodeBlockXattrs,
  decodeInodeXattrs,
  encodeInodeXattrs,
  encodeXattrBlock,
  inodeXattrRoom,
  type RawXattr,
  type StoredXattr,
  storedXattr,
  xattrSize,
  xattrValue,
} from "../../src/ext4/xattr/encode.ts";
import { xattrName } from "../../src/ext4/xattr/name.ts";
import { planXattrs, type XattrFormat, type XattrPlan } from "../../src/ext4/xattr/plan.ts";
import { splitXattrs } from "../../src/ext4/xattr/split.ts";
import { type Entry, type Tree, treeOf } from "../../src/tree/index.ts";
import { acl, anyAcl, anyXattrs, type Xattrs } from "../support/xattrs.ts";

const usual: XattrFormat = {
  blockSize: 4096,
  inodeRoom: 96,
  mayUseInodes: false,
  checksumSeed: 0x12345678,
  hasChecksums: true,
};
const FIRST_VALUE_INODE = 1000;

const anyFormat: fc.Arbitrary<XattrFormat> = fc.record({
  blockSize: fc.constantFrom(1024, 2048, 4096),
  inodeRoom: fc.constantFrom(0, 4, 8, 92, 96, 352, 864),
  mayUseInodes: fc.boolean(),
  checksumSeed: fc.constant(7),
  hasChecksums: fc.boolean(),
});

/** A tree of one directory for each set: `/0`, `/1`, … */
function treeWith(sets: readonly Xattrs[]): Tree {
  return treeOf(sets.map((xattrs, index): Entry => ({ path: String(index), type: "directory", xattrs })));
}

function planned(
  tree: Tree,
  format: XattrFormat = usual,
): { plan: XattrPlan | undefined; problems: string[] } {
  const problems: string[] = [];
  return { plan: planXattrs(tree, format, FIRST_VALUE_INODE, problems), problems };
}

/** The attributes of a row as a reader finds them. */
function readBack(plan: XattrPlan, row: number): Map<string, Uint8Array> {
  const area = plan.inInode(row);
  const block = plan.blockOf(row);
  const raw: RawXattr[] = [
    ...(area === undefined ? [] : decodeInodeXattrs(area)),
    ...(block === undefined ? [] : decodeBlockXattrs(plan.encodeBlock(block, 5))),
  ];
  const found = new Map<string, Uint8Array>();
  for (const xattr of raw) {
    expect(found.has(xattr.name)).toBe(false);
    if ("value" in xattr) found.set(xattr.name, xattr.value);
    else {
      const { value } = plan.values[xattr.valueInode - FIRST_VALUE_INODE]!;
      expect(value.length).toBe(xattr.size);
      found.set(xattr.name, xattrValue(xattr.name, value));
    }
  }
  return found;
}

function stored(xattrs: Xattrs): StoredXattr[] {
  return [...xattrs].map(([name, value]) => storedXattr(xattrName(name), value)).sort(compareXattrs);
}

describe("ACLs", () => {
  it("take the form of the disk and come back", () => {
    fc.assert(
      fc.property(anyAcl, (value) => {
        expect(aclProblem(value)).toBeUndefined();
        const onDisk = aclToDisk(value);
        // A kernel counts the entries from the size: the first four are short ones.
        expect((onDisk.length - 4) % 4).toBe(0);
        expect(aclFromDisk(onDisk)).toEqual(value);
      }),
    );
  });

  it("have the bytes that a kernel wrote", () => {
    const value = acl([1, 6], [2, 4, 1000], [4, 4], [16, 4], [32, 0]);
    const onDisk = "01000000010006000200" + "0400e80300000400040010000400" + "20000000";
    expect(Buffer.from(aclToDisk(value)).toString("hex")).toBe(onDisk);
  });

  it.each<[string, Uint8Array]>([
    ["is not of version 2", new Uint8Array(0)],
    ["is not of version 2", aclToDisk(acl([1, 6], [4, 4], [32, 0]))],
    ["ends in the middle of an entry", acl([1, 6], [4, 4], [32, 0]).subarray(0, 25)],
    ["unknown kind 0x40", acl([1, 6], [0x40, 4], [32, 0])],
    ["impossible permissions 010", acl([1, 8], [4, 4], [32, 0])],
    ["wrong order", acl([4, 4], [1, 6], [32, 0])],
    ["without an id", acl([1, 6], [2, 6], [4, 4], [16, 7], [32, 0])],
    ["one entry each", acl()],
    ["one entry each", acl([1, 6], [1, 6], [4, 4], [32, 0])],
    ["more than one mask", acl([1, 6], [4, 4], [16, 7], [16, 7], [32, 0])],
    ["needs a mask", acl([1, 6], [2, 6, 5], [4, 4], [32, 0])],
  ])("are refused: %s", (problem, value) => {
    expect(aclProblem(value)).toContain(problem);
  });

  it.each([[[]], [[2, 0, 0, 0]], [[1, 0, 0, 0, 2, 0, 7, 0]], [[1, 0, 0, 0, 3, 0, 7, 0]], [[1, 0, 0, 0, 1]]])(
    "damaged ones on a disk are told: %j",
    (bytes) => {
      expect(() => aclFromDisk(Uint8Array.from(bytes))).toThrow(DiskwrightError);
    },
  );
});

describe("areas of extended attributes", () => {
  it("have the header and the entries of their records", () => {
    const xattrs = stored(new Map([["user.comment", Uint8Array.of(1, 2, 3, 4, 5)]]));
    const block = encodeXattrBlock(xattrs, 1024, 3);
    const entry = xattrEntry.fromBytes(block, 32);
    expect(entry).toEqual({
      nameLength: 7,
      nameIndex: 1,
      valueOffset: 1016,
      valueInode: 0,
      valueSize: 5,
      hash: entry.hash,
    });
    // The header's hash begins with zero, so that of one entry is that entry's.
    expect(xattrHeader.fromBytes(block)).toEqual({
      magic: XATTR_MAGIC,
      referenceCount: 3,
      blocks: 1,
      hash: entry.hash,
      checksum: 0,
    });
    const area = encodeInodeXattrs(xattrs, 96);
    expect(xattrEntry.fromBytes(area, 4)).toEqual({ ...entry, valueOffset: 84, hash: 0 });
  });

  it("hash names as unsigned bytes, and words of values", () => {
    const hash = (name: string, value: number[]): number => {
      const block = encodeXattrBlock(stored(new Map([[name, Uint8Array.from(value)]])), 4096, 1);
      return xattrEntry.fromBytes(block, 32).hash;
    };
    expect(hash("user.c", new Array(3000).fill(0x78))).toBe(0x63);
    expect(hash("user.dd", new Array(60).fill(0x7a))).toBe(0x769e7a7a);
    expect(hash("user.é", [])).toBe((0xc3 << 5) ^ 0xa9);
  });

  it("carry checksums over the number of their block", () => {
    const { plan } = planned(treeWith([new Map([["user.a", new Uint8Array(500)]])]));
    const block = plan!.encodeBlock(0, 2 ** 33 + 1);
    const { checksum } = xattrHeader.fromBytes(block);
    expect(checksum).toBe(xattrBlockChecksum(usual.checksumSeed, 2 ** 33 + 1, block));
    expect(checksum).not.toBe(xattrBlockChecksum(usual.checksumSeed, 1, block));
    const without = planned(treeWith([new Map([["user.a", new Uint8Array(500)]])]), {
      ...usual,
      hasChecksums: false,
    });
    expect(xattrHeader.fromBytes(without.plan!.encodeBlock(0, 1)).checksum).toBe(0);
  });

  /** An area with one entry, changed in one place. */
  function damaged(change: (area: Uint8Array, view: DataView) => void): Uint8Array {
    const area = encodeInodeXattrs(stored(new Map([["user.a", Uint8Array.of(1, 2, 3, 4)]])), 96);
    change(area, new DataView(area.buffer));
    return area;
  }

  it.each<[string, (area: Uint8Array, view: DataView) => void]>([
    ["unknown kind 99", (area) => (area[5] = 99)],
    ["unknown kind 2", (area) => (area[5] = 2)],
    ["unknown kind 1", (area) => (area[4] = 0)],
    ["does not fit", (area) => (area[4] = 200)],
    ["marks the end", (area) => area.fill(0, 6).set([76], 4)],
    ['value of "user.a" lies outside', (_, view) => view.setUint16(6, 90, true)],
    ['value of "user.a" lies outside', (_, view) => view.setUint32(12, 0xffffffff, true)],
    ["lies over the entries", (_, view) => view.setUint16(6, 4, true)],
    ["claims 16777217 bytes", (_, view) => view.setBigUint64(8, (2n ** 24n + 1n) * 2n ** 32n + 12n, true)],
  ])("tell damage: %s", (message, change) => {
    expect(() => decodeInodeXattrs(damaged(change))).toThrow(message);
  });

  it("tell a block that is none", () => {
    expect(() => decodeBlockXattrs(new Uint8Array(4))).toThrow("too short");
    expect(() => decodeBlockXattrs(new Uint8Array(1024))).toThrow("no magic number");
    const block = encodeXattrBlock([], 1024, 1);
    expect(decodeBlockXattrs(block)).toEqual([]);
    block[8] = 2;
    expect(() => decodeBlockXattrs(block)).toThrow("more than one block");
  });

  it("are none where an inode has no magic number", () => {
    expect(decodeInodeXattrs(new Uint8Array(0))).toEqual([]);
    expect(decodeInodeXattrs(new Uint8Array(96))).toEqual([]);
  });

  it("read hostile bytes as attributes or as damage, never otherwise", () => {
    const magic = [0, 0, 2, 0xea];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 96 }), fc.nat(10), (bytes, kind) => {
        const area = Uint8Array.from([...magic, ...bytes]);
        // Names of a known kind get further than random ones.
        if (area.length > 5) area[5] = kind;
        try {
          for (const xattr of decodeInodeXattrs(area)) expect(xattr.name).not.toBe("");
        } catch (error) {
          expect(error).toBeInstanceOf(DiskwrightError);
          expect((error as DiskwrightError).code).toBe("CORRUPT");
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("the plan of a tree's extended attributes", () => {
  it("is none where no entry has any", () => {
    expect(planned(treeOf([{ path: "a", type: "file" }]))).toEqual({ plan: undefined, problems: [] });
  });

  it("reads back as what was planned, in every format", () => {
    fc.assert(
      fc.property(fc.array(anyXattrs(6000, true), { maxLength: 6 }), anyFormat, (sets, format) => {
        const tree = treeWith(sets);
        const { plan, problems } = planned(tree, format);
        const refused = new Set(problems.map((problem) => problem.split(":")[0]));
        sets.forEach((xattrs, index) => {
          if (xattrs.size === 0 || refused.has(`/${index}`)) return;
          expect(readBack(plan!, tree.find(`${index}`)!)).toEqual(xattrs);
        });
      }),
      { numRuns: 300 },
    );
  });

  it("does not depend on the order of names, nor on which sets are one object", () => {
    fc.assert(
      fc.property(
        fc.array(anyXattrs(3000, true), { minLength: 1, maxLength: 6 }),
        anyFormat,
        (sets, format) => {
          const shared = planned(treeWith([...sets, ...sets]), format);
          const copies = sets.map((xattrs) => new Map([...xattrs].reverse()));
          const apart = planned(treeWith([...sets, ...copies]), format);
          expect(dump(apart.plan, 2 * sets.length + 1)).toEqual(dump(shared.plan, 2 * sets.length + 1));
        },
      ),
    );
  });

  function dump(plan: XattrPlan | undefined, rows: number): unknown {
    if (plan === undefined) return undefined;
    return {
      blocks: Array.from({ length: plan.blocks }, (_, index) => plan.encodeBlock(index, index)),
      values: plan.values,
      rows: Array.from({ length: rows }, (_, row) => [
        plan.inInode(row),
        plan.blockOf(row),
        plan.valueBlocks(row),
      ]),
    };
  }

  it("shares a block among 1024 inodes at most", () => {
    const xattrs = new Map([["user.a", new Uint8Array(1000)]]);
    const tree = treeWith(Array.from({ length: 2500 }, () => xattrs));
    const { plan } = planned(tree);
    const counts = [0, 0, 0];
    for (let row = 1; row < tree.length; row++) counts[plan!.blockOf(row)!]!++;
    expect(counts).toEqual([1024, 1024, 452]);
    const stated = [0, 1, 2].map(
      (index) => xattrHeader.fromBytes(plan!.encodeBlock(index, 1)).referenceCount,
    );
    expect(stated).toEqual(counts);
    expect([plan!.blocks, plan!.blockOf(0), plan!.inInode(0)]).toEqual([3, undefined, undefined]);
  });

  it("shares a block where only what lies in the inode differs", () => {
    const large = new Uint8Array(1000);
    const { plan } = planned(
      treeWith([
        new Map([
          ["security.selinux", Uint8Array.of(1)],
          ["user.a", large],
        ]),
        new Map([
          ["security.selinux", Uint8Array.of(2)],
          ["user.a", large],
        ]),
      ]),
    );
    expect([plan!.blocks, plan!.blockOf(1), plan!.blockOf(2)]).toEqual([1, 0, 0]);
    expect(plan!.inInode(1)).not.toEqual(plan!.inInode(2));
  });

  it("counts references to values by entry in inodes, and once for each block", () => {
    const value = new Uint8Array(5000).fill(1);
    const many = new Map(
      Array.from({ length: 5 }, (_, index) => [`user.${index}`, new Uint8Array(900).fill(index)]),
    );
    const inInode = new Map([["user.x", value]]);
    const inBlock = new Map([
      ...many,
      ["user.a-name-that-fits-into-no-inode-of-the-usual-size-because-it-is-too-long-for-it", value],
    ]);
    const tree = treeWith([inInode, inInode, inBlock, inBlock, inBlock]);
    const { plan } = planned(tree, { ...usual, mayUseInodes: true });
    expect(plan!.values.find(({ value: { length } }) => length === 5000)!.references).toBe(3);
    expect(plan!.valueBlocks(1)).toBe(2);
  });

  it("gives a further hard link the attributes of the first", () => {
    const xattrs = new Map([["user.a", new Uint8Array(1000)]]);
    const tree = treeOf([
      { path: "a", type: "file", xattrs },
      { path: "b", type: "hardlink", target: "a" },
    ]);
    const { plan } = planned(tree);
    expect([plan!.blockOf(1), plan!.blockOf(2)]).toEqual([0, 0]);
    expect(xattrHeader.fromBytes(plan!.encodeBlock(0, 1)).referenceCount).toBe(1);
  });

  it("names every entry that cannot be stored, the limit and the remedy", () => {
    const sound = acl([1, 6], [4, 4], [32, 0]);
    const file = (path: string, name: string, value: Uint8Array = new Uint8Array(1)): Entry => ({
      path,
      type: "file",
      xattrs: new Map([[name, value]]),
    });
    const { problems } = planned(
      treeOf([
        file("a", "comment"),
        file("b", "user."),
        file("e", "system.data"),
        file("g", "system.posix_acl_access"),
        file("h", "system.posix_acl_default", sound),
        { path: "i", type: "symlink", target: "a", xattrs: new Map([["system.posix_acl_access", sound]]) },
        file("j", "user.a", new Uint8Array(5000)),
        file("k", "user.\ud800"),
        file("ok", "system.posix_acl_access", sound),
      ]),
    );
    expect(problems).toEqual([
      '/a: the extended attribute "comment" has none of the prefixes that ext4 stores (user., trusted., security., system., gnu.): rename or remove it',
      '/b: the extended attribute "user." has no name behind the prefix: rename or remove it',
      '/e: the extended attribute "system.data" has a name that ext4 keeps for itself: rename or remove it',
      '/g: the extended attribute "system.posix_acl_access" is not of version 2: mend or remove it',
      '/h: only a directory can have "system.posix_acl_default": remove it',
      '/i: a symlink cannot have "system.posix_acl_access": remove it',
      "/j: the extended attributes need 5020 bytes, the inode holds 88 and a block 4060: remove some, or use the feature ea_inode",
      '/k: the extended attribute "user.\ufffd" has a name that is no text: rename or remove it',
    ]);
  });

  it("refuses more names than inode and block can hold, whatever their values", () => {
    const many = new Map(
      Array.from({ length: 10_000 }, (_, index) => [`user.${index}`, new Uint8Array(index % 3)]),
    );
    const { problems } = planned(treeWith([many]), { ...usual, mayUseInodes: true });
    expect(problems).toEqual([expect.stringMatching(/need \d+ bytes, .* a block 4060: remove some$/)]);
  });
});

describe("the division of a set", () => {
  const sized = (name: string, size: number): [string, Uint8Array] => {
    return [name, new Uint8Array(size - 16 - Math.ceil((name.length - 5) / 4) * 4)];
  };

  it("keeps in the inode what a kernel asks for first", () => {
    const xattrs = stored(
      new Map([
        ["user.a", new Uint8Array(4)],
        ["system.posix_acl_access", acl([1, 6], [4, 4], [32, 0])],
        ["security.selinux", new Uint8Array(20)],
        ["trusted.big", new Uint8Array(900)],
      ]),
    );
    const split = splitXattrs(xattrs, 96, 4096, undefined)!;
    expect(split.inode.map(({ name }) => name.index)).toEqual([2, 6]);
    expect(split.block.map(({ name }) => name.index)).toEqual([1, 4]);
  });

  it("fills the inode to the last byte where it has to", () => {
    const block = blockXattrRoom(1024);
    const xattrs = stored(
      new Map([sized("user.a", 28), sized("user.b", 60), sized("user.c", 24), sized("user.d", block - 24)]),
    );
    const split = splitXattrs(xattrs, 96, 1024, undefined)!;
    expect(split.inode.map(xattrSize)).toEqual([28, 60]);
  });

  it("refuses only what no division holds", () => {
    const sets = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(
        sets,
        fc.constantFrom(8, 96, 352),
        fc.integer({ min: -40, max: 40 }),
        (sizes, inodeRoom, slack) => {
          const small = sizes.map((size, index) => sized(`user.${index}`, 20 + 4 * size));
          const sum = small.reduce((total, [, value]) => total + 20 + value.length, 0);
          // One more fills both places up to a slack, less the other way.
          const rest = inodeXattrRoom(inodeRoom) + blockXattrRoom(1024) - sum - 4 * slack;
          fc.pre(rest >= 20);
          const xattrs = stored(new Map([...small, sized("user.r", rest)]));
          const all = xattrs.map(xattrSize);
          const total = all.reduce((some, size) => some + size, 0);
          let isPossible = false;
          for (let chosen = 0; chosen < 2 ** all.length; chosen++) {
            const inside = all.reduce((some, size, index) => some + ((chosen >> index) & 1) * size, 0);
            if (inside <= inodeXattrRoom(inodeRoom) && total - inside <= blockXattrRoom(1024))
              isPossible = true;
          }
          expect(splitXattrs(xattrs, inodeRoom, 1024, undefined) !== undefined).toBe(isPossible);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("gives away the largest values, and no more than it has to", () => {
    const xattrs = stored(
      new Map([
        ["user.a", new Uint8Array(3000)],
        ["user.b", new Uint8Array(3001)],
        ["user.c", new Uint8Array(10)],
      ]),
    );
    const moved: string[] = [];
    const split = splitXattrs(xattrs, 96, 4096, (xattr) => {
      moved.push(new TextDecoder().decode(xattr.name.rest));
      return { ...xattr, outside: { inode: 12, hash: 1 } };
    })!;
    expect(moved).toEqual(["b"]);
    expect([...split.inode, ...split.block].length).toBe(3);
  });
});
