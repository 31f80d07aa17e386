import { compareBytes } from "../bytes/index.ts";
import { contentBytes } from "../extents/index.ts";
import { type Tree, withFiles } from "../tree/index.ts";
import type { BootContext, BootFile, BootInstallation } from "./installation.ts";

/**
 * The tree with the files of a boot loader in it, and the directories that they need: of root, 0644 and 0755, from
 * `time`, in seconds since 1970.
 *
 * @throws DiskwrightError `INVALID_TREE` with every path where no file can be.
 */
export function withInstallation(
  tree: Tree,
  installation: Pick<BootInstallation, "files">,
  time: number | undefined,
): Tree {
  return withFiles(tree, installation.files, time);
}

/** A warning for each file of a boot loader that takes the place of a different one in the tree. */
export async function replacedFiles(context: BootContext, files: readonly BootFile[]): Promise<string[]> {
  const warnings: string[] = [];
  for (const file of files) {
    const row = context.tree.find(file.path);
    if (row !== undefined && !(await isSame(context, row, file))) warnings.push(`${file.path}: replaced`);
  }
  return warnings;
}

async function isSame({ tree, reader }: BootContext, row: number, { content }: BootFile): Promise<boolean> {
  if (!tree.isFile(row)) return false;
  const existing = tree.content(row);
  if (existing === content) return true;
  if (existing.size !== content.size) return false;
  return compareBytes(await contentBytes(existing, reader), await contentBytes(content, reader)) === 0;
}
