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
 * Bytes as people can read them in a message: UTF-8 where it is well-formed, `\xNN` for other bytes and for
 * control characters, so that a hostile name cannot steer a terminal.
 */
export function printable(bytes: Uint8Array): string {
  const text = utf8Text(bytes) ?? String.fromCharCode(...bytes).replace(/[\x80-\xff]/g, escaped);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\x00-\x1f\x7f\u0080-\u009f]/g, escaped);
}

function escaped(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** Bytes as a string of the same length, one character for each byte: a key for maps. */
export function byteKey(bytes: Uint8Array): string {
  let key = "";
  for (let index = 0; index < bytes.length; index++) key += String.fromCharCode(bytes[index]!);
  return key;
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
