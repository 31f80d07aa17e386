import { utf8 } from "../bytes/index.ts";
import type { Target } from "../extents/index.ts";

// The block map of bmaptool, version 2.0: which blocks of an image count, with a checksum for each range of them, so
// that a writer copies only those to a card and notices damage. What no range covers keeps what the card held before:
// zeros that count are mapped like any other bytes.

/** Takes bytes and gives their SHA-256. */
export interface Hash {
  update(bytes: Uint8Array): void;
  /** 64 hexadecimal digits. */
  digest(): string;
}

/** Makes a new SHA-256. */
export type HashFactory = () => Hash;

/** Loads what hashes: only some formats need it. */
export type HashLoader = () => Promise<HashFactory>;

const BLOCK = 4096;
/** A range becomes no longer: 1 GiB, so that damage is found where it is. */
const LONGEST_RANGE = 2 ** 30 / BLOCK;

interface Range {
  readonly first: number;
  /** Inclusive. */
  readonly last: number;
  readonly checksum: string;
}

/**
 * A target that makes a block map in another target: of all blocks that something is written to, zeros included.
 */
export function bmapTarget(into: Target, hash: HashFactory): Target {
  const map = new BlockMap(hash);
  let size = 0;
  return {
    begin(total): void {
      size = total;
    },
    write: (position, bytes) => map.add(position, bytes),
    writeZeros: (position, length) => map.addZeros(position, length),
    async commit(): Promise<void> {
      map.end(size);
      const text = bmapText(size, map, hash);
      await into.begin(text.length);
      await into.write(0, text);
      await into.commit();
    },
    abort: () => into.abort(),
  };
}

/** Zeros that are hashed in one call. */
const ZEROS = new Uint8Array(64 * 1024);

/** The ranges of blocks that are mapped, in ascending order. */
class BlockMap {
  readonly ranges: Range[] = [];
  readonly #hash: HashFactory;
  #current: { readonly first: number; readonly hash: Hash } | undefined;
  /** Where the bytes that were hashed end. */
  #end = 0;
  /** The checksum of a range of zeros that has the greatest length. */
  #longestZeros: string | undefined;

  constructor(hash: HashFactory) {
    this.#hash = hash;
  }

  get mapped(): number {
    return this.ranges.reduce((blocks, { first, last }) => blocks + last - first + 1, 0);
  }

  add(position: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const { hash, room } = this.#rangeAt(position + done);
      const part = bytes.subarray(done, done + room);
      hash.update(part);
      this.#end += part.length;
      done += part.length;
    }
  }

  addZeros(position: number, length: number): void {
    for (let done = 0; done < length; ) {
      const at = position + done;
      if (at % BLOCK === 0 && length - done >= LONGEST_RANGE * BLOCK) {
        this.#addLongestZeros(at / BLOCK);
        done += LONGEST_RANGE * BLOCK;
        continue;
      }
      const { hash, room } = this.#rangeAt(at);
      const part = Math.min(length - done, room);
      updateWithZeros(hash, part);
      this.#end += part;
      done += part;
    }
  }

  /** Closes the last range: its last block ends with the image, or with zeros. */
  end(size: number): void {
    if (this.#current === undefined) return;
    const blockEnd = Math.min(size, Math.ceil(this.#end / BLOCK) * BLOCK);
    updateWithZeros(this.#current.hash, blockEnd - this.#end);
    const { first, hash } = this.#current;
    this.ranges.push({ first, last: Math.ceil(blockEnd / BLOCK) - 1, checksum: hash.digest() });
    this.#current = undefined;
    this.#end = blockEnd;
  }

  /** The range that goes on at `position`, or a new one; and how many bytes it can still take. */
  #rangeAt(position: number): { readonly hash: Hash; readonly room: number } {
    const block = Math.floor(position / BLOCK);
    const isNext = block <= Math.ceil(this.#end / BLOCK) && position - this.#end < BLOCK;
    if (this.#current !== undefined && (!isNext || block - this.#current.first >= LONGEST_RANGE)) {
      this.end(Number.POSITIVE_INFINITY);
    }
    if (this.#current === undefined) {
      this.#current = { first: block, hash: this.#hash() };
      this.#end = block * BLOCK;
    }
    const { first, hash } = this.#current;
    updateWithZeros(hash, position - this.#end);
    this.#end = position;
    return { hash, room: (first + LONGEST_RANGE) * BLOCK - position };
  }

  /** Holes of terabytes are hashed once. */
  #addLongestZeros(first: number): void {
    this.end(Number.POSITIVE_INFINITY);
    if (this.#longestZeros === undefined) {
      const hash = this.#hash();
      updateWithZeros(hash, LONGEST_RANGE * BLOCK);
      this.#longestZeros = hash.digest();
    }
    this.ranges.push({ first, last: first + LONGEST_RANGE - 1, checksum: this.#longestZeros });
    this.#end = (first + LONGEST_RANGE) * BLOCK;
  }
}

function updateWithZeros(hash: Hash, length: number): void {
  for (let done = 0; done < length; done += ZEROS.length) {
    hash.update(ZEROS.subarray(0, Math.min(ZEROS.length, length - done)));
  }
}

const NO_CHECKSUM = "0".repeat(64);

function bmapText(size: number, { mapped, ranges }: BlockMap, hash: HashFactory): Uint8Array {
  const lines = [
    '<?xml version="1.0" ?>',
    "<!-- Which blocks of a disk image must be copied; see https://github.com/yoctoproject/bmaptool. -->",
    '<bmap version="2.0">',
    `    <ImageSize> ${size} </ImageSize>`,
    `    <BlockSize> ${BLOCK} </BlockSize>`,
    `    <BlocksCount> ${Math.ceil(size / BLOCK)} </BlocksCount>`,
    `    <MappedBlocksCount> ${mapped} </MappedBlocksCount>`,
    "    <ChecksumType> sha256 </ChecksumType>",
    `    <BmapFileChecksum> ${NO_CHECKSUM} </BmapFileChecksum>`,
    "    <BlockMap>",
    ...ranges.map(({ first, last, checksum }) => {
      const blocks = first === last ? `${first}` : `${first}-${last}`;
      return `        <Range chksum="${checksum}"> ${blocks} </Range>`;
    }),
    "    </BlockMap>",
    "</bmap>",
    "",
  ];
  // The file's own checksum is that of the file with zeros in its place.
  const text = lines.join("\n");
  const own = hash();
  own.update(utf8(text));
  return utf8(text.replace(NO_CHECKSUM, own.digest()));
}
