import { joinedPath, type Tree, type TreeDraft } from "../tree/index.ts";

/** An entry of a draft that would not stay as it is if another one were laid over it. */
export interface Clash {
  /** The row of the draft. */
  readonly existing: number;
  /** The row of the tree that is laid. */
  readonly row: number;
}

/**
 * What would be replaced if the entry in row `from` of a tree were laid at a path, with all below it: whatever has the
 * path of an entry that is laid, unless both are directories, or it is a symlink to one: those are merged.
 */
export function* clashes(draft: TreeDraft, tree: Tree, from: number, at: Uint8Array): Generator<Clash> {
  if (draft.find(at) === undefined) return;
  const above = from === 0 ? 0 : tree.path(from).length;
  const { start, end } = tree.descendants(from);
  yield* clash(from, at);
  for (let row = start; row < end; row++) yield* clash(row, joinedPath(at, tree.path(row).subarray(above)));

  function* clash(row: number, path: Uint8Array): Generator<Clash> {
    const existing = draft.find(path);
    if (existing === undefined) return;
    const merged = tree.isDirectory(row) ? draft.resolve(path) : undefined;
    if (merged === undefined || !draft.isDirectory(merged)) yield { existing, row };
  }
}
