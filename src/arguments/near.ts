/** How many names a message offers. */
const OFFERED = 5;

/**
 * The names that a mistyped or shortened one is nearest to, at most five, the nearest first: those that take
 * few changes (optimal string alignment: Levenshtein, and neighbours that are swapped), those that go on where it
 * ends or that it goes on from, and those of which it is a word. Case, `_` and `-` make no difference.
 */
export function nearNames(mistyped: string, names: Iterable<string>): string[] {
  const wanted = folded(mistyped);
  // What is longer than any name is near to none, and would take long to compare.
  if (wanted === "" || wanted.length > 64) return [];
  const near: { name: string; distance: number }[] = [];
  for (const name of names) {
    const candidate = folded(name);
    const distance = distanceOf(wanted, candidate);
    if (distance !== undefined) near.push({ name, distance });
  }
  // Sorting keeps the order of names that are equally near.
  return near
    .sort((a, b) => a.distance - b.distance)
    .slice(0, OFFERED)
    .map(({ name }) => name);
}

/**
 * What to use in place of an unknown name: the one that `elsewhere` has for it, by what other programs call it in
 * lower case; or names that are near; or else `all`, a text that tells of all.
 */
export function instead(
  mistyped: string,
  names: Iterable<string>,
  all: string,
  elsewhere: Readonly<Record<string, string>> = {},
): string {
  const called = mistyped.toLowerCase();
  const near = Object.hasOwn(elsewhere, called) ? [elsewhere[called]!] : nearNames(mistyped, names);
  return near.length === 0 ? `use ${all}` : `did you mean ${near.join(", ")}?`;
}

/** How far a name is from the one that is wanted; `undefined` when it is too far to be meant. */
function distanceOf(wanted: string, candidate: string): number | undefined {
  const distance = changes(wanted, candidate);
  if (distance <= Math.max(1, Math.floor(wanted.length / 3)) && distance < wanted.length) return distance;
  if (wanted.length > 1 && candidate.startsWith(`${wanted}-`)) return 1;
  const isPart = wanted.length > 2 && candidate.split("-").includes(wanted);
  return isPart || wanted.startsWith(`${candidate}-`) ? 2 : undefined;
}

function folded(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}

/** How many characters have to be put in, taken out or changed, or neighbours to be swapped. */
function changes(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const changed = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      let least = Math.min(above[column]! + 1, current[column - 1]! + 1, changed);
      const areSwapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && areSwapped) least = Math.min(least, before[column - 2]! + 1);
      current.push(least);
    }
    before = above;
    above = current;
  }
  return above[b.length]!;
}
