import { describe, expect, it } from "vitest";
import { planExt4 } from "../../src/ext4/index.ts";
import { type Entry, splitLinks, type Tree, treeOf } from "../../src/tree/index.ts";

const first: Entry = {
  path: "/a",
  type: "file",
  content: "hello",
  mode: 0o640,
  uid: 1,
  gid: 2,
  mtime: 5n * 10n ** 9n,
  data: [{ offset: 0, length: 5 }],
  xattrs: new Map([["user.a", Uint8Array.of(1)]]),
};

function linked(count: number): Tree {
  const links = Array.from({ length: count - 1 }, (_, index): Entry => {
    return { path: `/l${String(index).padStart(7, "0")}`, type: "hardlink", target: "/a" };
  });
  return treeOf([first, ...links]);
}

/** How many names each file has, in the order of the tree. */
function counts(tree: Tree): number[] {
  const names = new Map<number, number>();
  for (const primary of tree.columns.primary.subarray(1, tree.length))
    names.set(primary, (names.get(primary) ?? 0) + 1);
  for (const [row, count] of names) expect(tree.linkCount(row)).toBe(count);
  return [...names.values()];
}

describe("hard links", () => {
  it("stay where no file has more than the limit", () => {
    const tree = linked(3);
    expect(splitLinks(tree, 3)).toBe(tree);
  });

  it("above the limit lead to further files", () => {
    expect(counts(splitLinks(linked(7), 3))).toEqual([3, 3, 1]);
    expect(counts(splitLinks(linked(6), 3))).toEqual([3, 3]);
  });

  it("with a limit of one are files of their own, with all that the first had", () => {
    const split = splitLinks(linked(3), 1);
    expect(counts(split)).toEqual([1, 1, 1]);
    const { path: _, ...expected } = treeOf([first]).entry(1);
    for (const row of [1, 2, 3]) {
      const { path, ...entry } = split.entry(row);
      expect(entry).toEqual(expected);
      expect(path).toEqual(linked(3).path(row));
    }
  });

  it("of symlinks and devices keep targets and numbers", () => {
    const tree = treeOf([
      { path: "/s", type: "symlink", target: "there" },
      { path: "/t", type: "hardlink", target: "/s" },
      { path: "/v", type: "character", device: { major: 1, minor: 3 } },
      { path: "/w", type: "hardlink", target: "/v" },
    ]);
    const split = splitLinks(tree, 1);
    expect(split.entry(2)).toMatchObject({ type: "symlink", target: split.target(1) });
    expect(split.entry(4)).toMatchObject({ type: "character", device: { major: 1, minor: 3 } });
  });

  it("of more than 65,000 names fit into ext4 once they are split", () => {
    const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
    const tree = linked(130_001);
    expect(() => planExt4(tree, { uuid })).toThrow(/130001 hard links, the limit is 65000.*--links split/);
    const split = splitLinks(tree, 65_000);
    expect(counts(split)).toEqual([65_000, 65_000, 1]);
    expect(planExt4(split, { uuid }).freeInodes).toBeGreaterThan(0);
  });
});
