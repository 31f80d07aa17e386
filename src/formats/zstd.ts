import { zstdChecksum } from "../packing/index.ts";
import type { PartFormat } from "./parts.ts";

// Frames of zstd (RFC 8878 §3.1.1), one for each part. Those that need no compression are made here. All end with
// the checksum of what they hold.

const MAGIC = 0xfd2fb528;
/** Where the descriptor of a frame lies, and its bit that says that a checksum follows. */
const DESCRIPTOR_AT = 4;
const HAS_CHECKSUM = 0x04;
/** The content size is given in eight bytes, and a window. */
const DESCRIPTOR = 0xc0 | HAS_CHECKSUM;
/** A window of 1 MiB: 2^(10 + 10). */
const WINDOW = 10 << 3;
const HEADER = 14;
const CHECKSUM = 4;
const LARGEST_BLOCK = 128 * 1024;
const RAW_BLOCK = 0;
const REPEATED_BLOCK = 1;

/** XXH64, of bytes that come in pieces. */
interface Hash {
  update(bytes: Uint8Array): unknown;
  digest(): bigint;
}

/** A frame for each part. `newHash` makes an XXH64. */
export function zstdFormat(newHash: () => Hash): PartFormat {
  const framesOfZeros = zerosFrames(newHash);
  return {
    head: () => new Uint8Array(0),
    part(raw, packed, checksum): Uint8Array[] {
      const frame = packed === undefined ? storedFrame(raw) : checkedFrame(packed);
      return [...frame, checksumBytes(checksum!)];
    },
    zeros: (length) => [framesOfZeros(length)],
    // Something must be there, even of nothing.
    tail: (isEmpty) => (isEmpty ? framesOfZeros(0) : new Uint8Array(0)),
  };
}

/** A frame that says that a checksum follows; the one that was packed says that there is none. */
function checkedFrame(packed: Uint8Array): Uint8Array[] {
  const start = packed.slice(0, DESCRIPTOR_AT + 1);
  start[DESCRIPTOR_AT]! |= HAS_CHECKSUM;
  return [start, packed.subarray(start.length)];
}

function checksumBytes(checksum: number): Uint8Array {
  const bytes = new Uint8Array(CHECKSUM);
  new DataView(bytes.buffer).setUint32(0, checksum, true);
  return bytes;
}

function frameHeader(length: number): Uint8Array {
  const header = new Uint8Array(HEADER);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC, true);
  header[DESCRIPTOR_AT] = DESCRIPTOR;
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

/** Makes frames of zeros, each length once: the same ones come again and again. */
function zerosFrames(newHash: () => Hash): (length: number) => Uint8Array {
  const frames = new Map<number, Uint8Array>();
  return (length) => {
    let frame = frames.get(length);
    if (frame === undefined) {
      frame = zerosFrame(length, newHash());
      frames.set(length, frame);
    }
    return frame;
  };
}

/** A frame of zeros: each block is a zero and how often it is repeated. */
function zerosFrame(length: number, hash: Hash): Uint8Array {
  const zeros = new Uint8Array(LARGEST_BLOCK);
  const blocks = Math.max(1, Math.ceil(length / LARGEST_BLOCK));
  const frame = new Uint8Array(HEADER + 4 * blocks + CHECKSUM);
  frame.set(frameHeader(length));
  for (let block = 0; block < blocks; block++) {
    const rest = Math.min(LARGEST_BLOCK, length - block * LARGEST_BLOCK);
    frame.set(blockHeader(rest, REPEATED_BLOCK, block === blocks - 1), HEADER + 4 * block);
    hash.update(zeros.subarray(0, rest));
  }
  frame.set(checksumBytes(zstdChecksum(hash.digest())), frame.length - CHECKSUM);
  return frame;
}
