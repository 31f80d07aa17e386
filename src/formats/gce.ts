import { utf8 } from "../bytes/index.ts";

// The tar around a disk for Google's cloud: one file named disk.raw, in the old format of GNU tar.

const BLOCK = 512;
/** GNU tar writes so many blocks at a time, and so long is every tar. */
const BLOCKING = 20 * BLOCK;

/** Where the fields of a header lie (POSIX.1-1988, and what GNU tar makes of it). */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  magic: [257, 8],
} as const;

/** The header of a regular file `disk.raw` of `size` bytes, of a time in seconds since 1970. */
export function gceTarHeader(size: number, time: number): Uint8Array {
  const header = new Uint8Array(BLOCK);
  const put = (name: keyof typeof FIELD, text: string): void => header.set(utf8(text), FIELD[name][0]);
  put("name", "disk.raw");
  put("mode", octal(0o644, 7));
  put("uid", octal(0, 7));
  put("gid", octal(0, 7));
  if (size < 8 ** 11) put("size", octal(size, 11));
  else putLarge(header, FIELD.size[0], size);
  put("mtime", octal(Math.max(0, time), 11));
  put("type", "0");
  put("magic", "ustar  \0");
  // The checksum is that of a header with blanks in its place.
  put("checksum", " ".repeat(8));
  const sum = header.reduce((total, byte) => total + byte, 0);
  put("checksum", `${octal(sum, 6)}\0 `);
  return header;
}

/** What follows the content: zeros to the next block, two blocks of zeros, and as many as GNU tar adds. */
export function gceTarEnd(size: number): Uint8Array {
  const content = BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  return new Uint8Array(Math.ceil((content + 2 * BLOCK) / BLOCKING) * BLOCKING - BLOCK - size);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

/** GNU tar's way to store what is too large for octal digits: a set bit, then the number itself. */
function putLarge(header: Uint8Array, offset: number, value: number): void {
  header[offset] = 0x80;
  new DataView(header.buffer).setBigUint64(offset + 4, BigInt(value));
}
