import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import {
  fileMode,
  PLAIN_DIRECTORY,
  type RowAttributes,
  type Tree,
  TreeDraft,
  treeOf,
} from "../../src/tree/index.ts";
import { anyTree } from "../support/trees.ts";

const FILE: RowAttributes = { ...PLAIN_DIRECTORY, mode: fileMode.FILE | 0o644 };
const DIRECTORY: RowAttributes = { ...PLAIN_DIRECTORY, mode: fileMode.DIRECTORY | 0o700 };

function paths(tree: Tree): string[] {
  return Array.from({ length: tree.length }, (_, row) => tree.displayPath(row));
}

function put(draft: TreeDraft, path: string, attributes: RowAttributes): number {
  return draft.put(utf8(path), attributes)!;
}

describe("TreeDraft", () => {
  it("makes missing parents, and knows that nobody told of them", () => {
    const draft = new TreeDraft();
    put(draft, "a/b/c", FILE);
    const tree = draft.finish();
    expect(paths(tree)).toEqual(["/", "/a", "/a/b", "/a/b/c"]);
    expect([0, 1, 2, 3].map((row) => tree.isImplied(row))).toEqual([true, true, true, false]);
  });

  it("keeps what is in a directory that comes again", () => {
    const draft = new TreeDraft();
    put(draft, "a/b", FILE);
    put(draft, "/a/", DIRECTORY);
    const tree = draft.finish();
    expect(paths(tree)).toEqual(["/", "/a", "/a/b"]);
    expect(tree.columns.mode[1]).toBe(DIRECTORY.mode);
    expect(tree.isImplied(1)).toBe(false);
  });

  it("replaces a directory, with all below it, by what is none", () => {
    const draft = new TreeDraft();
    put(draft, "a/b/c", FILE);
    put(draft, "a", FILE);
    put(draft, "d", FILE);
    expect(paths(draft.finish())).toEqual(["/", "/a", "/d"]);
  });

  it("does not put into a directory that has gone", () => {
    const draft = new TreeDraft();
    put(draft, "a/b", FILE);
    draft.remove(draft.find(utf8("a"))!);
    put(draft, "a/c", FILE);
    expect(paths(draft.finish())).toEqual(["/", "/a", "/a/c"]);
  });

  it("keeps what a hard link leads to when its first name is replaced", () => {
    const draft = new TreeDraft();
    put(draft, "a", { ...FILE, uid: 1 });
    draft.putLink(utf8("b"), utf8("a"));
    put(draft, "a", { ...FILE, uid: 2 });
    const tree = draft.finish();
    expect([tree.columns.uid[tree.find("/a")!], tree.columns.uid[tree.find("/b")!]]).toEqual([2, 1]);
    expect(tree.linkCount(tree.find("/b")!)).toBe(1);
  });

  it("binds a hard link to what comes later, over other links", () => {
    const draft = new TreeDraft();
    draft.putLink(utf8("a"), utf8("./b"));
    draft.putLink(utf8("b"), utf8("/z//c"));
    put(draft, "z/c", { ...FILE, uid: 7 });
    const tree = draft.finish();
    expect(tree.columns.uid[tree.find("/a")!]).toBe(7);
    expect(tree.linkCount(tree.find("/z/c")!)).toBe(3);
  });

  it("takes a hard link to itself as nothing new", () => {
    const draft = new TreeDraft();
    put(draft, "a", FILE);
    draft.putLink(utf8("a"), utf8("a"));
    expect(paths(draft.finish())).toEqual(["/", "/a"]);
  });

  it("names all that cannot be stored", () => {
    const draft = new TreeDraft();
    draft.putLink(utf8("a"), utf8("b"));
    draft.putLink(utf8("b"), utf8("a"));
    draft.putLink(utf8("c"), utf8("nothing"));
    put(draft, "d/e", FILE);
    draft.putLink(utf8("f"), utf8("d"));
    put(draft, "d/e/g", FILE);
    put(draft, "x".repeat(256), FILE);
    let message = "";
    try {
      draft.finish();
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain("/a: the hard links lead in a circle");
    expect(message).toContain("/c: hard link to nothing, which does not exist");
    expect(message).toContain("f: hard link to the directory d");
    expect(message).toContain("/d/e: is a file, but other entries lie below it: d/e/g");
    expect(message).toContain("the name has 256 bytes");
  });

  it("gives back a tree that is laid over nothing", () => {
    fc.assert(
      fc.property(anyTree.map(treeOf), (tree) => {
        const draft = new TreeDraft();
        draft.lay(tree, utf8(""));
        expect([...draft.finish().entries()]).toEqual([...tree.entries()]);
      }),
    );
  });

  it("has every path of two trees, the later one's entry where both have one", () => {
    fc.assert(
      fc.property(anyTree.map(treeOf), anyTree.map(treeOf), (below, above) => {
        const draft = new TreeDraft();
        draft.lay(below, utf8("/"));
        draft.lay(above, utf8("/"));
        const both = draft.finish();
        for (let row = 0; row < above.length; row++) {
          const found = rowOf(both, above.path(row));
          expect(both.columns.mode[found!]).toBe(above.columns.mode[row]);
        }
        for (let row = 0; row < below.length; row++) {
          const path = below.path(row);
          const isThere = rowOf(both, path) !== undefined;
          expect(isThere || isHidden(above, path)).toBe(true);
        }
      }),
    );
  });

  it("lays one entry of a tree at a path, and keeps its hard links together", () => {
    const tree = treeOf([
      { path: "in/a", type: "file", content: "x" },
      { path: "in/b", type: "hardlink", target: "in/a" },
      { path: "out", type: "hardlink", target: "in/a" },
    ]);
    const draft = new TreeDraft();
    draft.lay(tree, utf8("/there"), { from: tree.find("/in")! });
    const laid = draft.finish();
    expect(paths(laid)).toEqual(["/", "/there", "/there/a", "/there/b"]);
    expect(laid.linkCount(laid.find("/there/a")!)).toBe(2);
  });

  it("does not let a directory that is implied change or replace anything", () => {
    const draft = new TreeDraft();
    put(draft, "usr", DIRECTORY);
    put(draft, "lib", { ...FILE, mode: fileMode.SYMLINK | 0o777, target: utf8("usr/lib") });
    draft.lay(treeOf([{ path: "usr/x", type: "file" }]), utf8(""));
    expect(draft.attributes(draft.find(utf8("usr"))!).mode).toBe(DIRECTORY.mode);
    draft.lay(treeOf([{ path: "lib/x", type: "file" }]), utf8(""));
    expect(() => draft.finish()).toThrow("/lib: is a symlink, but a later source has entries below it");
  });

  it("tells when a directory takes the place of something else", () => {
    const draft = new TreeDraft();
    put(draft, "lib", FILE);
    const replaced: string[] = [];
    draft.lay(treeOf([{ path: "lib", type: "directory" }]), utf8(""), {
      onReplaced: (path, before, now) => replaced.push(`${path} ${before} ${now}`),
    });
    expect(replaced).toEqual(["/lib file directory"]);
  });
});

describe("TreeDraft, where it follows symlinks", () => {
  const symlink = (target: string): RowAttributes => ({
    ...PLAIN_DIRECTORY,
    mode: fileMode.SYMLINK | 0o777,
    target: utf8(target),
  });
  /** A draft with some symlinks, whose targets stand behind their paths: `lib>usr/lib`; all else is a directory. */
  const draftOf = (...entries: readonly string[]): TreeDraft => {
    const draft = new TreeDraft({ followsSymlinks: true });
    for (const entry of entries) {
      const [path, target] = entry.split(">");
      put(draft, path!, target === undefined ? DIRECTORY : symlink(target));
    }
    return draft;
  };

  it.each<[string, readonly string[], string]>([
    ["to a directory", ["usr/lib", "lib>usr/lib"], "/usr/lib/x"],
    ["with an absolute target", ["usr/lib", "lib>/usr/lib"], "/usr/lib/x"],
    ["in a chain", ["usr/lib", "l>usr", "m>l/../l", "lib>m/lib"], "/usr/lib/x"],
    ["with .. from where the way leads", ["a/b", "a/c", "u>a/b", "lib>u/../c"], "/a/c/x"],
    ["out of the root, which contains it", ["usr/lib", "lib>../../usr/lib"], "/usr/lib/x"],
    ["to a directory that is missing, and is made", ["lib>usr/lib"], "/usr/lib/x"],
  ])("leads a path through a symlink %s", (_, entries, place) => {
    const draft = draftOf(...entries);
    put(draft, "lib/x", FILE);
    draft.putLink(utf8("hard"), utf8("lib/x"));
    draft.lay(treeOf([{ path: "lib/y", type: "file" }]), utf8("/"));
    draft.lay(treeOf([{ path: "z", type: "file" }]), utf8("/lib"));
    const tree = draft.finish();
    expect(tree.linkCount(tree.find(place)!)).toBe(2);
    expect(tree.find(place.replace("x", "y"))).toBeDefined();
    expect(tree.find(place.replace("x", "z"))).toBeDefined();
    expect(tree.isSymlink(tree.find("lib")!)).toBe(true);
  });

  it("keeps a symlink to a directory, and the attributes of that one, when a directory is put over it", () => {
    const draft = draftOf("usr/lib", "lib>usr/lib");
    put(draft, "lib", { ...DIRECTORY, mode: fileMode.DIRECTORY | 0o711 });
    draft.lay(treeOf([{ path: "lib", type: "directory", mode: 0o711 }]), utf8(""));
    const tree = draft.finish();
    expect(tree.isSymlink(tree.find("lib")!)).toBe(true);
    expect(tree.columns.mode[tree.find("usr/lib")!]).toBe(DIRECTORY.mode);
  });

  it("replaces a symlink that leads to no directory by a directory that is put over it", () => {
    const draft = draftOf("lib>usr/lib", "loop>loop");
    put(draft, "lib", DIRECTORY);
    put(draft, "loop", DIRECTORY);
    expect(paths(draft.finish())).toEqual(["/", "/lib", "/loop"]);
  });

  it("refuses paths that lead in circles or through files, with both paths", () => {
    const draft = draftOf("a>b", "b>a", "lib>file");
    put(draft, "file", FILE);
    put(draft, "a/x", FILE);
    put(draft, "lib/y", FILE);
    expect(() => draft.finish()).toThrow(
      "a/x: the symlinks on the way lead in a circle, or are more than Linux follows: see /a\n" +
        "  /file: is a file, but other entries lie below it: lib/y",
    );
  });

  it("loses no entry in silence when another entry replaces the directory that it was led to", () => {
    const draft = draftOf("a>d", "d");
    const replaced: string[] = [];
    draft.lay(
      treeOf([
        { path: "a/x", type: "file" },
        { path: "d", type: "file" },
      ]),
      utf8(""),
      { onReplaced: (path) => replaced.push(path) },
    );
    expect(replaced).toEqual(["/d"]);
    expect(() => draft.finish()).toThrow("/a/x: the directory that it lies in was replaced by another entry");
  });
});

/** The row of a path of any bytes. */
function rowOf(tree: Tree, path: Uint8Array): number | undefined {
  for (let row = 0; row < tree.length; row++) {
    if (Buffer.compare(tree.path(row), path) === 0) return row;
  }
  return undefined;
}

/** Whether a tree has something that is no directory at the path, or above it. */
function isHidden(tree: Tree, path: Uint8Array): boolean {
  for (let row = 0; row < tree.length; row++) {
    const above = tree.path(row);
    const covers = Buffer.compare(path.subarray(0, above.length), above) === 0;
    if (covers && !tree.isDirectory(row) && (path.length === above.length || path[above.length] === 0x2f))
      return true;
  }
  return false;
}
