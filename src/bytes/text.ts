const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes, or `undefined` when they are not well-formed UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Characters that can make text look like something else: control characters of C0 and C1, which steer a terminal;
 * format characters (category Cf), which reverse the direction of what follows or cannot be seen at all, such as
 * U+202E, U+200B and U+FEFF; the separators of lines and paragraphs; and halves of surrogate pairs.
 */
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** The same without the end of a line. */
const DECEPTIVE_IN_LINES = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Bytes of a name or path that are shown in full: as many as a path of Linux can have (PATH_MAX). */
const SHOWN_IN_FULL = 4096;

/** How much of the start and of the end of a longer one is shown, in bytes. */
const SHOWN_OF_LONG = 256;

/**
 * Bytes as people can read them in a message, on one line: UTF-8 where it is well-formed, `\xNN` for other bytes.
 * Characters that can deceive a reader or steer a terminal are escaped as {@link printableText} does it. Of more than
 * 4096 bytes only the start and the end are shown, and how many lie between them.
 */
export function printable(bytes: Uint8Array): string {
  if (bytes.length > SHOWN_IN_FULL) {
    const start = characterStart(bytes, SHOWN_OF_LONG);
    const end = characterStart(bytes, bytes.length - SHOWN_OF_LONG);
    return `${printable(bytes.subarray(0, start))} … ${end - start} bytes … ${printable(bytes.subarray(end))}`;
  }
  const text = utf8Text(bytes);
  return text === undefined
    ? printableText(byteKey(bytes).replace(/[\x80-\xff]/g, byteEscape))
    : printableText(text);
}

/**
 * Text as people can read it in a message, on one line: control characters, marks of direction, invisible characters
 * and separators of lines are escaped, `\xNN` in ASCII and `\uNNNN` or `\u{NNNNN}` above.
 */
export function printableText(text: string): string {
  return text.replace(DECEPTIVE, escaped);
}

/** Like {@link printableText}, for text of several lines: their ends stay. */
export function printableLines(text: string): string {
  return text.replace(DECEPTIVE_IN_LINES, escaped);
}

/** JSON in which the same characters are escaped within strings, where alone they can be. Line ends stay. */
export function escapedJson(json: string): string {
  return json.replace(DECEPTIVE_IN_LINES, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}

/** Where the UTF-8 character begins that the byte at `position` belongs to. */
function characterStart(bytes: Uint8Array, position: number): number {
  let start = position;
  while (position - start < 3 && (bytes[start]! & 0xc0) === 0x80) start--;
  return start;
}

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  if (code < 0x80) return byteEscape(character);
  const digits = code.toString(16).padStart(4, "0");
  return digits.length === 4 ? `\\u${digits}` : `\\u{${digits}}`;
}

function byteEscape(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** Bytes as a string of the same length, one character for each byte: a key for maps. */
export function byteKey(bytes: Uint8Array): string {
  // To add characters one by one is quicker for short names only.
  if (bytes.length > SHORT_KEY && isAscii(bytes)) return strict.decode(bytes);
  if (bytes.length > CODES_AT_ONCE) return codeUnitText(bytes);
  let key = "";
  for (let index = 0; index < bytes.length; index++) key += String.fromCharCode(bytes[index]!);
  return key;
}

const SHORT_KEY = 24;

function isAscii(bytes: Uint8Array): boolean {
  let bits = 0;
  for (let index = 0; index < bytes.length; index++) bits |= bytes[index]!;
  return bits < 0x80;
}

/** So many arguments of a call are far from what a stack can hold. */
const CODES_AT_ONCE = 4096;

/** The text of UTF-16 code units, however many they are. Halves of surrogate pairs stay as they are. */
export function codeUnitText(units: Uint8Array | Uint16Array | readonly number[]): string {
  let text = "";
  for (let start = 0; start < units.length; start += CODES_AT_ONCE) {
    text += String.fromCharCode(...units.slice(start, start + CODES_AT_ONCE));
  }
  return text;
}

/** The order of bytes, as `memcmp` and then length give it: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = a[index]! - b[index]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Bytes as lower-case hexadecimal digits, two for each. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
