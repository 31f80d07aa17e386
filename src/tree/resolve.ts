import { nameRanges } from "./path.ts";

/** What a path leads through: the names of a tree, or of one that is being composed. */
export interface PathSpace {
  /** The row of the name `path[start, end)` in a directory. */
  child(directory: number, path: Uint8Array, start: number, end: number): number | undefined;
  /** The row of the directory that a row is in; that of the root is the root. */
  parent(row: number): number;
  isDirectory(row: number): boolean;
  /** What a symlink points to; `undefined` for everything else. */
  target(row: number): Uint8Array | undefined;
}

/** How many symlinks Linux follows in one path. */
const MOST_SYMLINKS = 40;

const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * The row that a path leads to, over symlinks, none of which leads out of the tree: `..` at the root stays there,
 * as in a chroot. `undefined` when it leads nowhere, or in a circle.
 */
export function resolvedRow(space: PathSpace, path: Uint8Array): number | undefined {
  let row = 0;
  let symlinksLeft = MOST_SYMLINKS;
  /** What is left of the path, and before it what is left of each symlink's target. */
  const pending = [{ path, names: nameRanges(path) }];
  for (let walk = pending.at(-1); walk !== undefined; walk = pending.at(-1)) {
    const next = walk.names.next();
    if (next.done) {
      pending.pop();
      continue;
    }
    const { start, end } = next.value;
    if (!space.isDirectory(row)) return undefined;
    if (end - start === 2 && walk.path[start] === DOT && walk.path[start + 1] === DOT) {
      row = space.parent(row);
      continue;
    }
    const child = space.child(row, walk.path, start, end);
    if (child === undefined) return undefined;
    const target = space.target(child);
    if (target === undefined) {
      row = child;
      continue;
    }
    if (symlinksLeft-- === 0 || target.length === 0) return undefined;
    if (target[0] === SLASH) row = 0;
    pending.push({ path: target, names: nameRanges(target) });
  }
  return row;
}
