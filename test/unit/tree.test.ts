import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printable, utf8 } from "../../src/bytes/index.ts";
import {
  type Entry,
  emptied,
  ownedBy,
  PLAIN_DIRECTORY,
  subtree,
  type Tree,
  TreeDraft,
  treeOf,
  withModes,
  type Xattrs,
} from "../../src/tree/index.ts";

const paths = (tree: Tree): string[] =>
  Array.from({ length: tree.length }, (_, row) => tree.displayPath(row));

describe("treeOf", () => {
  it("sorts names by their bytes, directories depth first with their children together", () => {
    const tree = treeOf([
      { path: "b/z", type: "file" },
      { path: "/a", type: "directory" },
      { path: "a/y/deep", type: "file", content: "x" },
      { path: "a/B", type: "file" },
      { path: "é", type: "file" },
    ]);
    expect(paths(tree)).toEqual(["/", "/a", "/b", "/é", "/a/B", "/a/y", "/a/y/deep", "/b/z"]);
    expect(tree.find("/a/y/deep")).toBe(6);
    expect(tree.find("a/y/no")).toBeUndefined();
  });

  it("does not depend on the order of the entries", () => {
    const entries: Entry[] = [
      { path: "a", type: "directory", mode: 0o700, mtime: 5n },
      { path: "a/1", type: "file", content: "one", mtime: -1n },
      { path: "a/2", type: "hardlink", target: "a/1" },
      { path: "0", type: "hardlink", target: "a/2" },
      { path: "s", type: "symlink", target: "a/1" },
      { path: "null", type: "character", device: { major: 1, minor: 3 } },
    ];
    const expected = [...treeOf(entries).entries()].map((entry) => ({ ...entry, content: undefined }));
    fc.assert(
      fc.property(fc.shuffledSubarray(entries, { minLength: entries.length }), (shuffled) => {
        const got = [...treeOf(shuffled).entries()].map((entry) => ({ ...entry, content: undefined }));
        expect(got).toEqual(expected);
      }),
    );
  });

  it("makes the first name in tree order the primary one of a set of hard links", () => {
    const tree = treeOf([
      { path: "z", type: "file", content: "data", uid: 7 },
      { path: "a", type: "hardlink", target: "z" },
    ]);
    expect(tree.isFurtherLink(tree.find("a")!)).toBe(false);
    expect(tree.isFurtherLink(tree.find("z")!)).toBe(true);
    expect(tree.linkCount(tree.find("z")!)).toBe(2);
    expect(tree.columns.uid[tree.find("a")!]).toBe(7);
  });

  it("keeps times before 1970 exact", () => {
    const tree = treeOf([{ path: "old", type: "file", mtime: -1n }]);
    expect(tree.columns.mtimeSeconds[1]).toBe(-1);
    expect(tree.columns.mtimeNanoseconds[1]).toBe(999_999_999);
    expect(tree.entry(1).mtime).toBe(-1n);
  });

  it.each<[string, Entry[], string]>([
    [
      "a path given twice",
      [
        { path: "a", type: "file" },
        { path: "/a", type: "file" },
      ],
      "given twice",
    ],
    ["a climbing path", [{ path: "a/../../b", type: "file" }], "would leave the tree"],
    [
      "a file as parent",
      [
        { path: "a", type: "file" },
        { path: "a/b", type: "file" },
      ],
      "other entries lie below",
    ],
    ["a dangling hard link", [{ path: "a", type: "hardlink", target: "b" }], "does not exist"],
    [
      "a circle of hard links",
      [
        { path: "a", type: "hardlink", target: "b" },
        { path: "b", type: "hardlink", target: "a" },
      ],
      "circle",
    ],
    [
      "a hard link to a directory",
      [
        { path: "d", type: "directory" },
        { path: "a", type: "hardlink", target: "d" },
      ],
      "directory",
    ],
    ["a long name", [{ path: "x".repeat(256), type: "file" }], "256 bytes"],
    ["a NUL in a name", [{ path: "a\0b", type: "file" }], "NUL"],
    ["an empty symlink", [{ path: "a", type: "symlink" }], "needs a target"],
    ["a device without number", [{ path: "a", type: "block" }], "needs its number"],
    ["a wrong mode", [{ path: "a", type: "file", mode: 0o10000 }], "not within 0 … 0o7777"],
    ["a wrong owner", [{ path: "a", type: "file", uid: 2 ** 32 }], "owner"],
    [
      "a data range past the end",
      [{ path: "a", type: "file", content: "abc", data: [{ offset: 2, length: 2 }] }],
      "beyond the size",
    ],
    [
      "an attribute without a name",
      [{ path: "a", type: "file", xattrs: new Map([["", utf8("x")]]) }],
      "empty name",
    ],
    [
      "a long attribute name",
      [{ path: "a", type: "file", xattrs: new Map([[`user.${"ä".repeat(126)}`, utf8("x")]]) }],
      'a: the extended attribute "user.ää',
    ],
    [
      "a NUL in an attribute name",
      [{ path: "a", type: "file", xattrs: new Map([["user.a\0b", utf8("x")]]) }],
      'user.a\\x00b" has a NUL',
    ],
    [
      "a large attribute",
      [{ path: "d/a", type: "file", xattrs: new Map([["user.a", new Uint8Array(65_537)]]) }],
      'd/a: the extended attribute "user.a" has 65537 bytes, the limit is 65536',
    ],
    [
      "an attribute that is no bytes",
      [{ path: "a", type: "file", xattrs: new Map([["user.a", "text" as unknown as Uint8Array]]) }],
      "no Uint8Array",
    ],
    [
      "attributes that are no map",
      [{ path: "a", type: "file", xattrs: { "user.a": utf8("x") } as unknown as Xattrs }],
      "must be a Map",
    ],
    ["a root that is a file", [{ path: "/", type: "file" }], "root must be a directory"],
  ])("refuses %s", (_, entries, message) => expect(() => treeOf(entries)).toThrow(message));

  it("names every problem in one error", () => {
    const entries: Entry[] = [
      { path: "a", type: "hardlink", target: "x" },
      { path: "b", type: "hardlink", target: "y" },
    ];
    expect(() => treeOf(entries)).toThrow(/a: hard link to x[\s\S]*b: hard link to y/);
  });
});

describe("subtree and emptied", () => {
  const entryList = fc.uniqueArray(
    fc
      .array(fc.constantFrom("a", "b", "boot", "c"), { minLength: 1, maxLength: 5 })
      .map((names) => names.join("/")),
    { maxLength: 30 },
  );

  it("cut a tree in two without losing an entry", () => {
    fc.assert(
      fc.property(entryList, (list) => {
        const tree = treeOf(
          [...list, "boot"]
            .filter((path, at, all) => all.indexOf(path) === at)
            .map((path) => ({ path, type: "directory" as const })),
        );
        const boot = tree.find("boot")!;
        const inside = paths(subtree(tree, boot)).map((path) => (path === "/" ? "/boot" : `/boot${path}`));
        const outside = paths(emptied(tree, boot));
        expect([...outside, ...inside.slice(1)].sort()).toEqual(paths(tree).sort());
        for (const part of [subtree(tree, boot), emptied(tree, boot)]) {
          expect(paths(treeOf(part.entries()))).toEqual(paths(part));
        }
      }),
    );
  });

  it("make two files of a hard link that is cut", () => {
    const tree = treeOf([
      { path: "a", type: "file", content: "data" },
      { path: "boot/b", type: "hardlink", target: "a" },
      { path: "boot/c", type: "hardlink", target: "a" },
    ]);
    const boot = subtree(tree, tree.find("boot")!);
    expect(boot.linkCount(boot.find("b")!)).toBe(2);
    expect(boot.isFurtherLink(boot.find("c")!)).toBe(true);
    const rest = emptied(tree, tree.find("boot")!);
    expect(rest.linkCount(rest.find("a")!)).toBe(1);
    expect(boot.content(boot.find("b")!)).toMatchObject({ bytes: utf8("data") });
  });
});

describe("ownedBy", () => {
  it("gives every entry one owner", () => {
    const tree = ownedBy(treeOf([{ path: "a/b", type: "file", uid: 5 }]), 0, 100);
    expect([...tree.entries()].every(({ uid, gid }) => uid === 0 && gid === 100)).toBe(true);
  });
});

describe("a set of hard links whose first name is a link", () => {
  it("keeps one primary row for all of them", () => {
    const tree = treeOf([
      { path: "b", type: "file", content: "data" },
      { path: "a", type: "hardlink", target: "b" },
      { path: "c", type: "hardlink", target: "b" },
    ]);
    expect([1, 2, 3].map((row) => tree.columns.primary[row])).toEqual([1, 1, 1]);
    expect(tree.linkCount(3)).toBe(3);
  });
});

describe("extended attributes", () => {
  /** Few names and values, so that equal sets are common. */
  const anySet = fc
    .uniqueArray(
      fc.tuple(fc.constantFrom("user.a", "user.b", "security.c"), fc.constantFrom("", "x", "y", "xy")),
      { selector: ([name]) => name },
    )
    .map((pairs) => new Map(pairs.map(([name, value]) => [name, utf8(value)])));
  const content = (xattrs: Xattrs | undefined): string =>
    [...(xattrs ?? [])]
      .map(([name, value]) => `${name}=${printable(value)}`)
      .sort()
      .join();

  it("are kept as they are given, and once for all entries with equal ones", () => {
    fc.assert(
      fc.property(fc.array(anySet, { minLength: 1, maxLength: 20 }), (sets) => {
        const tree = treeOf(sets.map((xattrs, index) => ({ path: `${index}`, type: "file", xattrs })));
        const kept = sets.map((_, index) => tree.xattrs(tree.find(`${index}`)!));
        expect(kept.map(content)).toEqual(sets.map(content));
        for (const a of kept) for (const b of kept) expect(a === b).toBe(content(a) === content(b));
      }),
    );
  });

  it("forget the order in which they came, and what becomes of the map", () => {
    const given = new Map([
      ["user.b", utf8("2")],
      ["user.a", utf8("1")],
    ]);
    const tree = treeOf([{ path: "f", type: "file", xattrs: given }]);
    given.clear();
    expect([...tree.xattrs(1)!.keys()]).toEqual(["user.a", "user.b"]);
  });

  it("may have the longest names and largest values that there are", () => {
    const xattrs = new Map([[`user.${"x".repeat(250)}`, new Uint8Array(65_536)]]);
    expect(treeOf([{ path: "f", type: "file", xattrs }]).xattrs(1)).toEqual(xattrs);
  });

  it("stay with their entries when a tree is cut or added to", () => {
    const label = (text: string): Xattrs => new Map([["security.selinux", utf8(text)]]);
    const tree = treeOf([
      { path: "/", type: "directory", xattrs: label("root") },
      { path: "a", type: "file", xattrs: label("file") },
      { path: "boot", type: "directory", xattrs: label("boot") },
      { path: "boot/b", type: "hardlink", target: "a" },
      { path: "boot/c", type: "symlink", target: "b" },
      { path: "z", type: "fifo", xattrs: label("file") },
    ]);
    const labels = (of: Tree): string[] =>
      Array.from(
        { length: of.length },
        (_, row) => `${of.displayPath(row)} ${content(of.xattrs(row)).slice(17)}`,
      );
    const boot = tree.find("boot")!;
    expect(labels(tree)).toEqual(["/ root", "/a file", "/boot boot", "/z file", "/boot/b file", "/boot/c "]);
    expect(labels(subtree(tree, boot))).toEqual(["/ boot", "/b file", "/c "]);
    expect(labels(emptied(tree, boot))).toEqual(["/ root", "/a file", "/boot boot", "/z file"]);
    const draft = new TreeDraft();
    draft.lay(tree, utf8("/"));
    draft.put(utf8("esp"), { ...PLAIN_DIRECTORY, xattrs: label("esp") });
    const added = draft.finish();
    expect(labels(added)).toContain("/esp esp");
    expect(labels(added).filter((line) => !line.startsWith("/esp"))).toEqual(labels(tree));
    expect(labels(treeOf(tree.entries()))).toEqual(labels(tree));
  });
});

describe("withModes", () => {
  it("changes every mode but those of symlinks, and drops access control lists, which would allow more", () => {
    const list = new Uint8Array([2, 0, 0, 0]);
    const names = ["user.kept", "system.posix_acl_access", "system.posix_acl_default"];
    const xattrs = new Map(names.map((name) => [name, list]));
    const tree = withModes(
      treeOf([
        { path: "d", type: "directory", mode: 0o755, xattrs },
        { path: "f", type: "file", mode: 0o640 },
        { path: "l", type: "symlink", target: "f" },
      ]),
      (mode) => (mode & ~0o777) | 0o700,
    );
    expect(["/d", "/f", "/l"].map((path) => tree.entry(tree.find(path)!).mode)).toEqual([
      0o700, 0o700, 0o777,
    ]);
    expect([...tree.entry(tree.find("/d")!).xattrs!.keys()].sort()).toEqual([
      "system.posix_acl_default",
      "user.kept",
    ]);
    expect(tree.entry(tree.find("/f")!).xattrs).toBeUndefined();
  });
});
