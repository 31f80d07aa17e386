import { printable, utf8 } from "../bytes/index.ts";

const SLASH = 0x2f;
const DOT = 0x2e;

/** A path as bytes: text is stored as UTF-8. */
export function pathBytes(path: string | Uint8Array): Uint8Array {
  return typeof path === "string" ? utf8(path) : path;
}

/** A path for messages: as it is from the root, with what is not printable escaped. */
export function shownPath(path: string | Uint8Array): string {
  return printable(pathBytes(path));
}

/** Where a name lies in a path. */
interface NameRange {
  readonly start: number;
  readonly end: number;
}

/** Where the names of a path lie; empty ones and `.` are passed over. */
export function* nameRanges(path: Uint8Array): Generator<NameRange> {
  for (let start = 0; start < path.length; ) {
    const slash = path.indexOf(SLASH, start);
    const end = slash < 0 ? path.length : slash;
    if (end > start && !(end - start === 1 && path[start] === DOT)) yield { start, end };
    start = end + 1;
  }
}

/** Where the last name of a path lies; `undefined` for the root. */
export function lastName(path: Uint8Array): NameRange | undefined {
  for (let end = path.length; end > 0; ) {
    const start = path.lastIndexOf(SLASH, end - 1) + 1;
    if (end > start && !(end - start === 1 && path[start] === DOT)) return { start, end };
    end = start - 1;
  }
  return undefined;
}

/** Whether a path holds the name `..`, by which it could lead out of a tree. */
export function climbs(path: Uint8Array): boolean {
  for (let at = path.indexOf(DOT); at >= 0 && at + 1 < path.length; at = path.indexOf(DOT, at + 1)) {
    if (path[at + 1] !== DOT) continue;
    const startsName = at === 0 || path[at - 1] === SLASH;
    const endsName = at + 2 === path.length || path[at + 2] === SLASH;
    if (startsName && endsName) return true;
  }
  return false;
}

/** The names of a path from the root, or `undefined` when one of them is `..`. */
export function pathNames(path: string | Uint8Array): Uint8Array[] | undefined {
  const bytes = pathBytes(path);
  if (climbs(bytes)) return undefined;
  return [...nameRanges(bytes)].map(({ start, end }) => bytes.subarray(start, end));
}

/** A path with another one below it. */
export function joinedPath(directory: Uint8Array, path: Uint8Array): Uint8Array {
  const joined = new Uint8Array(directory.length + 1 + path.length);
  joined.set(directory);
  joined[directory.length] = SLASH;
  joined.set(path, directory.length + 1);
  return joined;
}
