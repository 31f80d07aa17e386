/** Text as UTF-16, little-endian, with no NUL at its end. */
export function utf16Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(2 * text.length);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < text.length; index++) {
    view.setUint16(2 * index, text.charCodeAt(index), true);
  }
  return bytes;
}

/** The same with a NUL at its end. */
export function terminatedUtf16Bytes(text: string): Uint8Array {
  return utf16Bytes(`${text}\0`);
}

/**
 * The text of UTF-16 bytes before the first NUL, unit by unit: halves of surrogate pairs stay what they are.
 * `undefined` without a NUL.
 */
export function terminatedUtf16Text(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = "";
  for (let at = 0; at + 2 <= bytes.length; at += 2) {
    const unit = view.getUint16(at, true);
    if (unit === 0) return text;
    text += String.fromCharCode(unit);
  }
  return undefined;
}
