import { utf8, utf8Text } from "../../bytes/index.ts";
import type { Tree } from "../../tree/index.ts";

/** As many symlinks as Linux follows on one path. */
const MOST_LINKS = 40;

/**
 * The row that a path of the tree leads to, symlinks followed as a system does whose root the tree is;
 * `undefined` when it leads nowhere, or in circles.
 */
export function followed(tree: Tree, path: string): number | undefined {
  const pending = names(path);
  let row = 0;
  let links = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === "..") {
      row = tree.columns.parent[row]!;
      continue;
    }
    const child = tree.isDirectory(row) ? tree.child(row, utf8(name)) : undefined;
    if (child === undefined) return undefined;
    if (!tree.isSymlink(child)) {
      row = child;
      continue;
    }
    const target = utf8Text(tree.target(child));
    if (target === undefined || ++links > MOST_LINKS) return undefined;
    if (target.startsWith("/")) row = 0;
    pending.push(...names(target));
  }
  return row;
}

/** The names of a path, the first one last. */
function names(path: string): string[] {
  return path
    .split("/")
    .filter((name) => name !== "" && name !== ".")
    .reverse();
}
