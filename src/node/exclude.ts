/**
 * What patterns leave out, as a test of paths from the root of the tree: a pattern without a slash is for
 * names anywhere, one with a slash starts at the root. `undefined` when there are no patterns.
 */
export async function excluder(
  patterns: readonly string[] | undefined,
): Promise<((path: string) => boolean) | undefined> {
  if (patterns === undefined || patterns.length === 0) return undefined;
  const { default: picomatch } = await import("picomatch");
  const matchers = patterns.map((pattern) => {
    const trimmed = pattern.replace(/\/+$/, "");
    const isMatch = picomatch(trimmed.replace(/^\/+/, ""), { dot: true });
    if (trimmed.includes("/")) return (path: string): boolean => isMatch(path.slice(1));
    return (path: string): boolean => isMatch(path.slice(path.lastIndexOf("/") + 1));
  });
  return (path) => matchers.some((isMatch) => isMatch(path));
}
