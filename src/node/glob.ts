import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Whether a source is a pattern. */
export function isPattern(source: string): boolean {
  return /[*?[]/.test(source);
}

/**
 * The paths that a pattern matches, sorted, as a shell expands it: `*`, `?` and `[…]` within names, and none
 * of them a name that begins with a dot.
 */
export async function expand(pattern: string): Promise<string[]> {
  const { nameMatcher } = await import("../glob/index.ts");
  const isAbsolute = pattern.startsWith("/");
  let found = [isAbsolute ? "/" : ""];
  for (const part of pattern.split("/").filter((name) => name !== "")) {
    if (!isPattern(part)) {
      found = found.map((directory) => join(directory, part));
      continue;
    }
    const isMatch = nameMatcher(part);
    found = found.flatMap((directory) => matches(directory, isMatch));
  }
  return found;
}

function matches(directory: string, isMatch: (name: string) => boolean): string[] {
  let names: string[];
  try {
    names = readdirSync(directory === "" ? "." : directory);
  } catch {
    // What is no directory has nothing in it that could match.
    return [];
  }
  return names
    .filter((name) => isMatch(name))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => join(directory, name));
}
