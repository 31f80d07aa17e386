import { byteKey } from "../bytes/index.ts";

// Names in manifests are written as vis(3) writes them, so that every byte of a name can be told in ASCII.

const BACKSLASH = 0x5c;

/** What follows a backslash, in the C style of vis(3), and what it stands for. */
const C_STYLE: Readonly<Record<string, number>> = {
  a: 0x07,
  b: 0x08,
  t: 0x09,
  n: 0x0a,
  v: 0x0b,
  f: 0x0c,
  r: 0x0d,
  s: 0x20,
  "0": 0x00,
};

/** A name, and for each of its bytes whether it was written with a backslash; none are there when none was. */
export interface WrittenName {
  readonly bytes: Uint8Array;
  readonly isEscaped: readonly boolean[];
}

/** Reads a name or the target of a link; `undefined` when an escape means nothing. */
export function readName(text: Uint8Array): WrittenName | undefined {
  const bytes: number[] = [];
  const isEscaped: boolean[] = [];
  for (let at = 0; at < text.length; ) {
    if (text[at] !== BACKSLASH) {
      bytes.push(text[at++]!);
      isEscaped.push(false);
      continue;
    }
    const read = readEscape(text, at + 1);
    if (read === undefined) return undefined;
    at += 1 + read.length;
    bytes.push(read.byte);
    isEscaped.push(true);
  }
  return { bytes: Uint8Array.from(bytes), isEscaped };
}

function readEscape(
  text: Uint8Array,
  at: number,
): { readonly byte: number; readonly length: number } | undefined {
  const character = String.fromCharCode(text[at] ?? 0);
  const octal = /^[0-3][0-7]{2}/.exec(byteKey(text.subarray(at, at + 3)))?.[0];
  if (octal !== undefined) return { byte: Number.parseInt(octal, 8), length: 3 };
  if (character === "M") return readMeta(text, at);
  if (character === "^") return { byte: control(text[at + 1] ?? 0), length: 2 };
  const named = C_STYLE[character];
  if (named !== undefined) return { byte: named, length: 1 };
  // Anything else that is no letter or digit stands for itself: \# \* \\.
  return at < text.length && !/[A-Za-z0-9]/.test(character) ? { byte: text[at]!, length: 1 } : undefined;
}

/** `\M-x` sets the eighth bit, `\M^x` that of a control character. */
function readMeta(
  text: Uint8Array,
  at: number,
): { readonly byte: number; readonly length: number } | undefined {
  const kind = text[at + 1];
  const byte = text[at + 2];
  if (byte === undefined) return undefined;
  if (kind === 0x2d) return { byte: byte | 0x80, length: 3 };
  return kind === 0x5e ? { byte: control(byte) | 0x80, length: 3 } : undefined;
}

function control(byte: number): number {
  return byte === 0x3f ? 0x7f : byte & 0x1f;
}
