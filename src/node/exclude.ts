/**
 * What patterns leave out, as a test of paths from the root of the tree: see {@link pathMatcher}. `undefined` when there
 * are no patterns.
 */
export async function excluder(
  patterns: readonly string[] | undefined,
): Promise<((path: string) => boolean) | undefined> {
  if (patterns === undefined || patterns.length === 0) return undefined;
  const { pathMatcher } = await import("../glob/index.ts");
  return pathMatcher(patterns);
}
