import type { ByteSource } from "../../extents/index.ts";
import { readExactly } from "../../extents/index.ts";

// Metadata is read in small pieces that lie close together: inodes side by side, the blocks of directories.
// Pieces of this size keep a walk sequential where the layout is, and cost little where it is not.

const PIECE = 16384;
const MOST_PIECES = 2048;

/** Reads small ranges of a source through memory: at most 32 MiB of it, the pieces that were used last. */
export class PieceCache {
  readonly #source: ByteSource;
  readonly #pieces = new Map<number, Uint8Array>();
  #lastIndex = -1;
  #last: Uint8Array = new Uint8Array(0);

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /**
   * Exactly `length` bytes from `position`, which the caller must not change.
   *
   * @throws DiskwrightError `CORRUPT` when the source ends before them; `what` names them.
   */
  async read(position: number, length: number, what: string): Promise<Uint8Array> {
    const index = Math.floor(position / PIECE);
    const from = position - index * PIECE;
    const isInside = position >= 0 && position + length <= this.#source.size;
    if (!isInside || from + length > PIECE) {
      return await readExactly(this.#source, position, length, what);
    }
    if (index !== this.#lastIndex) {
      this.#last = await this.#piece(index);
      this.#lastIndex = index;
    }
    return this.#last.subarray(from, from + length);
  }

  async #piece(index: number): Promise<Uint8Array> {
    const known = this.#pieces.get(index);
    if (known !== undefined) {
      // A map keeps the order of insertion: what was used last is last.
      this.#pieces.delete(index);
      this.#pieces.set(index, known);
      return known;
    }
    const start = index * PIECE;
    const piece = await this.#source.read(start, Math.min(PIECE, this.#source.size - start));
    if (this.#pieces.size >= MOST_PIECES) this.#pieces.delete(this.#pieces.keys().next().value!);
    this.#pieces.set(index, piece);
    return piece;
  }
}
