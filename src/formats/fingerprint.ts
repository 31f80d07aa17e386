import { type Identity, identity } from "../bytes/index.ts";
import type { Extent } from "../extents/index.ts";

/** Samples of content that passes by are words of four bytes at these places in each block. */
const BLOCK = 4096;
/** Among them are the checksum of a GPT's header and the times of inodes. */
const SAMPLED = [16, 512 + 16, 1024 + 16, 2048 + 16];

/**
 * What tells one disk from another, for identifiers that must differ when the disks do: VirtualBox, for one,
 * refuses a second disk with the UUID of a first. It is no checksum: content that is not in memory counts by
 * its place, and content that passes by through samples.
 */
export class Fingerprint {
  // As 32-bit integers with a sign: larger numbers would be kept as doubles, which takes twice as long.
  #low = 0x9e3779b9 | 0;
  #high = 0x85ebca6b | 0;

  /** An extent of a plan: where it lies, and its bytes as far as they are in memory. */
  addExtent({ position, length, source, offset }: Extent): void {
    this.#addNumber(position);
    this.#addNumber(length);
    if (!(source instanceof Uint8Array)) return;
    this.#addBytes(source.subarray(offset, offset + length));
  }

  /**
   * Bytes of a disk that pass by, in pieces that begin and end with sectors: how they are cut, and whether zeros
   * are among them, makes no difference.
   */
  addSamples(position: number, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const end = position + bytes.length;
    for (let block = position - (position % BLOCK); block < end; block += BLOCK) {
      for (const offset of SAMPLED) {
        const place = block + offset;
        const word = place >= position && place + 4 <= end ? view.getUint32(place - position, true) : 0;
        if (word === 0) continue;
        this.#addNumber(place);
        this.#mix(word);
      }
    }
  }

  /** What identifiers are derived from: a seed, the size of the disk, and what was added. */
  identity(seed: string, size: number): Identity {
    const digits = [this.#low, this.#high].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
    return identity(identity(seed).uuid(`container/${size}/${digits}`));
  }

  #addNumber(value: number): void {
    this.#mix(value >>> 0);
    this.#mix(Math.floor(value / 2 ** 32));
  }

  #addBytes(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const end = bytes.length - (bytes.length % 4);
    for (let at = 0; at < end; at += 4) this.#mix(view.getUint32(at, true));
    for (let at = end; at < bytes.length; at++) this.#mix(bytes[at]!);
  }

  #mix(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x01000193);
    this.#low ^= this.#low >>> 15;
    this.#high = (Math.imul(this.#high, 31) + (this.#low ^ word)) | 0;
  }
}
