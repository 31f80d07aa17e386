import { utf8 } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { Layout } from "../layouts/index.ts";
import { emptied, PLAIN_DIRECTORY, subtree, type Tree, treeOf, withTopDirectory } from "../tree/index.ts";

/**
 * Cuts one tree into those of the partitions: what lies below a mount point goes to the partition that is
 * mounted there, and the mount point stays as an empty directory, made where it is missing. Mount points are
 * directories of the root. Returns a tree for each partition with a mount point, by its name.
 *
 * @throws DiskwrightError `INVALID_TREE` when a mount point is no directory.
 */
export function assignTree(tree: Tree, layout: Layout, time: number | undefined): ReadonlyMap<string, Tree> {
  const trees = new Map<string, Tree>();
  let rest = tree;
  for (const { name, mount } of layout.partitions) {
    if (mount === undefined || mount === "/") continue;
    const row = rest.find(mount);
    if (row === undefined) {
      const attributes = { ...PLAIN_DIRECTORY, mtimeSeconds: time ?? 0 };
      trees.set(name, treeOf([]));
      rest = withTopDirectory(rest, utf8(mount.slice(1)), attributes);
      continue;
    }
    if (!rest.isDirectory(row)) {
      throw new DiskwrightError(
        "INVALID_TREE",
        `${mount}: partition ${name} is mounted there, so it has to be a directory`,
        { path: mount, partition: name },
      );
    }
    trees.set(name, subtree(rest, row));
    rest = emptied(rest, row);
  }
  const root = layout.partitions.find(({ mount }) => mount === "/");
  if (root !== undefined) trees.set(root.name, rest);
  return trees;
}
