import { formatSize } from "../bytes/index.ts";
import { largestPaths } from "../sizing/index.ts";
import type { Tree } from "../tree/index.ts";

const LISTED_PATHS = 5;

/** The paths that take most of the room, as lines at the end of a message. */
export function largest(tree: Tree): string {
  const paths = largestPaths(tree, LISTED_PATHS).map(
    ({ path, bytes }) => `\n  ${formatSize(bytes).padStart(12)}  ${path}`,
  );
  return paths.length === 0 ? "" : `\nlargest paths:${paths.join("")}`;
}
