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
  /**
   * Makes a directory of the name `path[start, end)`, which is missing, and returns its row; `undefined` when it
   * cannot be made. Without this method, a path with a missing name leads nowhere.
   */
  make?(directory: number, path: Uint8Array, start: number, end: number): number | undefined;
}

/** Why a path leads nowhere, and the row at which it ends. */
export interface DeadEnd {
  /**
   * `missing`: the directory `row` has no such name. `no directory`: names follow `row`, which is not one.
   * `circle`: the symlink `row` is one more than Linux follows in one path.
   */
  readonly reason: "missing" | "no directory" | "circle";
  readonly row: number;
}

/** How many symlinks Linux follows in one path. */
const MOST_SYMLINKS = 40;

const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * Follows a path, and every symlink on it and at its end. No symlink leads out of the tree: absolute targets start
 * at its root, and `..` at the root stays there, as in a chroot. A relative path starts at the directory `from`.
 */
export function followPath(space: PathSpace, path: Uint8Array, from = 0): number | DeadEnd {
  let row = path[0] === SLASH ? 0 : from;
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
    if (!space.isDirectory(row)) return { reason: "no directory", row };
    if (end - start === 2 && walk.path[start] === DOT && walk.path[start + 1] === DOT) {
      row = space.parent(row);
      continue;
    }
    const child = space.child(row, walk.path, start, end) ?? space.make?.(row, walk.path, start, end);
    if (child === undefined) return { reason: "missing", row };
    const target = space.target(child);
    if (target === undefined) {
      row = child;
      continue;
    }
    // No name lies behind an empty target.
    if (target.length === 0) return { reason: "no directory", row: child };
    if (symlinksLeft-- === 0) return { reason: "circle", row: child };
    if (target[0] === SLASH) row = 0;
    pending.push({ path: target, names: nameRanges(target) });
  }
  return row;
}

/** The row that a path from the root leads to; `undefined` when it leads nowhere, or in a circle. */
export function resolvedRow(space: PathSpace, path: Uint8Array): number | undefined {
  const found = followPath(space, path);
  return typeof found === "number" ? found : undefined;
}
