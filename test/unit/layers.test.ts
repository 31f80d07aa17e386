import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import { Layer, layLayer } from "../../src/compose/index.ts";
import { bytesContent } from "../../src/extents/index.ts";
import { fileMode, PLAIN_DIRECTORY, type Tree, TreeDraft } from "../../src/tree/index.ts";

/** Entries as words: `f:path:uid`, `d:path`, `s:path:target`, `l:path:target`. */
function layerOf(...words: readonly string[]): Layer {
  const layer = new Layer({ content: () => bytesContent(new Uint8Array(0)) });
  for (const word of words) {
    const [kind, path, rest = ""] = word.split(":");
    if (kind === "l") layer.addLink(utf8(path!), utf8(rest));
    else if (kind === "d") layer.add(utf8(path!), PLAIN_DIRECTORY);
    else if (kind === "s")
      layer.add(utf8(path!), { ...PLAIN_DIRECTORY, mode: fileMode.SYMLINK | 0o777, target: utf8(rest) });
    else layer.add(utf8(path!), { ...PLAIN_DIRECTORY, mode: fileMode.FILE | 0o644, uid: Number(rest) });
  }
  return layer;
}

function laid(...layers: readonly (readonly string[])[]): Tree {
  const draft = new TreeDraft({ followsSymlinks: true });
  for (const words of layers) layLayer(draft, layerOf(...words), { hasWhiteouts: true });
  return draft.finish();
}

const paths = (tree: Tree): string[] =>
  Array.from({ length: tree.length }, (_, row) => tree.displayPath(row));
const uid = (tree: Tree, path: string): number => tree.columns.uid[tree.find(path)!]!;

describe("layers", () => {
  it("link to files of layers below, also to those that they hide, in any order", () => {
    const below = ["d:usr", "f:usr/git:7"];
    const link = "l:usr/upload:usr/git";
    const hide = "f:usr/.wh.git:0";
    expect(laid(below, [link]).linkCount(laid(below, [link]).find("usr/git")!)).toBe(2);
    for (const layer of [
      [link, hide],
      [hide, link],
    ]) {
      const tree = laid(below, layer);
      expect(paths(tree)).toEqual(["/", "/usr", "/usr/upload"]);
      expect(uid(tree, "usr/upload")).toBe(7);
    }
  });

  it("hide entries below only, by the name of a whiteout whatever its type", () => {
    const below = ["f:a:1", "f:d/x:1", "f:d/y:1"];
    expect(paths(laid(below, ["f:a:2", "s:.wh.a:nowhere", "f:d/x:2", "l:d/.wh..wh..opq:a"]))).toEqual([
      "/",
      "/a",
      "/d",
      "/d/x",
    ]);
    expect(() => laid(below, ["f:.wh.:0"])).toThrow("a whiteout must name an entry");
  });

  it("go through symlinks that come before or after, in the layer or below", () => {
    for (const layers of [
      [["f:usr/lib/a:1", "s:lib:usr/lib"], ["f:lib/c:2"]],
      [["f:usr/lib/a:1", "s:lib:usr/lib", "f:lib/c:2"]],
      [["f:lib/c:2", "f:usr/lib/a:1", "s:lib:usr/lib"]],
    ]) {
      expect(paths(laid(...layers))).toEqual(["/", "/lib", "/usr", "/usr/lib", "/usr/lib/a", "/usr/lib/c"]);
    }
    expect(paths(laid(["f:usr/lib/a:1", "s:lib:usr/lib"], ["f:lib/.wh.a:0"]))).not.toContain("/usr/lib/a");
  });
});
