import { type Identity, identity } from "../bytes/index.ts";
import type { Extent } from "../extents/index.ts";

/** How far apart the samples of content are, in bytes, and how long each one is, in words of four bytes. */
const SAMPLE_DISTANCE = 65_536;
const SAMPLE_WORDS = 4;

/**
 * What tells one disk from another, for identifiers that must differ when the disks do: VirtualBox, for one,
 * refuses a second disk with the UUID of a first. It is no checksum: content that is not in memory counts by
 * its place, and content that passes by through samples.
 */
export class Fingerprint {
  #low = 0x9e3779b9;
  #high = 0x85ebca6b;

  /** An extent of a plan: where it lies, and its bytes as far as they are in memory. */
  addExtent({ position, length, source, offset }: Extent): void {
    this.#addNumber(position);
    this.#addNumber(length);
    if (!(source instanceof Uint8Array)) return;
    this.#addWords(source.subarray(offset, offset + length), 1);
  }

  /** Bytes of a disk that pass by. */
  addSamples(position: number, bytes: Uint8Array): void {
    this.#addNumber(position);
    this.#addNumber(bytes.length);
    for (let at = 0; at < bytes.length; at += SAMPLE_DISTANCE) {
      const part = bytes.subarray(at, at + SAMPLE_DISTANCE);
      this.#addWords(part, Math.max(1, Math.floor(part.length / 4 / SAMPLE_WORDS)));
    }
  }

  /** What identifiers are derived from: a seed, the size of the disk, and what was added. */
  identity(seed: string, size: number): Identity {
    const digits = [this.#low, this.#high].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
    return identity(identity(seed).uuid(`container/${size}/${digits}`));
  }

  #addNumber(value: number): void {
    this.#mix(value % 2 ** 32);
    this.#mix(Math.floor(value / 2 ** 32));
  }

  /** Every `step`th word, and what is left at the end. */
  #addWords(bytes: Uint8Array, step: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const end = bytes.length - (bytes.length % 4);
    for (let at = 0; at < end; at += 4 * step) this.#mix(view.getUint32(at, true));
    for (let at = end; at < bytes.length; at++) this.#mix(bytes[at]!);
  }

  #mix(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x01000193);
    this.#low ^= this.#low >>> 15;
    this.#high = (Math.imul(this.#high, 31) + (this.#low ^ word)) | 0;
  }
}
