import { readdirSync } from "node:fs";
import { join } from "node:path";
import picomatch from "picomatch";

/** Whether a source is a pattern. */
export function isPattern(source: string): boolean {
  return /[*?[]/.test(source);
}

/**
 * The paths that a pattern matches, sorted, as a shell expands it: `*`, `?` and `[…]` within names, and none
 * of them a name that begins with a dot.
 */
export function expand(pattern: string): string[] {
  const isAbsolute = pattern.startsWith("/");
  let found = [isAbsolute ? "/" : ""];
  for (const part of pattern.split("/").filter((name) => name !== "")) {
    found = found.flatMap((directory) =>
      isPattern(part) ? matches(directory, part) : [join(directory, part)],
    );
  }
  return found;
}

function matches(directory: string, pattern: string): string[] {
  const isMatch = picomatch(pattern, { dot: pattern.startsWith("."), nobrace: true, noextglob: true });
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
