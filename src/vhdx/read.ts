import { formatBytes } from "../bytes/index.ts";
import { type Disk, type UnitRun, unitDisk } from "../container/index.ts";
import { type ByteSource, readExactly } from "../extents/index.ts";
import { BAT_ENTRY, BLOCK_STATES, batEntries, batIndex, blockAt, chunkRatioOf } from "./bat.ts";
import { Claims } from "./claims.ts";
import { type Region, readHeaderSection } from "./header-section.ts";
import { type Metadata, readMetadata } from "./metadata.ts";
import { damaged } from "./refuse.ts";
import { FILE_SIGNATURE } from "./structures.ts";

/**
 * Opens a VHDX; `undefined` when the file is none.
 *
 * @throws DiskwrightError `CORRUPT` for one that breaks the rules, `UNSUPPORTED_IMAGE` for a kind that is not read.
 */
export async function openVhdx(file: ByteSource): Promise<Disk | undefined> {
  if (file.size < FILE_SIGNATURE.length) return undefined;
  const signature = await file.read(0, FILE_SIGNATURE.length);
  if (!FILE_SIGNATURE.every((byte, index) => byte === signature[index])) return undefined;
  const claims = new Claims(file.size);
  const { bat, metadata, problems } = await readHeaderSection(file, claims);
  const disk = await readMetadata(file, metadata);
  const table = new Bat(file, bat, disk);
  const blocksAllocated = await table.check(claims);
  return unitDisk({
    format: "vhdx",
    file,
    size: disk.size,
    unitSize: disk.blockSize,
    problems,
    details: {
      variant: disk.isFixed ? "fixed" : "dynamic",
      blockSize: disk.blockSize,
      blocksAllocated,
      logicalSectorSize: disk.sectors.logical,
      physicalSectorSize: disk.sectors.physical,
      uuid: disk.id,
    },
    sectors: disk.sectors,
    run: (block) => table.run(block),
  });
}

/** How much of the table is in memory, in entries. With blocks of 1 MiB, that of 64 TiB takes 512 MiB. */
const PART = 8192;

/** Some entries of the table, from the one with the number `first` on. */
interface BatPart {
  readonly first: number;
  readonly view: DataView;
}

/** The block allocation table of a file. */
class Bat {
  readonly #file: ByteSource;
  readonly #offset: number;
  readonly #disk: Metadata;
  readonly #chunkRatio: number;
  readonly #entries: number;
  #part: BatPart | undefined;

  constructor(file: ByteSource, { offset, length }: Region, disk: Metadata) {
    this.#file = file;
    this.#offset = offset;
    this.#disk = disk;
    const blocks = Math.ceil(disk.size / disk.blockSize);
    this.#chunkRatio = chunkRatioOf(disk.blockSize, disk.sectors.logical);
    this.#entries = batEntries(blocks, this.#chunkRatio);
    if (BAT_ENTRY * this.#entries > length) {
      damaged(
        `its block allocation table has ${formatBytes(length)}, but ${blocks} blocks take ${BAT_ENTRY * this.#entries}`,
      );
    }
  }

  /** Checks every entry, takes the places of blocks, and counts those. */
  async check(claims: Claims): Promise<number> {
    const { size, blockSize } = this.#disk;
    let allocated = 0;
    for (let first = 0; first < this.#entries; first += PART) {
      const { view } = await this.#read(first);
      for (let index = first; index < first + view.byteLength / BAT_ENTRY; index++) {
        const low = view.getUint32(BAT_ENTRY * (index - first), true);
        // Most blocks of large disks were never written.
        if (low === 0) continue;
        // Entries of bitmaps have a meaning in differences only.
        if (index % (this.#chunkRatio + 1) === this.#chunkRatio) continue;
        const block = blockAt(index, this.#chunkRatio);
        checkEntry(low, block);
        if ((low & 7) !== BLOCK_STATES.fullyPresent) continue;
        // qemu once wrote files that end with the disk, and not with its last block.
        const length = Math.min(blockSize, size - block * blockSize);
        claims.take(placeOf(view, index - first), length, `block ${block} of the disk`);
        allocated++;
      }
    }
    return allocated;
  }

  /** Where blocks from `first` on are, as far as their entries lie together in a chunk and a part of the table. */
  async run(first: number): Promise<UnitRun> {
    const { blockSize } = this.#disk;
    const index = batIndex(first, this.#chunkRatio);
    const { first: start, view } = await this.#partOf(index);
    const inChunk = this.#chunkRatio - (first % this.#chunkRatio);
    const units = Math.min(inChunk, view.byteLength / BAT_ENTRY - (index - start));
    const stored = (unit: number): number | undefined => storedAt(view, index - start + unit);
    const position = stored(0);
    let run = 1;
    if (position === undefined) {
      while (run < units && stored(run) === undefined) run++;
      return { type: "zeros", units: run };
    }
    while (run < units && stored(run) === position + run * blockSize) run++;
    return { type: "plain", units: run, position };
  }

  async #partOf(index: number): Promise<BatPart> {
    const first = index - (index % PART);
    const part = this.#part?.first === first ? this.#part : await this.#read(first);
    this.#part = part;
    return part;
  }

  async #read(first: number): Promise<BatPart> {
    const bytes = await readExactly(
      this.#file,
      this.#offset + BAT_ENTRY * first,
      BAT_ENTRY * Math.min(PART, this.#entries - first),
      "the block allocation table of the vhdx file",
    );
    return { first, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
  }
}

/** Checks the lower half of an entry (§2.5.1). */
function checkEntry(low: number, block: number): void {
  const state = low & 7;
  if (state === BLOCK_STATES.partiallyPresent) {
    damaged(`block ${block} of the disk is partially present, but there is no other disk to have the rest`);
  }
  if (state > BLOCK_STATES.unmapped && state !== BLOCK_STATES.fullyPresent) {
    damaged(`block ${block} of the disk has state ${state}, which does not exist`);
  }
  if ((low & 0xffff8) !== 0) damaged(`the entry of block ${block} of the disk has bits that are reserved`);
}

/** Where a block is, in bytes; `undefined` when it reads as zeros. */
function storedAt(view: DataView, index: number): number | undefined {
  const state = view.getUint32(BAT_ENTRY * index, true) & 7;
  return state === BLOCK_STATES.fullyPresent ? placeOf(view, index) : undefined;
}

/** The place in an entry, in bytes. One that is no exact number any more is beyond every file. */
function placeOf(view: DataView, index: number): number {
  const low = view.getUint32(BAT_ENTRY * index, true);
  return view.getUint32(BAT_ENTRY * index + 4, true) * 2 ** 32 + (low - (low % 2 ** 20));
}
