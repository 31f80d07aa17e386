import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8, utf8Text } from "../../src/bytes/index.ts";
import { bytesContent, contentBytes } from "../../src/extents/index.ts";
import { type Entry, type Tree, TreeDraft, treeOf, withFiles } from "../../src/tree/index.ts";
import { anyTree } from "../support/trees.ts";

function file(path: string, content = path): Entry {
  return { path, type: "file", content };
}

function link(path: string, target: string): Entry {
  return { path, type: "symlink", target };
}

function led(tree: Tree, path: string): string | undefined {
  const row = tree.resolve(path);
  return row === undefined ? undefined : tree.displayPath(row);
}

describe("Tree.resolve", () => {
  const tree = treeOf([
    file("a/b/c"),
    link("absolute", "/a/b"),
    link("a/relative", "b/c"),
    link("a/b/up", "../../a/relative"),
    link("chain", "absolute/up"),
    link("outside", "../../../../a/b/c"),
    link("self", "self"),
    link("ping", "pong"),
    link("pong", "ping"),
    link("dangling", "nowhere"),
    link("through", "a/b/c/d"),
  ]);

  it.each([
    ["/", "/"],
    ["", "/"],
    ["a/b/c", "/a/b/c"],
    ["//a/./b//c", "/a/b/c"],
    ["absolute/c", "/a/b/c"],
    ["absolute", "/a/b"],
    ["a/relative", "/a/b/c"],
    ["chain", "/a/b/c"],
    ["absolute/../relative", "/a/b/c"],
    ["..", "/"],
    ["../../a/b/../b/c", "/a/b/c"],
    ["outside", "/a/b/c"],
  ])("leads from %j to %s", (path, expected) => {
    expect(led(tree, path)).toBe(expected);
  });

  it.each([
    "self",
    "ping",
    "dangling",
    "through",
    "a/b/c/..",
    "a/b/c/d",
    "nowhere",
    "chain/x",
    "dangling/..",
  ])("leads from %j nowhere", (path) => {
    expect(led(tree, path)).toBeUndefined();
  });

  it("follows as many symlinks as Linux does, and no more", () => {
    const links = Array.from({ length: 41 }, (_, index) =>
      link(`l${index}`, index === 0 ? "end" : `l${index - 1}`),
    );
    const long = treeOf([file("end"), ...links]);
    expect(led(long, "l39")).toBe("/end");
    expect(led(long, "l40")).toBeUndefined();
  });

  it("takes a target of any length in one go", () => {
    const long = treeOf([file("end"), link("long", `${"./".repeat(500_000)}end`)]);
    expect(led(long, "long")).toBe("/end");
  });

  it("agrees with a draft of the same tree", () => {
    fc.assert(
      fc.property(anyTree, fc.array(fc.nat({ max: 40 }), { maxLength: 6 }), (entries, picks) => {
        const plain = treeOf(entries);
        const draft = new TreeDraft();
        draft.lay(plain, new Uint8Array(0));
        for (const pick of picks) {
          const row = pick % plain.length;
          const content = draft.contentAt(plain.path(row));
          const resolved = plain.resolve(plain.path(row));
          const isFile = resolved !== undefined && plain.isFile(resolved);
          expect(content).toEqual(isFile ? plain.content(resolved) : undefined);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("withFiles", () => {
  async function text(tree: Tree, path: string): Promise<string | undefined> {
    return utf8Text(await contentBytes(tree.content(tree.find(path)!), undefined));
  }

  function added(path: string, content: string) {
    return { path, content: bytesContent(utf8(content)) };
  }

  it("adds files and the directories that are missing, of root and of one time", async () => {
    const tree = treeOf([
      { path: "boot", type: "directory", mode: 0o700, uid: 5, mtime: 9_000_000_000n },
      file("boot/kept"),
    ]);
    const result = withFiles(tree, [added("/boot/EFI/BOOT/X", "x"), added("/boot/y", "y")], 77);
    const shown = [...result.entries()].map(({ path, type, mode, uid, mtime }) => [
      utf8Text(path as Uint8Array),
      type,
      mode,
      uid,
      mtime! / 1_000_000_000n,
    ]);
    expect(shown).toEqual([
      ["/", "directory", 0o755, 0, 0n],
      ["/boot", "directory", 0o700, 5, 9n],
      ["/boot/EFI", "directory", 0o755, 0, 77n],
      ["/boot/kept", "file", 0o644, 0, 0n],
      ["/boot/y", "file", 0o644, 0, 77n],
      ["/boot/EFI/BOOT", "directory", 0o755, 0, 77n],
      ["/boot/EFI/BOOT/X", "file", 0o644, 0, 77n],
    ]);
    expect(await text(result, "/boot/EFI/BOOT/X")).toBe("x");
    expect(await text(result, "/boot/y")).toBe("y");
    expect(await text(result, "/boot/kept")).toBe("boot/kept");
  });

  it("replaces what has the path, and leaves other names of it alone", async () => {
    const tree = treeOf([file("a", "old"), { path: "b", type: "hardlink", target: "a" }, link("c", "a")]);
    const result = withFiles(tree, [added("a", "new"), added("c", "not a link")], undefined);
    expect(await text(result, "a")).toBe("new");
    expect(await text(result, "b")).toBe("old");
    expect(await text(result, "c")).toBe("not a link");
  });

  it("keeps the holes of a sparse file", () => {
    const data = [{ offset: 4096, length: 1 }];
    const content = bytesContent(new Uint8Array(8192));
    const result = withFiles(treeOf([]), [{ path: "sparse", content, data }], undefined);
    expect(result.data(result.find("sparse")!)).toEqual(data);
  });

  it("goes through symlinks to directories", () => {
    const tree = treeOf([link("etc", "usr/etc"), file("usr/etc/hosts")]);
    const result = withFiles(tree, [added("/etc/fstab", "")], undefined);
    expect(result.find("/usr/etc/fstab")).toBeDefined();
    expect(result.isSymlink(result.find("/etc")!)).toBe(true);
  });

  it("refuses all paths at once that cannot be", () => {
    const tree = treeOf([file("a/b"), link("l", "/l")]);
    const files = [
      added("/a", ""),
      added("/a/b/c", ""),
      added("/l/x", ""),
      added("../x", ""),
      added("/", ""),
    ];
    expect(() => withFiles(tree, files, undefined)).toThrow(
      [
        "files cannot be added:",
        "/a: a file is to be written there, but it is a directory",
        "/a/b: is a file, but other entries lie below it: /a/b/c",
        "/l/x: the symlinks on the way lead in a circle, or are more than Linux follows: see /l",
        '../x: ".." would leave the tree',
        "/: a file is to be written there, but it is a directory",
      ].join("\n  "),
    );
  });

  it("gives the same tree back when there is nothing to add", () => {
    const tree = treeOf([file("a")]);
    expect(withFiles(tree, [], 5)).toBe(tree);
  });
});
