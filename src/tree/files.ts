import { printable } from "../bytes/index.ts";
import type { Content } from "../extents/index.ts";
import { PLAIN_DIRECTORY } from "./builder.ts";
import { TreeDraft } from "./draft.ts";
import type { DataRange } from "./entry.ts";
import { FILE } from "./mode.ts";
import { climbs, nameRanges, pathBytes } from "./path.ts";
import type { Tree } from "./tree.ts";

/** A file that is added to a tree. */
export interface AddedFile {
  /** Where it goes, from the root. */
  readonly path: string | Uint8Array;
  readonly content: Content;
  /** The parts of it that hold data, ascending; everything else is a hole. Default: all of it. */
  readonly data?: readonly DataRange[] | undefined;
}

/**
 * A tree with more files, each in place of what has its path. They belong to root, 0644, and are from `time`, in
 * seconds since 1970; so do the directories that are missing, 0755.
 *
 * @throws DiskwrightError `INVALID_TREE` with every path that is a directory, or that leads through something that
 *   is none.
 */
export function withFiles(tree: Tree, files: readonly AddedFile[], time: number | undefined): Tree {
  if (files.length === 0) return tree;
  const attributes = { ...PLAIN_DIRECTORY, mtimeSeconds: time ?? 0 };
  const draft = new TreeDraft({ followsSymlinks: true });
  draft.lay(tree, NO_BYTES);
  const origin = draft.addOrigin({ content: (key) => files[key]!.content });
  files.forEach(({ path, content, data }, key) => {
    const bytes = pathBytes(path);
    if (climbs(bytes)) {
      draft.problems.push(`${printable(bytes)}: ".." would leave the tree`);
      return;
    }
    const existing = draft.find(bytes);
    if (existing !== undefined && draft.isDirectory(existing)) {
      draft.problems.push(`${printable(bytes)}: a file is to be written there, but it is a directory`);
      return;
    }
    for (const parent of parents(bytes)) {
      if (draft.find(parent) === undefined) draft.put(parent, attributes);
    }
    draft.put(bytes, { ...attributes, mode: FILE | 0o644, size: content.size, origin, key, data });
  });
  return draft.finish("files cannot be added");
}

const NO_BYTES = new Uint8Array(0);

/** The directories that a path leads through, from the root on. */
function* parents(path: Uint8Array): Generator<Uint8Array> {
  for (const { start } of nameRanges(path)) if (start > 0) yield path.subarray(0, start);
}
