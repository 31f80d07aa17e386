import type { FatFormat } from "./geometry.ts";
import { FIRST_CLUSTER, FIXED_MEDIA } from "./structures.ts";

// The file allocation table (FAT32 File System Specification 1.03, §4 "FAT Data Structure"). Content lies in
// one ascending run without gaps, so a cluster is followed by the next one unless it is the last of its chain.

/** Entries that are encoded at once: at most 64 KiB. Even, so that pairs of 12 bits stay together. */
const ENTRIES_PER_CHUNK = 16_384;

/** A part of the table. */
export interface TableChunk {
  /** Bytes from the start of the table. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Encodes a table up to its last entry in use, chunk by chunk. All else in it is zero: free.
 *
 * @param lengths the clusters of each chain, in the order in which they lie; none is 0
 */
export function* tableChunks(format: FatFormat, lengths: Iterable<number>): Generator<TableChunk> {
  const chains = lengths[Symbol.iterator]();
  /** The last cluster of the chain that is being encoded. */
  let last = FIRST_CLUSTER - 1;
  let entries = new Uint32Array(ENTRIES_PER_CHUNK);
  let start = 0;
  // Entry 0 repeats the media byte below set bits; entry 1 says that the volume is sound: all bits set.
  entries[0] = (format.endOfChain & ~0xff) | FIXED_MEDIA;
  entries[1] = format.endOfChain;
  for (let cluster = FIRST_CLUSTER; ; cluster++) {
    if (cluster > last) {
      const next = chains.next();
      if (next.done) {
        yield chunk(format, start, entries.subarray(0, cluster - start));
        return;
      }
      last = cluster + next.value - 1;
    }
    if (cluster - start === ENTRIES_PER_CHUNK) {
      yield chunk(format, start, entries);
      entries = new Uint32Array(ENTRIES_PER_CHUNK);
      start = cluster;
    }
    entries[cluster - start] = cluster === last ? format.endOfChain : cluster + 1;
  }
}

function chunk({ bits }: FatFormat, start: number, entries: Uint32Array): TableChunk {
  return { offset: (start * bits) / 8, bytes: encodeEntries(bits, entries) };
}

/** The bytes of entries, the first of which has an even number. */
export function encodeEntries(bits: 12 | 16 | 32, entries: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((entries.length * bits) / 8));
  const view = new DataView(bytes.buffer);
  if (bits === 32) {
    for (let index = 0; index < entries.length; index++) view.setUint32(4 * index, entries[index]!, true);
  } else if (bits === 16) {
    for (let index = 0; index < entries.length; index++) view.setUint16(2 * index, entries[index]!, true);
  } else {
    // Two entries share three bytes: the low bits of the second are in the upper half of the middle one.
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index]!;
      const at = (3 * index) >> 1;
      if (index % 2 === 0) {
        bytes[at] = entry & 0xff;
        bytes[at + 1] = entry >> 8;
      } else {
        bytes[at] = bytes[at]! | ((entry & 0xf) << 4);
        bytes[at + 1] = entry >> 4;
      }
    }
  }
  return bytes;
}

/** Reads one entry of a table, `index` counted from where `bytes` starts, which an even entry must do. */
export function decodeEntry(bits: 12 | 16 | 32, view: DataView, index: number): number {
  // The upper four bits of 32 are reserved (§4, "FAT32 entries are 28-bit").
  if (bits === 32) return view.getUint32(4 * index, true) & 0x0fffffff;
  if (bits === 16) return view.getUint16(2 * index, true);
  const pair = view.getUint16((3 * index) >> 1, true);
  return index % 2 === 0 ? pair & 0xfff : pair >> 4;
}
