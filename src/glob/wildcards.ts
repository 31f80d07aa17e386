import { isInSet } from "./bracket.ts";
import { type FlatSequence, flattened, relaxed, type Segment } from "./expand.ts";
import { GroupMatcher } from "./groups.ts";
import type { OneCharacter } from "./parse.ts";
import { Singles } from "./singles.ts";

/** A pattern with no groups, and what it is of. */
interface Program {
  readonly sequence: FlatSequence;
  readonly index: number;
  /** Decides where the sequence matches more than what is meant. */
  readonly exact: GroupMatcher | undefined;
}

/**
 * Which of many patterns of one name match it, in one pass over the name, however many there are and whatever they
 * look like. All patterns are run side by side as one nondeterministic automaton, whose state is a set of bits: bit i
 * of a pattern says that its first i characters match what has been read (Baeza-Yates and Gonnet, "A new approach to
 * text searching", 1992). Sets that were met before are kept with where they lead, so that most steps are one look-up.
 */
export class Wildcards {
  readonly #prefixes = new Affixes((name, length) => name.slice(0, length));
  readonly #suffixes = new Affixes((name, length) => name.slice(-length));
  readonly #automaton: Automaton | undefined;

  constructor(segments: readonly Segment[]) {
    const programs: Program[] = [];
    for (const [index, segment] of segments.entries()) {
      const flat = flattened(segment);
      if (flat === undefined) {
        programs.push({ sequence: relaxed(segment), index, exact: new GroupMatcher(segment) });
      } else for (const sequence of flat) this.#add({ sequence, index, exact: undefined }, programs);
    }
    if (programs.length > 0) this.#automaton = new Automaton(programs);
  }

  /** The indices of the patterns that match a name; some may be there twice. */
  match(name: string): readonly number[] {
    const simple = [...this.#prefixes.match(name), ...this.#suffixes.match(name)];
    const rest = this.#automaton?.match(name) ?? [];
    return simple.length === 0 ? rest : [...simple, ...rest];
  }

  /** Prefixes and suffixes of names need no automaton. */
  #add(program: Program, programs: Program[]): void {
    const { sequence, index } = program;
    const isEnd = sequence[0]?.type === "star";
    const text = textOf(isEnd ? sequence.slice(1) : sequence.slice(0, -1));
    const hasStar = isEnd || sequence.at(-1)?.type === "star";
    if (!hasStar || text === undefined || text === "") programs.push(program);
    else (isEnd ? this.#suffixes : this.#prefixes).add(text, index);
  }
}

/** The text of a sequence that is nothing but text. */
export function textOf(sequence: Segment): string | undefined {
  let text = "";
  for (const item of sequence) {
    if (item.type !== "text") return undefined;
    text += String.fromCodePoint(item.code);
  }
  return text;
}

/** Names by how they begin, or how they end. */
class Affixes {
  readonly #part: (name: string, length: number) => string;
  readonly #byLength = new Map<number, Map<string, number[]>>();

  constructor(part: (name: string, length: number) => string) {
    this.#part = part;
  }

  add(text: string, index: number): void {
    const { length } = text;
    if (!this.#byLength.has(length)) this.#byLength.set(length, new Map());
    const texts = this.#byLength.get(length)!;
    if (texts.has(text)) texts.get(text)!.push(index);
    else texts.set(text, [index]);
  }

  match(name: string): number[] {
    const found: number[] = [];
    for (const [length, texts] of this.#byLength) {
      if (length > name.length) continue;
      for (const index of texts.get(this.#part(name, length)) ?? []) found.push(index);
    }
    return found;
  }
}

/** A set of bits, with where characters lead from it. */
interface State {
  readonly bits: Uint32Array;
  readonly next: (State | undefined)[];
  accepted: readonly number[] | undefined;
}

/** About what the sets that are kept may take, in words of 32 bits, and what each takes beside its bits. */
const MOST_WORDS = 4 * 1024 * 1024;
const WORDS_BESIDE = 64;

/** Sets are kept as long as each serves at least so many steps. */
const LEAST_STEPS = 16;

/** Characters whose rows are kept. */
const MOST_CHARACTERS = 4096;

/** The bits that a character may set, as words and masks. */
interface Row {
  readonly id: number;
  readonly words: Uint32Array;
  readonly masks: Uint32Array;
}

/** Some patterns side by side, or one by one when too many different sets come to keep them. */
class Automaton {
  readonly #programs: readonly Program[];
  #singles: Singles | undefined;
  /** The bit of each program that says that all of it matches. */
  readonly #finals: Uint32Array;
  /** Bits that stay set whatever comes: a star is behind them. */
  readonly #stars: Uint32Array;
  readonly #start: Uint32Array;
  readonly #textBits = new Map<number, number[]>();
  readonly #anyBits: number[] = [];
  readonly #sets: { readonly bit: number; readonly item: Extract<OneCharacter, { type: "set" }> }[] = [];
  readonly #rows = new Map<number, Row>();
  readonly #rowsByBits = new Map<string, Row>();
  readonly #states = new Map<number, State[]>();
  #stateCount = 0;
  #first: State | undefined;
  #steps = 0;
  #isKeeping = true;

  constructor(programs: readonly Program[]) {
    this.#programs = programs;
    this.#finals = new Uint32Array(programs.length);
    const starBits: number[] = [];
    const startBits: number[] = [];
    let bit = 0;
    for (const [index, { sequence }] of programs.entries()) {
      startBits.push(bit);
      for (const item of sequence) {
        if (item.type === "star") starBits.push(bit);
        else this.#take(item, ++bit);
      }
      this.#finals[index] = bit++;
    }
    const words = Math.ceil(bit / 32);
    this.#stars = wordsOf(starBits, words);
    this.#start = wordsOf(startBits, words);
  }

  match(name: string): readonly number[] {
    if (this.#rows.size > MOST_CHARACTERS) {
      this.#rows.clear();
      this.#rowsByBits.clear();
      this.#forget();
    }
    const accepted = this.#isKeeping ? this.#accepted(this.#run(name)) : this.#oneByOne(name);
    if (accepted.length === 0) return accepted;
    const found: number[] = [];
    for (const program of accepted) {
      const { index, exact } = this.#programs[program]!;
      if (exact === undefined || exact.matches(name)) found.push(index);
    }
    return found;
  }

  #oneByOne(name: string): readonly number[] {
    this.#singles ??= new Singles(this.#programs.map(({ sequence }) => sequence));
    return this.#singles.match(name);
  }

  #take(item: OneCharacter, bit: number): void {
    if (item.type === "any") this.#anyBits.push(bit);
    else if (item.type === "set") this.#sets.push({ bit, item });
    else if (this.#textBits.has(item.code)) this.#textBits.get(item.code)!.push(bit);
    else this.#textBits.set(item.code, [bit]);
  }

  /** Reads a name by way of the sets that are kept. */
  #run(name: string): State {
    this.#first ??= this.#keep(this.#start.slice());
    let state = this.#first;
    for (let at = 0; at < name.length; ) {
      const code = name.codePointAt(at)!;
      at += code > 0xffff ? 2 : 1;
      const row = this.#rowOf(code);
      this.#steps++;
      state = state.next[row.id] ?? this.#follow(state, row);
    }
    return state;
  }

  #step(bits: Uint32Array, { words, masks }: Row, next: Uint32Array): void {
    const stars = this.#stars;
    for (let word = 0; word < bits.length; word++) next[word] = bits[word]! & stars[word]!;
    for (let at = 0; at < words.length; at++) {
      const word = words[at]!;
      const carry = word === 0 ? 0 : bits[word - 1]! >>> 31;
      next[word] = next[word]! | (((bits[word]! << 1) | carry) & masks[at]!);
    }
  }

  #follow(state: State, row: Row): State {
    const bits = new Uint32Array(state.bits.length);
    this.#step(state.bits, row, bits);
    const next = this.#keep(bits);
    state.next[row.id] = next;
    return next;
  }

  #keep(bits: Uint32Array): State {
    const hash = hashOf(bits);
    const same = this.#states.get(hash);
    const known = same?.find((state) => isEqual(state.bits, bits));
    if (known !== undefined) return known;
    const state: State = { bits, next: [], accepted: undefined };
    if (this.#stateCount * (bits.length + WORDS_BESIDE) > MOST_WORDS) {
      this.#isKeeping = this.#steps > LEAST_STEPS * this.#stateCount;
      this.#forget();
    }
    if (same === undefined || this.#stateCount === 0) this.#states.set(hash, [state]);
    else same.push(state);
    this.#stateCount++;
    return state;
  }

  /** Starts anew with no sets. */
  #forget(): void {
    this.#states.clear();
    this.#first = undefined;
    this.#stateCount = 0;
    this.#steps = 0;
  }

  #rowOf(code: number): Row {
    const known = this.#rows.get(code);
    if (known !== undefined) return known;
    const inSets = this.#sets.filter(({ item }) => isInSet(item.set, code)).map(({ bit }) => bit);
    const texts = this.#textBits.get(code);
    // Characters that no pattern names lead to the same sets.
    const key = `${texts === undefined ? "" : code}:${inSets.join()}`;
    let row = this.#rowsByBits.get(key);
    if (row === undefined) {
      row = rowOf([...(texts ?? []), ...this.#anyBits, ...inSets], this.#rowsByBits.size);
      this.#rowsByBits.set(key, row);
    }
    this.#rows.set(code, row);
    return row;
  }

  #accepted(state: State): readonly number[] {
    if (state.accepted !== undefined) return state.accepted;
    const { bits } = state;
    const accepted: number[] = [];
    for (const [index, bit] of this.#finals.entries()) {
      if ((bits[bit >>> 5]! >>> (bit & 31)) & 1) accepted.push(index);
    }
    state.accepted = accepted;
    return accepted;
  }
}

function wordsOf(bits: readonly number[], count: number): Uint32Array {
  const words = new Uint32Array(count);
  for (const bit of bits) words[bit >>> 5] = words[bit >>> 5]! | (1 << (bit & 31));
  return words;
}

function rowOf(bits: readonly number[], id: number): Row {
  const masks = new Map<number, number>();
  for (const bit of bits) masks.set(bit >>> 5, (masks.get(bit >>> 5) ?? 0) | (1 << (bit & 31)));
  return { id, words: Uint32Array.from(masks.keys()), masks: Uint32Array.from(masks.values()) };
}

/** FNV-1a over words. */
function hashOf(words: Uint32Array): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < words.length; at++) hash = Math.imul(hash ^ words[at]!, 0x01000193);
  return hash;
}

function isEqual(a: Uint32Array, b: Uint32Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
