/** Starts are counted by stretches of this many bytes of a file. */
const STRETCH = 64 * 1024;

/** Stretches of one page of counters. */
const PAGE = 1024;

/**
 * How many compressed units start where in a file, in four bytes for 64 KiB of the file. Units that lie side by side
 * are no more than their smallest size allows: more of them lie on top of each other, and a small file would
 * become a disk without end.
 */
export class StartCounts {
  readonly #pages = new Map<number, Uint32Array>();

  /** Counts a unit of at least `least` bytes; `false` when there are more than can lie where it starts. */
  add(position: number, least: number): boolean {
    const stretch = Math.floor(position / STRETCH);
    const number = Math.floor(stretch / PAGE);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint32Array(PAGE);
      this.#pages.set(number, page);
    }
    const count = page[stretch % PAGE]! + 1;
    if ((count - 1) * least >= STRETCH) return false;
    page[stretch % PAGE] = count;
    return true;
  }
}
