import type { PartFormat } from "./parts.ts";

// Frames of zstd (RFC 8878 §3.1.1), one for each part. Those that need no compression are made here.

const MAGIC = 0xfd2fb528;
/** The content size is given in eight bytes, a window is given, there is no checksum. */
const DESCRIPTOR = 0xc0;
/** A window of 1 MiB: 2^(10 + 10). */
const WINDOW = 10 << 3;
const HEADER = 14;
const LARGEST_BLOCK = 128 * 1024;
const RAW_BLOCK = 0;
const REPEATED_BLOCK = 1;

/** A frame for each part. */
export function zstdFormat(): PartFormat {
  return {
    head: () => new Uint8Array(0),
    part: (raw, packed) => (packed === undefined ? storedFrame(raw) : [packed]),
    zeros: (length) => [zerosFrame(length)],
    // Something must be there, even of nothing.
    tail: (isEmpty) => (isEmpty ? zerosFrame(0) : new Uint8Array(0)),
  };
}

function frameHeader(length: number): Uint8Array {
  const header = new Uint8Array(HEADER);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC, true);
  header[4] = DESCRIPTOR;
  header[5] = WINDOW;
  view.setBigUint64(6, BigInt(length), true);
  return header;
}

function blockHeader(length: number, type: number, isLast: boolean): Uint8Array {
  const value = (length << 3) | (type << 1) | (isLast ? 1 : 0);
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, value >>> 16);
}

function storedFrame(raw: Uint8Array): Uint8Array[] {
  const pieces = [frameHeader(raw.length)];
  for (let at = 0; at < raw.length; at += LARGEST_BLOCK) {
    const piece = raw.subarray(at, at + LARGEST_BLOCK);
    pieces.push(blockHeader(piece.length, RAW_BLOCK, at + piece.length === raw.length), piece);
  }
  return pieces;
}

/** A frame of zeros: each block is a zero and how often it is repeated. */
function zerosFrame(length: number): Uint8Array {
  const blocks = Math.max(1, Math.ceil(length / LARGEST_BLOCK));
  const frame = new Uint8Array(HEADER + 4 * blocks);
  frame.set(frameHeader(length));
  for (let block = 0; block < blocks; block++) {
    const rest = Math.min(LARGEST_BLOCK, length - block * LARGEST_BLOCK);
    frame.set(blockHeader(rest, REPEATED_BLOCK, block === blocks - 1), HEADER + 4 * block);
  }
  return frame;
}
