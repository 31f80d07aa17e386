import { formatBytes, formatSize, MIB } from "../bytes/index.ts";
import type { UnitRun } from "../container/index.ts";
import { type ByteSource, readExactly } from "../extents/index.ts";
import { damaged, unsupported } from "./refuse.ts";
import {
  BLOCK_FREE,
  bitmapSize,
  checksumOf,
  HEADER_COOKIE,
  VHD_VERSION,
  type VhdHeader,
  vhdHeader,
} from "./structures.ts";

const SECTOR = 512;

/** What one byte of a block's bitmap tells of, and the smallest block that is read. */
const UNIT = 8 * SECTOR;

/** The largest table that is read: at the usual size of blocks that of 2040 GiB takes 4 MiB. */
const LARGEST_TABLE = 64 * MIB;

/** How many free blocks are told of in one go: looking for their end must not cost more than small reads. */
const MOST_FREE = 8192;

/**
 * The blocks of a dynamic VHD. Before each lies a bitmap: a sector whose bit is not set was never written, and
 * reads as zeros (Dynamic Hard Disk Image, "Block Allocation Table and Data Blocks"). qemu does not look at it,
 * VirtualBox and Xen do; files that Xen keeps on raw devices have something else in such sectors.
 */
export class DynamicBlocks {
  /** Bytes of what {@link run} counts. */
  readonly unitSize = UNIT;
  /** Bytes of a block. */
  readonly blockSize: number;
  /** Blocks that the file has. */
  readonly allocated: number;
  readonly #file: ByteSource;
  readonly #size: number;
  readonly #table: DataView;
  #bitmap: { readonly block: number; readonly bytes: Uint8Array } | undefined;

  /**
   * Reads and checks the header at `headerOffset` and the table. `end` is where blocks must have ended.
   *
   * @throws DiskwrightError `CORRUPT` or `UNSUPPORTED_IMAGE`.
   */
  static async open(
    file: ByteSource,
    headerOffset: bigint,
    size: number,
    end: number,
  ): Promise<DynamicBlocks> {
    const bytes = await readExactly(
      file,
      offsetIn(file, headerOffset, "header"),
      vhdHeader.span,
      "the header of the vpc file",
    );
    const header = vhdHeader.fromBytes(bytes);
    checkHeader(header, bytes, size);
    const tableOffset = offsetIn(file, header.tableOffset, "block allocation table");
    // Some versions of qemu made one entry too many; what is behind the disk is not looked at.
    const length = 4 * Math.ceil(size / header.blockSize);
    const table = await readExactly(file, tableOffset, length, "the block allocation table of the vpc file");
    const places = placesIn(table);
    checkPlaces(places, header.blockSize, end, [
      ["its footer", 0, SECTOR],
      ["its header", Number(headerOffset), vhdHeader.span],
      ["its table", tableOffset, length],
    ]);
    return new DynamicBlocks(file, size, header.blockSize, table, places.length);
  }

  private constructor(
    file: ByteSource,
    size: number,
    blockSize: number,
    table: Uint8Array,
    allocated: number,
  ) {
    this.#file = file;
    this.#size = size;
    this.blockSize = blockSize;
    this.#table = viewOf(table);
    this.allocated = allocated;
  }

  /** Where units from `first` on are: up to the end of their block, or as far as blocks are free. */
  async run(first: number): Promise<UnitRun> {
    const unitsInBlock = this.blockSize / UNIT;
    const block = Math.floor(first / unitsInBlock);
    const start = first - block * unitsInBlock;
    if (this.#entry(block) === BLOCK_FREE)
      return { type: "zeros", units: this.#freeFrom(block) * unitsInBlock - start };
    const bitmap = await this.#bitmapOf(block);
    const bits = bitmap[start]!;
    const position = this.#entry(block) * SECTOR + bitmap.length + start * UNIT;
    if (bits !== 0 && bits !== 0xff) {
      return { type: "packed", units: 1, unpack: () => this.#readSectors(position, first, bits) };
    }
    let units = 1;
    while (start + units < unitsInBlock && bitmap[start + units] === bits) units++;
    return bits === 0 ? { type: "zeros", units } : { type: "plain", units, position };
  }

  #entry(block: number): number {
    return this.#table.getUint32(4 * block);
  }

  #freeFrom(block: number): number {
    const most = Math.min(MOST_FREE, this.#table.byteLength / 4 - block);
    let count = 1;
    while (count < most && this.#entry(block + count) === BLOCK_FREE) count++;
    return count;
  }

  async #bitmapOf(block: number): Promise<Uint8Array> {
    if (this.#bitmap?.block !== block) {
      const bytes = await this.#file.read(this.#entry(block) * SECTOR, bitmapSize(this.blockSize));
      // What a source hands out may be its own memory.
      this.#bitmap = { block, bytes: Uint8Array.from(bytes) };
    }
    return this.#bitmap.bytes;
  }

  /** A unit of which some sectors are there: the first sector has the highest bit. */
  async #readSectors(position: number, unit: number, bits: number): Promise<Uint8Array> {
    const length = Math.min(UNIT, this.#size - unit * UNIT);
    const sectors = Uint8Array.from(await this.#file.read(position, length));
    for (let sector = 0; sector < length / SECTOR; sector++) {
      if (((bits << sector) & 0x80) === 0) sectors.fill(0, sector * SECTOR, (sector + 1) * SECTOR);
    }
    return sectors;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The first sectors of all blocks that the file has, in ascending order. */
function placesIn(table: Uint8Array): Uint32Array {
  const view = viewOf(table);
  const places = new Uint32Array(table.length / 4);
  let count = 0;
  for (let block = 0; block < places.length; block++) {
    const place = view.getUint32(4 * block);
    if (place !== BLOCK_FREE) places[count++] = place;
  }
  return places.subarray(0, count).sort();
}

/** Every block is in the file, and apart from everything else in it. */
function checkPlaces(
  places: Uint32Array,
  blockSize: number,
  end: number,
  taken: readonly (readonly [name: string, start: number, length: number])[],
): void {
  const stride = bitmapSize(blockSize) + blockSize;
  let free = 0;
  for (const place of places) {
    const start = place * SECTOR;
    if (start + stride > end) {
      damaged(
        `a block lies at bytes ${start} to ${start + stride}, but blocks end at ${end}: the file was cut off, or its table is wrong`,
      );
    }
    if (start < free) damaged(`its table places two blocks at byte ${start}`);
    for (const [name, from, length] of taken) {
      if (start < from + length && from < start + stride) damaged(`a block at byte ${start} lies in ${name}`);
    }
    free = start + stride;
  }
}

/** A position in the file as a number. */
function offsetIn(file: ByteSource, offset: bigint, what: string): number {
  if (offset > BigInt(file.size)) {
    damaged(`its ${what} should start at byte ${offset}, but the file ends at ${file.size}: it was cut off`);
  }
  return Number(offset);
}

function checkHeader(header: VhdHeader, bytes: Uint8Array, size: number): void {
  const { version, blockSize, tableEntries } = header;
  if (!HEADER_COOKIE.every((byte, index) => byte === header.cookie[index])) {
    damaged("there is no header where its footer says");
  }
  if (checksumOf(bytes, vhdHeader.offsetOf("checksum")) !== header.checksum) {
    damaged("the checksum of its header is wrong");
  }
  if (version >>> 16 !== VHD_VERSION >>> 16) {
    unsupported(`its header has version ${version >>> 16}.${version & 0xffff}, 1.0 is read`);
  }
  if (blockSize === 0 || !Number.isInteger(Math.log2(blockSize))) {
    damaged(`its blocks have ${formatBytes(blockSize)}, which is no power of two`);
  }
  if (blockSize < UNIT) unsupported(`its blocks have ${formatBytes(blockSize)}, 4 KiB and more are read`);
  const blocks = Math.ceil(size / blockSize);
  if (tableEntries < blocks) {
    damaged(`its table has ${tableEntries} entries, but a disk of ${formatBytes(size)} has ${blocks} blocks`);
  }
  if (4 * blocks > LARGEST_TABLE) {
    unsupported(`its table has ${formatSize(4 * blocks)}, ${formatSize(LARGEST_TABLE)} are read`);
  }
}
