import { codeUnitText } from "../bytes/index.ts";

// Names are UTF-16LE: a character outside the basic plane takes two of the 36 code units, and a cut in
// between leaves a lone surrogate, which tools print as invalid UTF-8.

/** Code units that a name can have. A name of all 36 has no terminator (UEFI 2.10 §5.3.3). */
export const NAME_UNITS = 36;

const LONE_SURROGATE = /\p{Surrogate}/u;

/** What is wrong with the text of a name, or `undefined`. */
export function nameProblem(name: string): string | undefined {
  if (name.length > NAME_UNITS) {
    return `a name of ${name.length} UTF-16 code units: at most ${NAME_UNITS} fit (an emoji takes two or more)`;
  }
  if (name.includes("\0")) return "a name with the character U+0000, which ends a name";
  return hasLoneSurrogate(name) ? "a name with half a surrogate pair" : undefined;
}

/** Whether a name has a surrogate without its other half. */
export function hasLoneSurrogate(name: string): boolean {
  return LONE_SURROGATE.test(name);
}

/** The code units of a name, filled up with zeros. */
export function nameUnits(name: string): number[] {
  return Array.from({ length: NAME_UNITS }, (_, index) => name.charCodeAt(index) || 0);
}

/** The name up to its terminator. */
export function nameFromUnits(units: readonly number[]): string {
  const end = units.indexOf(0);
  return codeUnitText(end < 0 ? units : units.slice(0, end));
}
