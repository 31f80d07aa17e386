import { compareBytes } from "../bytes/index.ts";
import { type RowAttributes, TreeBuilder } from "./builder.ts";
import type { Tree } from "./tree.ts";

/** The tree with an empty directory of this name in its root, which must not have the name yet. */
export function withTopDirectory(tree: Tree, name: Uint8Array, attributes: RowAttributes): Tree {
  const { columns } = tree;
  const builder = new TreeBuilder(tree.attributes(0));
  /** The new row of each row, as far as it has one. */
  const rowOf = new Uint32Array(tree.length);
  const add = (parent: number, row: number): void => {
    const primary = columns.primary[row]!;
    rowOf[row] =
      primary === row
        ? builder.add(parent, tree.name(row), tree.attributes(row))
        : builder.addLink(parent, tree.name(row), rowOf[primary]!);
  };
  const pending = [0];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    const first = columns.firstChild[parent]!;
    const end = first + columns.childCount[parent]!;
    let isInserted = parent !== 0;
    for (let row = first; row < end; row++) {
      if (!isInserted && compareBytes(name, tree.name(row)) < 0) {
        builder.add(0, name, attributes);
        isInserted = true;
      }
      add(rowOf[parent]!, row);
    }
    if (!isInserted) builder.add(0, name, attributes);
    for (let row = end - 1; row >= first; row--) if (columns.childCount[row]! > 0) pending.push(row);
  }
  return builder.finish(tree.origins);
}
