import { crc32Joiner } from "../bytes/index.ts";
import type { PartFormat } from "./parts.ts";

// One member of gzip (RFC 1952), whose deflate stream is put together of parts that were packed by themselves.

/** Magic, deflate, no flags, no time, no hint of the level, a system that is not known. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);

/** A last block of deflate with nothing in it. */
const LAST_BLOCK = Uint8Array.of(3, 0);

const LONGEST_STORED = 65_535;

/** gzip around parts of `partSize` bytes. */
export function gzipFormat(partSize: number): PartFormat {
  const joinWhole = crc32Joiner(partSize);
  let checksum = 0;
  let size = 0;
  return {
    head: () => HEADER,
    part(raw, packed, partChecksum): Uint8Array[] {
      const join = raw.length === partSize ? joinWhole : crc32Joiner(raw.length);
      checksum = join(checksum, partChecksum!);
      size += raw.length;
      return packed === undefined ? stored(raw) : [packed];
    },
    tail(): Uint8Array {
      const trailer = new Uint8Array(LAST_BLOCK.length + 8);
      trailer.set(LAST_BLOCK);
      const view = new DataView(trailer.buffer);
      view.setUint32(LAST_BLOCK.length, checksum, true);
      view.setUint32(LAST_BLOCK.length + 4, size % 2 ** 32, true);
      return trailer;
    },
  };
}

/** Blocks of deflate that hold bytes as they are (RFC 1951 §3.2.4). */
function stored(raw: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < raw.length; at += LONGEST_STORED) {
    const piece = raw.subarray(at, at + LONGEST_STORED);
    const header = new Uint8Array(5);
    const view = new DataView(header.buffer);
    view.setUint16(1, piece.length, true);
    view.setUint16(3, ~piece.length & 0xffff, true);
    pieces.push(header, piece);
  }
  return pieces;
}
