import { throwProblems } from "../../errors.ts";

/** What each module needs, by name. */
export type ModuleDependencies = ReadonlyMap<string, readonly string[]>;

/** The text of `moddep.lst`: a line `name: name name …` for each module. */
export function moduleDependencies(text: string): ModuleDependencies {
  const dependencies = new Map<string, readonly string[]>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    dependencies.set(
      line.slice(0, colon).trim(),
      line
        .slice(colon + 1)
        .split(/\s+/)
        .filter(Boolean),
    );
  }
  return dependencies;
}

/**
 * The modules that were asked for and all that they need, each once, and behind those that it needs: the order
 * in which GRUB's kernel can load them. Of what one module needs, the last one comes first, as grub-mkimage has it.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`, naming all modules that `moddep.lst` in `directory` does not have.
 */
export function inOrderOfNeed(
  wanted: readonly string[],
  dependencies: ModuleDependencies,
  directory: string,
): string[] {
  const ordered = new Set<string>();
  const problems: string[] = [];
  const seen = new Set<string>();
  // A stack of its own: a file that was made to harm may have a chain of any length, or a circle.
  const stack = wanted.map((name) => ({ name, isDone: false, neededBy: "" })).reverse();
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    const { name, isDone, neededBy } = step;
    if (isDone) ordered.add(name);
    if (isDone || seen.has(name)) continue;
    seen.add(name);
    const needs = dependencies.get(name);
    if (needs === undefined) {
      problems.push(`there is no module ${name}${neededBy === "" ? "" : `, which ${neededBy} needs`}`);
      continue;
    }
    stack.push({ name, isDone: true, neededBy });
    for (const need of needs) stack.push({ name: need, isDone: false, neededBy: name });
  }
  throwProblems("SOURCE_UNREADABLE", `GRUB's modules in ${directory} do not suffice`, problems, {
    path: directory,
  });
  return [...ordered];
}
