import { formatBytes } from "../bytes/index.ts";
import { type Disk, unitDisk } from "../container/index.ts";
import type { ByteSource } from "../extents/index.ts";
import { ChunkTable } from "./chunks.ts";
import { damaged, unsupported } from "./refuse.ts";
import {
  CHUNK_TYPES,
  type ChunkHeader,
  chunkHeader,
  FILL_SIZE,
  SPARSE_MAGIC,
  SPARSE_MAJOR_VERSION,
  type SparseHeader,
  sparseHeader,
} from "./structures.ts";

/** The largest block that is read; all that is known has 4 KiB, or that of a flash chip. */
const LARGEST_BLOCK = 16 * 1024 * 1024;

/** The most chunks that are read: 200 MiB in memory. A file whose every other block of 4 KiB has content has 64 GiB. */
const MOST_CHUNKS = 2 ** 24;

/**
 * Opens an Android sparse image; `undefined` when the file is none. Blocks that nobody cares about read as zeros.
 * Checksums are not looked at: no program writes them, and they would take a reading of the whole disk.
 *
 * @throws DiskwrightError `CORRUPT` for one that breaks the rules, `UNSUPPORTED_IMAGE` for a kind that is not read.
 */
export async function openSimg(file: ByteSource): Promise<Disk | undefined> {
  if (file.size < sparseHeader.span) return undefined;
  const header = sparseHeader.fromBytes(await file.read(0, sparseHeader.span));
  if (header.magic !== SPARSE_MAGIC) return undefined;
  checkHeader(header, file.size);
  const { blockSize, blocks } = header;
  const { table, end } = await readChunks(file, header);
  if (table.blocks !== blocks) {
    damaged(`its chunks have ${table.blocks} blocks, its header tells of ${blocks}`);
  }
  const size = blocks * blockSize;
  return unitDisk({
    format: "android-sparse",
    file,
    size,
    unitSize: blockSize,
    problems:
      end < file.size
        ? [`${formatBytes(file.size - end)} lie behind the last chunk of the android-sparse file`]
        : [],
    details: { blockSize, chunks: header.chunks },
    run: (block) => table.run(block, size, blockSize),
  });
}

function checkHeader(header: SparseHeader, fileSize: number): void {
  const { majorVersion, minorVersion, headerSize, chunkHeaderSize, blockSize, blocks, chunks } = header;
  if (majorVersion !== SPARSE_MAJOR_VERSION) {
    unsupported(`it has version ${majorVersion}.${minorVersion}, 1.0 is read`);
  }
  // Longer headers are those of later versions, which begin like these.
  if (headerSize < sparseHeader.span) damaged(`its header has ${headerSize} bytes`);
  if (chunkHeaderSize < chunkHeader.span) damaged(`the headers of its chunks have ${chunkHeaderSize} bytes`);
  if (blockSize === 0 || blockSize % 4 !== 0) {
    damaged(`its blocks have ${formatBytes(blockSize)}, which is no multiple of 4`);
  }
  if (blockSize > LARGEST_BLOCK) unsupported(`its blocks have ${formatBytes(blockSize)}, 16 MiB are read`);
  if (blocks * blockSize > Number.MAX_SAFE_INTEGER) {
    damaged(`a disk of ${blocks} blocks of ${formatBytes(blockSize)} is larger than any`);
  }
  if (headerSize + chunks * chunkHeaderSize > fileSize) {
    damaged(`${chunks} chunks do not fit in its ${formatBytes(fileSize)}: it was cut off`);
  }
  if (chunks > MOST_CHUNKS) unsupported(`it has ${chunks} chunks, ${MOST_CHUNKS} are read`);
}

/** Reads the headers of all chunks; `end` is where the last one ends, in bytes. */
async function readChunks(
  file: ByteSource,
  { headerSize, chunkHeaderSize, blockSize, blocks, chunks }: SparseHeader,
): Promise<{ table: ChunkTable; end: number }> {
  const table = new ChunkTable();
  const window = new ReadWindow(file);
  let position = headerSize;
  for (let number = 0; number < chunks; number++) {
    const view = await window.at(position, chunkHeaderSize);
    const chunk: ChunkHeader = {
      type: view.getUint16(0, true),
      reserved: view.getUint16(2, true),
      blocks: view.getUint32(4, true),
      size: view.getUint32(8, true),
    };
    const start = position + chunkHeaderSize;
    const what = `chunk ${number} at byte ${position}`;
    checkChunk(chunk, what, chunkHeaderSize, blockSize);
    if (chunk.blocks > blocks - table.blocks) damaged(`${what} goes beyond the ${blocks} blocks of the disk`);
    if (position + chunk.size > file.size) {
      damaged(`${what} has ${formatBytes(chunk.size)}, but the file ends at ${file.size}: it was cut off`);
    }
    if (chunk.type === CHUNK_TYPES.raw) table.addRaw(chunk.blocks, start);
    else if (chunk.type === CHUNK_TYPES.dontCare) table.addFill(chunk.blocks, 0);
    else if (chunk.type === CHUNK_TYPES.fill) {
      table.addFill(chunk.blocks, (await window.at(start, FILL_SIZE)).getUint32(0, true));
    }
    position += chunk.size;
  }
  return { table, end: position };
}

/** A chunk takes the bytes that its kind and its blocks ask for. */
function checkChunk(
  { type, blocks, size }: ChunkHeader,
  what: string,
  headerSize: number,
  blockSize: number,
): void {
  const fail = (reason: string): never => damaged(`${what} ${reason}`);
  const expected =
    type === CHUNK_TYPES.raw
      ? blocks * blockSize
      : type === CHUNK_TYPES.dontCare
        ? 0
        : type === CHUNK_TYPES.fill || type === CHUNK_TYPES.crc32
          ? FILL_SIZE
          : fail(`is of type 0x${type.toString(16)}, which does not exist`);
  if (size !== headerSize + expected) {
    fail(`has ${formatBytes(size)}, but its ${blocks} blocks ask for ${headerSize + expected}`);
  }
  if (type === CHUNK_TYPES.crc32 && blocks !== 0) fail(`is a checksum and has ${blocks} blocks`);
}

/** How much is read for headers at a time: those of chunks without content lie close together. */
const WINDOW = 512;

/** Reads small pieces of a file in ascending order, several of them at a time. */
class ReadWindow {
  readonly #file: ByteSource;
  #start = 0;
  #bytes = new Uint8Array(0);

  constructor(file: ByteSource) {
    this.#file = file;
  }

  /** At least `length` bytes from `position`. */
  async at(position: number, length: number): Promise<DataView> {
    if (position + length > this.#start + this.#bytes.length) {
      if (position + length > this.#file.size) {
        damaged(
          `a chunk should start at byte ${position}, but the file ends at ${this.#file.size}: it was cut off`,
        );
      }
      const wanted = Math.min(this.#file.size - position, Math.max(length, WINDOW));
      this.#bytes = Uint8Array.from(await this.#file.read(position, wanted));
      this.#start = position;
    }
    return new DataView(this.#bytes.buffer, position - this.#start);
  }
}
