import { type Segment, segmentsOf } from "./expand.ts";
import { parsePattern } from "./parse.ts";
import { textOf, Wildcards } from "./wildcards.ts";

/** A place in the tree of all patterns: what may come next in a path. Most places have nothing behind them. */
class Place {
  #names: Map<string, Place> | undefined;
  #wild: WildPlaces | undefined;
  /** Where any number of directories leads. */
  deeper: Place | undefined;
  /** Whether it is such a place, at which a path stays whatever comes. */
  readonly isDeep: boolean;
  /** Whether a path that ends here is matched. */
  isEnd = false;

  constructor(isDeep = false) {
    this.isDeep = isDeep;
  }

  /** The place behind a segment. */
  behind(segment: Segment): Place {
    if (isGlobstar(segment)) {
      // One behind another says the same.
      this.deeper ??= this.isDeep ? this : new Place(true);
      return this.deeper;
    }
    const text = textOf(segment);
    if (text !== undefined) {
      this.#names ??= new Map();
      return placeIn(this.#names, text);
    }
    this.#wild ??= new WildPlaces();
    return this.#wild.behind(segment);
  }

  /** Adds the places that a name leads to. */
  follow(name: string, places: Set<Place>): void {
    if (this.isDeep) places.add(this);
    const named = this.#names?.get(name);
    if (named !== undefined) addPlace(named, places);
    this.#wild?.follow(name, places);
  }
}

/** What comes behind patterns of names. */
class WildPlaces {
  readonly #places = new Map<string, Place>();
  readonly #segments: Segment[] = [];
  #wildcards: { readonly of: Wildcards; readonly places: readonly Place[] } | undefined;

  behind(segment: Segment): Place {
    const key = keyOf(segment);
    if (!this.#places.has(key)) this.#segments.push(segment);
    return placeIn(this.#places, key);
  }

  follow(name: string, places: Set<Place>): void {
    this.#wildcards ??= { of: new Wildcards(this.#segments), places: [...this.#places.values()] };
    for (const index of this.#wildcards.of.match(name)) addPlace(this.#wildcards.places[index]!, places);
  }
}

/** A text that only this segment has. */
function keyOf(segment: Segment): string {
  return segment
    .map((item) => {
      if (item.type === "text") return `\\${String.fromCodePoint(item.code)}`;
      if (item.type === "any") return "?";
      return item.type === "star" ? "*" : JSON.stringify(item);
    })
    .join("");
}

function placeIn(places: Map<string, Place>, key: string): Place {
  const known = places.get(key);
  if (known !== undefined) return known;
  const place = new Place();
  places.set(key, place);
  return place;
}

/** Adds a place, and that which no directories at all lead to. */
function addPlace(place: Place, places: Set<Place>): void {
  places.add(place);
  if (place.deeper !== undefined) places.add(place.deeper);
}

/** `**` alone between slashes. */
function isGlobstar(segment: Segment): boolean {
  return segment.length > 1 && segment.every(({ type }) => type === "star");
}

/** Paths that one of some patterns matches, found in one pass over each path. */
class PathSet {
  /** Paths from the root, and names, that are written like a pattern. */
  readonly #writtenPaths = new Set<string>();
  readonly #writtenNames = new Set<string>();
  readonly #root = new Place();
  /** The directory whose entries were asked for last, and where it leads. */
  #directory: string | undefined;
  #places: ReadonlySet<Place> = new Set();

  add(segments: readonly Segment[]): void {
    let place = this.#root;
    for (const segment of segments) place = place.behind(segment);
    place.isEnd = true;
  }

  /** Adds what is written like a pattern. */
  addWritten(pattern: string): void {
    if (!pattern.includes("/")) this.#writtenNames.add(pattern);
    else this.#writtenPaths.add(pattern.startsWith("/") ? pattern : `/${pattern}`);
  }

  /** The path begins with a slash. */
  has(path: string): boolean {
    if (this.#writtenPaths.has(path)) return true;
    const slash = path.lastIndexOf("/");
    if (this.#writtenNames.has(path.slice(slash + 1))) return true;
    const directory = path.slice(0, slash);
    if (directory !== this.#directory) {
      this.#places = this.#placesOf(directory);
      this.#directory = directory;
    }
    for (const place of followed(this.#places, path.slice(slash + 1))) if (place.isEnd) return true;
    return false;
  }

  #placesOf(directory: string): ReadonlySet<Place> {
    let places: ReadonlySet<Place> = new Set<Place>();
    addPlace(this.#root, places as Set<Place>);
    for (const name of directory.split("/").slice(1)) places = followed(places, name);
    return places;
  }
}

function followed(places: ReadonlySet<Place>, name: string): ReadonlySet<Place> {
  const next = new Set<Place>();
  for (const place of places) place.follow(name, next);
  return next;
}

const GROUPS = { hasGroups: true } as const;
/** Any number of directories. */
const ANYWHERE: Segment = [{ type: "star" }, { type: "star" }];
const ANY_NAME: Segment = [{ type: "star" }];

/**
 * A test of paths from the root of a tree, such as `/etc/fstab`, against patterns. One without a slash is for names
 * anywhere, one with a slash starts at the root.
 *
 * `*` is any text within a name, `?` one character, `[a-z]` one of a set (`[!a-z]` or `[^a-z]` one of all others,
 * `[[:digit:]]` one of a class), a double asterisk between slashes any number of directories, `{a,b}` either,
 * `{1..9}` one of a range; `@(a|b)`, `?(…)`, `*(…)`, `+(…)` and `!(…)` are those of bash. A backslash takes the meaning
 * of the next character away. A pattern that begins with `!` matches what the rest of it does not. Names that begin
 * with a dot are like any others. A path that is written like a pattern is always matched by it.
 *
 * However many patterns there are, and whatever they look like, the time for a path is at most the product of its
 * length and that of all patterns; most paths take one look-up for each character.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a pattern that is too long, too deep, or stands for too many.
 */
export function pathMatcher(patterns: readonly string[]): (path: string) => boolean {
  const matched = new PathSet();
  const excepted: PathSet[] = [];
  for (const pattern of patterns) {
    const { isExcepting, rest } = withoutMarks(pattern);
    const trimmed = withoutSlashesBehind(rest);
    const paths = isExcepting ? new PathSet() : matched;
    if (isExcepting) excepted.push(paths);
    paths.addWritten(trimmed);
    // What has no wildcards is nothing else than what is written.
    if (!/[\\*?[{(!+@]|\/\//.test(trimmed)) continue;
    const prefix = trimmed.includes("/") ? [] : [ANYWHERE];
    for (const segments of segmentsOf(parsePattern(trimmed, GROUPS), pattern)) {
      if (segments.length > 0) paths.add([...prefix, ...withEntries(segments)]);
    }
  }
  return (path) => matched.has(path) || excepted.some((paths) => !paths.has(path));
}

/** The pattern without what is before it: `!`, and `./` for the directory that it starts from. */
function withoutMarks(pattern: string): { readonly isExcepting: boolean; readonly rest: string } {
  let start = 0;
  while (pattern[start] === "!" && pattern[start + 1] !== "(") start++;
  const isExcepting = start % 2 === 1;
  while (pattern.startsWith("./", start)) start += 2;
  return { isExcepting, rest: pattern.slice(start) };
}

function withoutSlashesBehind(pattern: string): string {
  let end = pattern.length;
  while (end > 0 && pattern[end - 1] === "/") end--;
  return pattern.slice(0, end);
}

/** `a/**` is `a` and all that is in it, while a pattern such as `a*` before the double asterisk is not meant itself. */
function withEntries(segments: readonly Segment[]): readonly Segment[] {
  let end = segments.length;
  while (end > 0 && isGlobstar(segments[end - 1]!)) end--;
  const isEntries = end < segments.length && segments[end - 1]?.at(-1)?.type === "star";
  return isEntries ? [...segments.slice(0, end), ANY_NAME, ANYWHERE] : segments;
}

/**
 * A test of names against a pattern of one name as a shell expands it: `*`, `?` and `[…]`. Names that begin with a dot
 * are matched only by patterns that begin with one.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a pattern that is too long.
 */
export function nameMatcher(pattern: string): (name: string) => boolean {
  const wildcards = new Wildcards([parsePattern(pattern, { hasGroups: false })]);
  const hasDot = pattern.startsWith(".");
  return (name) => (hasDot || !name.startsWith(".")) && wildcards.match(name).length > 0;
}
