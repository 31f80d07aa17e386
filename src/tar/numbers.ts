/**
 * A number in a field of a header: octal digits, with blanks or NULs before them and one of them behind, or, where
 * the first bit is set, a big-endian two's complement of all the bits but that one, as GNU tar has them.
 * `undefined` for what is neither, or not below 2^53. An empty field is 0.
 */
export function fieldNumber(field: Uint8Array): number | undefined {
  return field[0]! >= 0x80 ? binaryNumber(field) : octalNumber(field);
}

function octalNumber(field: Uint8Array): number | undefined {
  let at = 0;
  while (at < field.length && (field[at] === SPACE || field[at] === 0)) at++;
  let value = 0;
  for (; at < field.length && isOctal(field[at]!); at++) value = value * 8 + (field[at]! - ZERO);
  // What follows the end of the number means nothing.
  if (at < field.length && field[at] !== SPACE && field[at] !== 0) return undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}

function isOctal(byte: number): boolean {
  return byte >= ZERO && byte < ZERO + 8;
}

function binaryNumber(field: Uint8Array): number | undefined {
  const isNegative = (field[0]! & 0x40) !== 0;
  let value = BigInt(field[0]! & 0x7f);
  for (let at = 1; at < field.length; at++) value = (value << 8n) | BigInt(field[at]!);
  if (isNegative) value -= 1n << BigInt(8 * field.length - 1);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** A decimal number in text; `undefined` for what is none, or not below 2^53. */
export function decimalNumber(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A time: whole seconds since 1970, rounded towards the past, and nanoseconds after them. */
export interface TarTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/**
 * A time as pax has it: decimal seconds with any number of digits behind the point, of which nine count. Python's
 * tarfile writes a float as Python prints it, with an exponent where it is small or large: `1e-05`.
 */
export function paxTime(text: string): TarTime | undefined {
  const match = /^(-?)(\d+)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i.exec(text);
  if (match === null) return undefined;
  const [whole, fraction] = withPointMoved(match[2]!, match[3] ?? "", Number(match[4] ?? 0));
  const seconds = Number(whole);
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (!Number.isSafeInteger(seconds)) return undefined;
  if (match[1] === "") return { seconds, nanoseconds };
  // Before 1970, what is cut off makes a time earlier.
  const cut = /[1-9]/.test(fraction.slice(9)) ? 1 : 0;
  const behind = nanoseconds + cut;
  return behind === 0
    ? { seconds: seconds === 0 ? 0 : -seconds, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - behind };
}

/** The digits before and behind the point of a number, after multiplying it by a power of ten. */
function withPointMoved(whole: string, fraction: string, exponent: number): [string, string] {
  if (exponent >= 0) {
    return [whole + fraction.slice(0, exponent).padEnd(exponent, "0"), fraction.slice(exponent)];
  }
  const digits = whole.padStart(1 - exponent, "0");
  return [digits.slice(0, exponent), digits.slice(exponent) + fraction];
}

const SPACE = 0x20;
const ZERO = 0x30;
