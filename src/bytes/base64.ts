const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES: ReadonlyMap<number, number> = new Map(
  Array.from(ALPHABET, (character, value) => [character.charCodeAt(0), value]),
);

/** The bytes that base64 text (RFC 4648 §4), itself as bytes, stands for; padding may be missing. */
export function base64Bytes(text: Uint8Array): Uint8Array | undefined {
  let end = text.length;
  while (end > 0 && text[end - 1] === PADDING && text.length - end < 2) end--;
  if (end % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((end * 3) / 4));
  let bits = 0;
  let collected = 0;
  let at = 0;
  for (let index = 0; index < end; index++) {
    const value = VALUES.get(text[index]!);
    if (value === undefined) return undefined;
    bits = ((bits << 6) | value) & 0xffff;
    collected += 6;
    if (collected < 8) continue;
    collected -= 8;
    bytes[at++] = (bits >> collected) & 0xff;
  }
  return bytes;
}

const PADDING = 0x3d;
