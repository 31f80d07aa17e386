/** How many entries a warning about many of them names. */
const NAMED = 3;

/** Entries of which one warning tells: how many there are, and the first of them. */
export class Mentions {
  readonly #first: string[] = [];
  #count = 0;

  add(entry: string): void {
    if (this.#count++ < NAMED) this.#first.push(entry);
  }

  /** The warning, if there is an entry: that so many have `what`. */
  lines(what: string): string[] {
    if (this.#count === 0) return [];
    const entries = this.#count === 1 ? "1 entry has" : `${this.#count} entries have`;
    return [`${entries} ${what}: ${this.#first.join(", ")}${this.#count > NAMED ? " …" : ""}`];
  }
}
