import { formatBytes } from "../bytes/index.ts";
import { xxhash, zstdChecksum } from "../packing/index.ts";
import { StreamTarInput } from "./tar-input.ts";

// Frames (RFC 8878 §3.1) are told apart here and unpacked one by one: the decoder of Node drops all but the first
// (nodejs/node#64741). The package, for versions of Node without one, checks no checksum and takes any window.

const MAGIC = 0xfd2fb528;
const MAGIC_BYTES = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);
const SKIPPABLE_MAGIC = 0x184d2a50;
/** What the program zstd takes without being told to. */
const LARGEST_WINDOW = 128 * 1024 * 1024;
const LARGEST_BLOCK = 128 * 1024;
const BLOCK_HEADER = 3;
const RLE_BLOCK = 1;
const COMPRESSED_BLOCK = 2;

/** Unpacks one frame, which comes in pieces. */
export type FrameUnpacker = (pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** What zstd data holds. Damage is an Error. Without an unpacker that checks its checksum, the package is used. */
export async function* unpackZstd(
  source: AsyncIterable<Uint8Array>,
  unpacker: FrameUnpacker | undefined,
): AsyncGenerator<Uint8Array> {
  const input = new StreamTarInput(source);
  for (;;) {
    const start = await input.read(4);
    if (start.length === 0) return;
    const number = viewOf(complete(start, 4)).getUint32(0, true);
    if ((number & 0xfffffff0) === SKIPPABLE_MAGIC) {
      const size = viewOf(complete(await input.read(4), 4)).getUint32(0, true);
      if ((await input.skip(size)) < size) throw cutOff();
    } else if (number === MAGIC) {
      const frame = await readHeader(input);
      yield* unpacker === undefined ? unpackByPackage(frame, input) : unpacker(framePieces(frame, input));
    } else throw new Error("what follows is no frame of zstd");
  }
}

async function* framePieces(frame: FrameHeader, input: StreamTarInput): AsyncGenerator<Uint8Array> {
  yield frame.bytes;
  yield* blocks(input);
  if (frame.hasChecksum) yield await readChecksum(input);
}

async function* unpackByPackage(
  { bytes, hasChecksum }: FrameHeader,
  input: StreamTarInput,
): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import("fzstd");
  const unpacked: Uint8Array[] = [];
  const decompress = new Decompress((part) => unpacked.push(part));
  const hash = hasChecksum ? (await xxhash()).create64() : undefined;
  const ready = function* (): Generator<Uint8Array> {
    for (const part of unpacked.splice(0)) {
      hash?.update(part);
      if (part.length > 0) yield part;
    }
  };
  // The package keeps a chunk that ends with a block for good. So none does: its last byte comes with the next.
  let held = bytes;
  for await (const block of blocks(input)) {
    const joined = Buffer.concat([held, block]);
    held = Uint8Array.of(joined.at(-1)!);
    decompress.push(joined.subarray(0, -1));
    yield* ready();
  }
  const checksum = hasChecksum ? await readChecksum(input) : new Uint8Array(0);
  decompress.push(Buffer.concat([held, checksum]), true);
  yield* ready();
  if (hash !== undefined && zstdChecksum(hash.digest()) !== viewOf(checksum).getUint32(0, true))
    throw new Error("a checksum does not match");
}

interface FrameHeader {
  /** All of it, with the magic number. */
  readonly bytes: Uint8Array;
  readonly hasChecksum: boolean;
}

async function* blocks(input: StreamTarInput): AsyncGenerator<Uint8Array> {
  for (let isLast = false; !isLast; ) {
    const block = await readBlock(input);
    isLast = (block[0]! & 1) === 1;
    yield block;
  }
}

async function readChecksum(input: StreamTarInput): Promise<Uint8Array> {
  return complete(await input.read(4), 4).slice();
}

/** The header of a frame behind its magic number. */
async function readHeader(input: StreamTarInput): Promise<FrameHeader> {
  const descriptor = complete(await input.read(1), 1)[0]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const dictionaryLength = [0, 1, 2, 4][descriptor & 3]!;
  const sizeLength = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  const sizeAt = (isSingleSegment ? 0 : 1) + dictionaryLength;
  const rest = complete(await input.read(sizeAt + sizeLength), sizeAt + sizeLength);
  const dictionary = rest.subarray(sizeAt - dictionaryLength, sizeAt);
  if (dictionary.some((byte) => byte !== 0)) throw new Error("it needs a dictionary");
  // Without a window of its own, all of the frame is one.
  const window = isSingleSegment ? contentSize(rest.subarray(sizeAt)) : windowSize(rest[0]!);
  if (window > LARGEST_WINDOW) {
    throw new Error(
      `it needs a window of ${formatBytes(window)}, the limit is ${formatBytes(LARGEST_WINDOW)}: unpack it first`,
    );
  }
  return {
    bytes: Buffer.concat([MAGIC_BYTES, Uint8Array.of(descriptor), rest]),
    hasChecksum: (descriptor & 4) !== 0,
  };
}

function windowSize(byte: number): number {
  const base = 2 ** (10 + (byte >> 3));
  return base + (base / 8) * (byte & 7);
}

function contentSize(bytes: Uint8Array): number {
  const size = bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
  return bytes.length === 2 ? size + 256 : size;
}

/** A block, with its header. */
async function readBlock(input: StreamTarInput): Promise<Uint8Array> {
  const start = complete(await input.read(BLOCK_HEADER), BLOCK_HEADER);
  const number = start[0]! | (start[1]! << 8) | (start[2]! << 16);
  const type = (number >> 1) & 3;
  const size = number >> 3;
  if (type > COMPRESSED_BLOCK || size > LARGEST_BLOCK) throw new Error("a block is impossible");
  const length = type === RLE_BLOCK ? 1 : size;
  const block = new Uint8Array(BLOCK_HEADER + length);
  block.set(start);
  block.set(complete(await input.read(length), length), BLOCK_HEADER);
  return block;
}

function complete(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length < length) throw cutOff();
  return bytes;
}

function cutOff(): Error {
  return new Error("unexpected end");
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
