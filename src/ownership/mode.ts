import { DiskwrightError } from "../errors.ts";
import { fileMode } from "../tree/index.ts";

/** From a mode, with its type bits, to another. */
export type ModeChange = (mode: number) => number;

const WHO: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007 };
const ALL_PERMISSIONS = 0o7777;

/**
 * A mode as chmod(1) takes it: octal digits (`755`), or changes (`u=rwX,go-w,+t`). A part that begins with `D` is
 * for directories only, one with `F` for everything else, as rsync has them (`D755,F644`). What a change leaves
 * out of who it is for is for all.
 *
 * @throws DiskwrightError `INVALID_SPEC`.
 */
export function parseMode(text: string): ModeChange {
  const changes = text.split(",").map((part) => parsePart(part, text));
  return (mode) => changes.reduce((changed, change) => change(changed), mode);
}

function parsePart(part: string, whole: string): ModeChange {
  const target = /^[DF]/.exec(part)?.[0];
  const change = parseChange(target === undefined ? part : part.slice(1), whole);
  if (target === undefined) return change;
  return (mode) => (isDirectory(mode) === (target === "D") ? change(mode) : mode);
}

function parseChange(part: string, whole: string): ModeChange {
  if (/^[0-7]{1,4}$/.test(part)) {
    const bits = Number.parseInt(part, 8);
    return (mode) => (mode & fileMode.TYPE_MASK) | bits;
  }
  const match = /^([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)$/.exec(part);
  if (match === null) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `mode "${whole}": use octal digits such as 755, or changes such as u=rwX,go=rX`,
    );
  }
  const who = match[1] === "" || match[1]!.includes("a") ? "ugo" : match[1]!;
  const steps = [...match[2]!.matchAll(/([-+=])([ugo]|[rwxXst]*)/g)];
  return (mode) =>
    steps.reduce((changed, [, operator, permissions]) => step(changed, who, operator!, permissions!), mode);
}

function step(mode: number, who: string, operator: string, permissions: string): number {
  let reach = 0;
  let bits = 0;
  for (const whose of who) {
    const mask = WHO[whose]!;
    reach |= mask & 0o777;
    bits |= bitsFor(mode, mask, permissions);
  }
  // Setuid and setgid belong to who they are named for; the sticky bit to nobody but all.
  const special =
    (who.includes("u") ? 0o4000 : 0) | (who.includes("g") ? 0o2000 : 0) | (who.includes("o") ? 0o1000 : 0);
  switch (operator) {
    case "+":
      return mode | bits;
    case "-":
      return mode & ~bits;
    default:
      return (mode & ~((reach | special) & ALL_PERMISSIONS)) | bits;
  }
}

function bitsFor(mode: number, mask: number, permissions: string): number {
  if (/^[ugo]$/.test(permissions)) {
    const shift = { u: 6, g: 3, o: 0 }[permissions as "u" | "g" | "o"];
    const copied = (mode >> shift) & 7;
    return (copied * 0o111) & mask & 0o777;
  }
  let bits = 0;
  const isSearchable = isDirectory(mode) || (mode & 0o111) !== 0;
  for (const permission of permissions) {
    if (permission === "r") bits |= 0o444 & mask;
    else if (permission === "w") bits |= 0o222 & mask;
    else if (permission === "x" || (permission === "X" && isSearchable)) bits |= 0o111 & mask;
    else if (permission === "s") bits |= 0o6000 & mask;
    else if (permission === "t") bits |= 0o1000 & mask;
  }
  return bits;
}

function isDirectory(mode: number): boolean {
  return (mode & fileMode.TYPE_MASK) === fileMode.DIRECTORY;
}
