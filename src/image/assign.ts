import { utf8 } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { isBootPartition, type NumberedPartition } from "../layouts/index.ts";
import { emptied, fileMode, PLAIN_DIRECTORY, subtree, type Tree, TreeDraft, treeOf } from "../tree/index.ts";
import { fstabText } from "./fstab.ts";
import { withFile } from "./generated.ts";
import type { Image } from "./spec.ts";

/**
 * Cuts one tree into those of the partitions: what lies below a mount point goes to the partition that is
 * mounted there, and the mount point stays as an empty directory, made where it is missing. Adds what is
 * written from the layout. Returns a tree for each partition with a filesystem, by its name.
 *
 * @throws DiskwrightError `INVALID_TREE` when a mount point is no directory, or holds what a partition with
 *   content of its own would hide.
 */
export function assignTree(image: Image, warnings: string[]): ReadonlyMap<string, Tree> {
  const { partitions } = image.layout;
  const trees = new Map<string, Tree>();
  const mounted = partitions.filter(({ mount }) => mount !== undefined && mount !== "/");
  let rest = withMountPoints(image.root, mounted, image.time);
  // What is mounted deeper is cut out first.
  for (const partition of [...mounted].sort((a, b) => depth(b.mount!) - depth(a.mount!))) {
    const { name, mount, tree } = partition;
    const row = rest.find(mount!)!;
    if (tree !== undefined && rest.columns.childCount[row] !== 0) {
      throw new DiskwrightError(
        "INVALID_TREE",
        `${mount}: partition ${name}, which has content of its own, would hide what the tree has there: ` +
          "move it into the partition's content, or leave it out",
        { path: mount!, partition: name },
      );
    }
    trees.set(name, tree ?? subtree(rest, row));
    rest = emptied(rest, row);
  }
  for (const { name, mount, tree, filesystem } of partitions) {
    if (mount === "/") trees.set(name, tree ?? rest);
    else if (filesystem !== undefined && !trees.has(name)) trees.set(name, tree ?? treeOf([]));
  }
  const root = partitions.find(({ mount }) => mount === "/");
  checkRoot(image, root, rest);
  if (image.fstab !== undefined && root !== undefined) {
    const file = { path: "/etc/fstab", text: fstabText(image, image.fstab), time: image.time };
    trees.set(root.name, withFile(trees.get(root.name)!, file, warnings));
  }
  if (image.discoverable !== undefined) announceEntries(image, trees, warnings);
  return trees;
}

function depth(mount: string): number {
  return mount.split("/").length;
}

/** What no partition takes would be lost. */
function checkRoot(image: Image, root: NumberedPartition | undefined, rest: Tree): void {
  const isLost = root === undefined || root.tree !== undefined;
  if (!isLost) return;
  const orphan = orphanOf(rest, waysTo(image.layout.partitions, rest));
  if (orphan === undefined) return;
  throw new DiskwrightError(
    "INVALID_TREE",
    `${rest.displayPath(orphan)}: no partition takes it: mount one at /` +
      `${image.layout.partitions.some(({ tree }) => tree !== undefined) ? ", or leave the root out" : ""}`,
    { path: rest.displayPath(orphan) },
  );
}

/** The rows of the mount points, and of the directories that lead to them. */
function waysTo(partitions: readonly NumberedPartition[], tree: Tree): ReadonlySet<number> {
  const rows = new Set([0]);
  for (const { mount } of partitions) {
    const end = mount === undefined ? undefined : tree.find(mount);
    for (let row = end ?? 0; row !== 0; row = tree.columns.parent[row]!) rows.add(row);
  }
  return rows;
}

/** The first row that is neither on the way to a mount point nor an empty directory beside it. */
function orphanOf({ columns, length }: Tree, ways: ReadonlySet<number>): number | undefined {
  for (let row = 1; row < length; row++) {
    if (ways.has(row) || !ways.has(columns.parent[row]!)) continue;
    const isDirectory = (columns.mode[row]! & fileMode.TYPE_MASK) === fileMode.DIRECTORY;
    if (!isDirectory || columns.childCount[row] !== 0) return row;
  }
  return undefined;
}

/** The tree with all mount points as directories. */
function withMountPoints(tree: Tree, mounted: readonly NumberedPartition[], time: number | undefined): Tree {
  const missing: string[] = [];
  for (const { name, mount } of mounted) {
    const row = tree.find(mount!);
    if (row === undefined) missing.push(mount!);
    else if (!tree.isDirectory(row)) {
      throw new DiskwrightError(
        "INVALID_TREE",
        `${mount}: partition ${name} is mounted there, so it has to be a directory`,
        { path: mount!, partition: name },
      );
    }
  }
  if (missing.length === 0) return tree;
  const draft = new TreeDraft();
  draft.lay(tree, ROOT);
  const attributes = { ...PLAIN_DIRECTORY, mtimeSeconds: time ?? 0 };
  for (const mount of missing) {
    const names = mount.split("/").slice(1);
    for (let depth = 1; depth <= names.length; depth++) {
      const path = utf8(names.slice(0, depth).join("/"));
      if (draft.find(path) === undefined) draft.put(path, attributes);
    }
  }
  return draft.finish("the mount points cannot be made");
}

const ROOT = new Uint8Array(0);

/** Says in the boot partition that its entries follow the Boot Loader Specification (UAPI.1), type 1. */
function announceEntries(image: Image, trees: Map<string, Tree>, warnings: string[]): void {
  const boot = image.layout.partitions.filter(isBootPartition);
  const holder = boot.find(({ type }) => type === "xbootldr") ?? boot[0];
  const tree = holder && trees.get(holder.name);
  if (holder === undefined || tree === undefined) return;
  const file = { path: "/loader/entries.srel", text: "type1\n", time: image.time };
  trees.set(holder.name, withFile(tree, file, warnings));
}
