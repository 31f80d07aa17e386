import { utf8 } from "../bytes/index.ts";
import type { Target } from "../extents/index.ts";

// The block map of bmaptool, version 2.0: which blocks of an image hold something, with a checksum for each
// range of them, so that a writer copies those only and notices damage.

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

/** A target for the bytes of a disk, which makes a block map of them in another target. */
export function bmapTarget(into: Target, hash: HashFactory): Target {
  const ranges: Range[] = [];
  let size = 0;
  let mapped = 0;
  let current: { first: number; hash: Hash } | undefined;
  /** Where the bytes that were hashed end. */
  let end = 0;

  function endRange(): void {
    if (current === undefined) return;
    const blockEnd = Math.min(size, Math.ceil(end / BLOCK) * BLOCK);
    current.hash.update(new Uint8Array(blockEnd - end));
    const last = Math.ceil(blockEnd / BLOCK) - 1;
    ranges.push({ first: current.first, last, checksum: current.hash.digest() });
    mapped += last - current.first + 1;
    current = undefined;
    end = blockEnd;
  }

  return {
    begin(total): void {
      size = total;
    },
    write(position, bytes): void {
      for (let done = 0; done < bytes.length; ) {
        const at = position + done;
        const block = Math.floor(at / BLOCK);
        const isNext = current !== undefined && block <= Math.ceil(end / BLOCK) && at - end < BLOCK;
        if (!isNext || block - current!.first >= LONGEST_RANGE) endRange();
        if (current === undefined) {
          current = { first: block, hash: hash() };
          end = block * BLOCK;
        }
        if (at > end) current.hash.update(new Uint8Array(at - end));
        const most = (current.first + LONGEST_RANGE) * BLOCK - at;
        const part = bytes.subarray(done, done + most);
        current.hash.update(part);
        end = at + part.length;
        done += part.length;
      }
    },
    async commit(): Promise<void> {
      endRange();
      const text = bmapText(size, mapped, ranges, hash);
      await into.begin(text.length);
      await into.write(0, text);
      await into.commit();
    },
    abort: () => into.abort(),
  };
}

const NO_CHECKSUM = "0".repeat(64);

function bmapText(size: number, mapped: number, ranges: readonly Range[], hash: HashFactory): Uint8Array {
  const lines = [
    '<?xml version="1.0" ?>',
    "<!-- Which blocks of a disk image hold something; see https://github.com/yoctoproject/bmaptool. -->",
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
