import { DiskwrightError } from "../errors.ts";
import { fileMode } from "../tree/index.ts";

/** From a mode, with its type bits, to another. */
export type ModeChange = (mode: number) => number;

/** One change of a mode. `before` is the mode that the entry had before the first change. */
type Step = (mode: number, before: number) => number;

/** The lowest bit of the permissions of each letter. */
const WHO: Readonly<Record<string, number>> = { u: 0o100, g: 0o010, o: 0o001, a: 0o111 };
const EVERYBODY = 0o111;
const SETUID = 0o4000;
const SETGID = 0o2000;
const STICKY = 0o1000;
const ALL_PERMISSIONS = 0o7777;

/** The umask of Nix builds and of most systems: a change that names nobody leaves these bits as they are. */
const UMASK = 0o022;

/**
 * A mode as rsync(1) takes it with `--chmod`: octal digits (`755`), or changes (`u=rwX,go-w,+t`), in the order in
 * which they are written. That is the language of chmod(1), except that
 *
 * - changes with `D` are for directories only, those with `F` for everything else (`D755,F644`);
 * - `=` leaves setuid, setgid and sticky bits as they are, unless the change itself has `s` or `t`;
 * - `X` goes by the mode that the entry had before the first change;
 * - `s` is the setuid bit for `u` and for a change that names nobody, the setgid bit for `g`, both for `a`.
 *
 * A change that names nobody (`+w`) is for all, within a umask of 022. As chmod(1), and unlike rsync, it takes several
 * operators in one change (`u+x-w`) and permissions that are copied (`g=u`).
 *
 * @throws DiskwrightError `INVALID_SPEC`.
 */
export function parseMode(text: string): ModeChange {
  const steps = text.split(",").flatMap((part) => parseChange(part, text));
  return (mode) => steps.reduce((changed, step) => step(changed, mode), mode);
}

function parseChange(part: string, whole: string): readonly Step[] {
  const match = /^([DFugoa]*)(?:([0-7]+)|((?:[-+=](?:[ugo]|[rwxXst]*))+))$/.exec(part);
  if (match === null) throw invalid(whole);
  const [, letters = "", octal, changes] = match;
  const types = letters.replace(/[ugoa]/g, "");
  const who = letters.replace(/[DF]/g, "");
  if (types.includes("D") && types.includes("F")) throw invalid(whole);
  if (octal !== undefined) {
    const bits = Number.parseInt(octal, 8);
    if (who !== "" || bits > ALL_PERMISSIONS) throw invalid(whole);
    return [onlyFor(types, (mode) => (mode & fileMode.TYPE_MASK) | bits)];
  }
  return [...changes!.matchAll(/([-+=])([ugo]|[rwxXst]*)/g)].map(([, operator, permissions]) =>
    onlyFor(types, changeFor(who, operator!, permissions!)),
  );
}

function onlyFor(types: string, step: Step): Step {
  if (types === "") return step;
  return (mode, before) => (isDirectory(mode) === types.includes("D") ? step(mode, before) : mode);
}

function changeFor(who: string, operator: string, permissions: string): Step {
  const reach = who === "" ? EVERYBODY : [...who].reduce((bits, letter) => bits | WHO[letter]!, 0);
  const mask = who === "" ? ALL_PERMISSIONS & ~UMASK : ALL_PERMISSIONS;
  const named = (/[ua]/.test(who) ? SETUID : 0) | (/[ga]/.test(who) ? SETGID : 0);
  const special =
    (permissions.includes("s") ? named || SETUID : 0) | (permissions.includes("t") ? STICKY : 0);
  const cleared = (reach * 7) | (special === 0 ? 0 : named);
  return (mode, before) => {
    const bits = ((reach * digitFor(mode, permissions)) & mask) | special;
    if (operator === "-") return mode & ~bits;
    const keepsSearch = !permissions.includes("X") || isDirectory(mode) || (before & EVERYBODY) !== 0;
    const added = keepsSearch ? bits : bits & ~EVERYBODY;
    return (operator === "+" ? mode : mode & ~cleared) | added;
  };
}

/** The octal digit of permissions such as `rX`, or that which one of `u`, `g`, `o` has in the mode. */
function digitFor(mode: number, permissions: string): number {
  switch (permissions) {
    case "u":
      return (mode >> 6) & 7;
    case "g":
      return (mode >> 3) & 7;
    case "o":
      return mode & 7;
    default:
      return (
        (permissions.includes("r") ? 4 : 0) |
        (permissions.includes("w") ? 2 : 0) |
        (/[xX]/.test(permissions) ? 1 : 0)
      );
  }
}

function isDirectory(mode: number): boolean {
  return (mode & fileMode.TYPE_MASK) === fileMode.DIRECTORY;
}

function invalid(text: string): DiskwrightError {
  return new DiskwrightError(
    "INVALID_SPEC",
    `mode "${text}": use octal digits such as 755, or changes such as u=rwX,go=rX`,
  );
}
