import type { WrittenName } from "./names.ts";

// Patterns of one name of a path, as fnmatch(3) has them: * ? [a-z] [!a-z].

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const BANG = 0x21;
const CARET = 0x5e;
const DASH = 0x2d;

/** Whether a name holds characters of a pattern that were not written with a backslash. */
export function isPattern({ bytes, isEscaped }: WrittenName): boolean {
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if ((byte === STAR || byte === QUESTION || byte === OPEN) && !isEscaped[index]) return true;
  }
  return false;
}

/** Whether a pattern matches a whole name. Takes at most the product of their lengths in steps. */
export function matchesName(pattern: WrittenName, name: Uint8Array): boolean {
  const { bytes, isEscaped } = pattern;
  let at = 0;
  let position = 0;
  let starAt = -1;
  let starPosition = 0;
  while (position < name.length) {
    const isPlain = isEscaped[at] === true;
    if (at < bytes.length && !isPlain && bytes[at] === STAR) {
      starAt = at++;
      starPosition = position;
      continue;
    }
    const length = at < bytes.length ? matchLength(pattern, at, name[position]!) : 0;
    if (length > 0) {
      at += length;
      position++;
    } else if (starAt >= 0) {
      // The star takes one more byte.
      at = starAt + 1;
      position = ++starPosition;
    } else return false;
  }
  while (at < bytes.length && bytes[at] === STAR && !isEscaped[at]) at++;
  return at === bytes.length;
}

/** How much of the pattern from `at` on matches a byte; 0 when it does not. */
function matchLength({ bytes, isEscaped }: WrittenName, at: number, byte: number): number {
  if (isEscaped[at]) return bytes[at] === byte ? 1 : 0;
  if (bytes[at] === QUESTION) return 1;
  const end = bytes[at] === OPEN ? closing(bytes, at) : -1;
  if (end < 0) return bytes[at] === byte ? 1 : 0;
  let index = at + 1;
  const isNegated = bytes[index] === BANG || bytes[index] === CARET;
  if (isNegated) index++;
  let isIn = false;
  for (; index < end; index++) {
    const isRange = bytes[index + 1] === DASH && index + 2 < end;
    if (isRange ? bytes[index]! <= byte && byte <= bytes[index + 2]! : bytes[index] === byte) isIn = true;
    if (isRange) index += 2;
  }
  return isIn !== isNegated ? end + 1 - at : 0;
}

/** Where the bracket that opens at `at` closes; a bracket right behind it belongs to the set. */
function closing(bytes: Uint8Array, at: number): number {
  let from = at + 1;
  if (bytes[from] === BANG || bytes[from] === CARET) from++;
  return bytes.indexOf(CLOSE, from + 1);
}
