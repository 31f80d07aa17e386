import type { Tree } from "../tree/index.ts";

/** A path and the bytes of the files at or below it. */
export interface PathSize {
  readonly path: string;
  readonly bytes: number;
}

/**
 * The paths that take most of the room, largest first. A directory is passed over where one child holds more
 * than half of it: the child says more. Further hard links and holes do not count.
 */
export function largestPaths(tree: Tree, count: number): PathSize[] {
  const { parent } = tree.columns;
  const bytes = new Float64Array(tree.length);
  const largestChild = new Float64Array(tree.length);
  for (let row = tree.length - 1; row > 0; row--) {
    if (tree.isFile(row) && !tree.isFurtherLink(row)) bytes[row] = dataBytes(tree, row);
    const above = parent[row]!;
    bytes[above]! += bytes[row]!;
    largestChild[above] = Math.max(largestChild[above]!, bytes[row]!);
  }
  const top: number[] = [];
  for (let row = 1; row < tree.length; row++) {
    if (bytes[row] === 0 || largestChild[row]! > bytes[row]! / 2) continue;
    if (top.length === count && bytes[top.at(-1)!]! >= bytes[row]!) continue;
    const before = top.findIndex((other) => bytes[other]! < bytes[row]!);
    top.splice(before < 0 ? top.length : before, 0, row);
    top.length = Math.min(top.length, count);
  }
  return top.map((row) => ({ path: tree.displayPath(row), bytes: bytes[row]! }));
}

function dataBytes(tree: Tree, row: number): number {
  const data = tree.data(row);
  return data === undefined ? tree.columns.size[row]! : data.reduce((sum, { length }) => sum + length, 0);
}
