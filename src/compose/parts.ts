/** Which part of a composition laid each row of its draft last, for messages about what comes later. */
export class Parts {
  /** `root base.tar`, `contents[2] ./etc`; the first belongs to no source. */
  readonly #names: string[] = [""];
  #partOf = new Uint32Array(1024);

  /** A new part; the number is greater than those of all parts before. */
  add(name: string): number {
    return this.#names.push(name) - 1;
  }

  note(row: number, part: number): void {
    if (row >= this.#partOf.length) {
      const larger = new Uint32Array(2 * Math.max(row, this.#partOf.length));
      larger.set(this.#partOf);
      this.#partOf = larger;
    }
    this.#partOf[row] = part;
  }

  /** The part that laid a row last; 0 when no part is known to. */
  of(row: number): number {
    return this.#partOf[row] ?? 0;
  }

  /** `, from root base.tar`, or nothing. */
  shownOrigin(row: number): string {
    const name = this.#names[this.of(row)]!;
    return name === "" ? "" : `, from ${name}`;
  }
}
