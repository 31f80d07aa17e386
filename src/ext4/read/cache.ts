import { type Awaitable, type ByteSource, readExactly } from "../../extents/index.ts";

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
   * Exactly `length` bytes from `position`, which the caller must not change: at once where they are in memory, or the
   * source has them at once, as a promise for each inode would take longer than all else.
   *
   * @throws DiskwrightError `CORRUPT` when the source ends before them; `what` names them.
   */
  read(position: number, length: number, what: string): Awaitable<Uint8Array> {
    const index = Math.floor(position / PIECE);
    const from = position - index * PIECE;
    const isInside = position >= 0 && position + length <= this.#source.size;
    if (!isInside || from + length > PIECE) return readExactly(this.#source, position, length, what);
    if (index === this.#lastIndex) return this.#last.subarray(from, from + length);
    const piece = this.#piece(index);
    if (!(piece instanceof Uint8Array)) {
      return piece.then((bytes) => this.#keep(index, bytes).subarray(from, from + length));
    }
    return this.#keep(index, piece).subarray(from, from + length);
  }

  #piece(index: number): Awaitable<Uint8Array> {
    const known = this.#pieces.get(index);
    if (known !== undefined) return known;
    const start = index * PIECE;
    return this.#source.read(start, Math.min(PIECE, this.#source.size - start));
  }

  /** Keeps a piece as the one that was used last, which in a map is the last one that was set. */
  #keep(index: number, piece: Uint8Array): Uint8Array {
    if (!this.#pieces.delete(index) && this.#pieces.size >= MOST_PIECES) {
      this.#pieces.delete(this.#pieces.keys().next().value!);
    }
    this.#pieces.set(index, piece);
    this.#lastIndex = index;
    this.#last = piece;
    return piece;
  }
}
