import { type CharacterSet, isInSet } from "./bracket.ts";
import type { FlatSequence } from "./expand.ts";

/** What an item is as a number: a code point, or one of these; sets are counted from the last one down. */
const STAR = -1;
const ANY = -2;
const FIRST_SET = -3;

/** A pattern in numbers. */
interface Numbered {
  readonly items: Int32Array;
  readonly sets: readonly CharacterSet[];
}

/** Patterns of one name that are tried one by one. Those that need a character that a name lacks are passed over. */
export class Singles {
  readonly #patterns: readonly Numbered[];
  /** The characters that each needs, as two words of bits. */
  readonly #needed: Uint32Array;

  constructor(sequences: readonly FlatSequence[]) {
    this.#patterns = sequences.map(numbered);
    this.#needed = new Uint32Array(2 * sequences.length);
    for (const [index, { items }] of this.#patterns.entries()) {
      for (const item of items) if (item >= 0) addBit(this.#needed, 2 * index, item);
    }
  }

  /** The indices of those that match. */
  match(name: string): number[] {
    const codes = Int32Array.from(name, (character) => character.codePointAt(0)!);
    const has = new Uint32Array(2);
    for (const code of codes) addBit(has, 0, code);
    const lackingFirst = ~has[0]!;
    const lackingSecond = ~has[1]!;
    const needed = this.#needed;
    const found: number[] = [];
    for (let index = 0; index < this.#patterns.length; index++) {
      const isPossible =
        (needed[2 * index]! & lackingFirst) === 0 && (needed[2 * index + 1]! & lackingSecond) === 0;
      if (isPossible && matches(this.#patterns[index]!, codes)) found.push(index);
    }
    return found;
  }
}

/** Letters of ASCII have bits in the second word, digits in the first. */
function addBit(words: Uint32Array, at: number, code: number): void {
  const word = at + ((code >>> 6) & 1);
  words[word] = words[word]! | (1 << (code & 31));
}

function numbered(sequence: FlatSequence): Numbered {
  const sets: CharacterSet[] = [];
  const items = Int32Array.from(sequence, (item) => {
    if (item.type === "text") return item.code;
    if (item.type === "set") return FIRST_SET + 1 - sets.push(item.set);
    return item.type === "any" ? ANY : STAR;
  });
  return { items, sets };
}

/** Takes at most the product of both lengths: only the last star that was met may have to take more. */
function matches({ items, sets }: Numbered, codes: Int32Array): boolean {
  const last = items.length === 0 ? STAR : items[items.length - 1]!;
  if (last >= 0 && last !== codes[codes.length - 1]) return false;
  let at = 0;
  let position = 0;
  let starAt = -1;
  let starPosition = 0;
  while (position < codes.length) {
    const item = at < items.length ? items[at]! : undefined;
    if (item === STAR) {
      starAt = at++;
      starPosition = position;
    } else if (item !== undefined && takes(item, sets, codes[position]!)) {
      at++;
      position++;
    } else if (starAt >= 0) {
      position = ++starPosition;
      at = starAt + 1;
    } else return false;
  }
  while (at < items.length && items[at] === STAR) at++;
  return at === items.length;
}

function takes(item: number, sets: readonly CharacterSet[], code: number): boolean {
  if (item >= 0) return item === code;
  return item === ANY || isInSet(sets[FIRST_SET - item]!, code);
}
