/** How many names a message offers. */
const OFFERED = 5;

/**
 * The names that a mistyped or shortened one is nearest to, at most five, the nearest first: those that take
 * few changes (Levenshtein), and those that go on where it ends. Case, `_` and `-` make no difference.
 */
export function nearNames(mistyped: string, names: Iterable<string>): string[] {
  const wanted = folded(mistyped);
  // What is longer than any name is near to none, and would take long to compare.
  if (wanted === "" || wanted.length > 64) return [];
  const near: { name: string; distance: number }[] = [];
  for (const name of names) {
    const candidate = folded(name);
    const goesOn = wanted.length > 1 && candidate.startsWith(`${wanted}-`);
    const distance = goesOn ? 1 : changes(wanted, candidate);
    if (goesOn || distance <= Math.floor(wanted.length / 3)) near.push({ name, distance });
  }
  // Sorting keeps the order of names that are equally near.
  return near
    .sort((a, b) => a.distance - b.distance)
    .slice(0, OFFERED)
    .map(({ name }) => name);
}

/** What to use in place of an unknown name: names that are near, or else `all`, a text that tells of all. */
export function instead(mistyped: string, names: Iterable<string>, all: string): string {
  const near = nearNames(mistyped, names);
  return near.length === 0 ? `use ${all}` : `did you mean ${near.join(", ")}?`;
}

function folded(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}

/** How many characters have to be put in, taken out or changed. */
function changes(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const swap = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(above[column]! + 1, current[column - 1]! + 1, swap));
    }
    above = current;
  }
  return above[b.length]!;
}
