import { isInSet } from "./bracket.ts";
import type { Segment } from "./expand.ts";
import { type Group, type Item, invalidPattern, type OneCharacter, type Sequence } from "./parse.ts";

// A nondeterministic automaton for names that match groups such as +(a|b). All of its states are followed at once, so
// that time grows with the product of the lengths of pattern and name, whatever they are (K. Thompson, "Regular
// expression search algorithm", 1968).

type Instruction =
  | { readonly type: "one"; readonly item: OneCharacter; readonly next: number }
  | { readonly type: "split"; readonly next: number; readonly other: number }
  /** Takes any text that the other program does not match. */
  | { readonly type: "not"; readonly program: Program; readonly next: number }
  | { readonly type: "match" };

interface Program {
  readonly start: number;
  readonly instructions: readonly Instruction[];
}

/** Longer names are not held against patterns with `!(…)` among other things: the square of their length counts. */
const LONGEST_NAME = 4096;

/** Matches names against one pattern with groups. */
export class GroupMatcher {
  readonly #program: Program;
  readonly #isQuadratic: boolean;

  constructor(segment: Segment) {
    this.#program = compiled(segment);
    this.#isQuadratic = this.#program.instructions.some(({ type }) => type === "not");
  }

  /** @throws DiskwrightError `INVALID_SPEC` for a name of more than 4096 characters and a pattern with `!(…)`. */
  matches(name: string): boolean {
    const codes = Array.from(name, (character) => character.codePointAt(0)!);
    if (this.#isQuadratic && codes.length > LONGEST_NAME) {
      throw invalidPattern(
        "!(…)",
        `a name has ${codes.length} characters, ${LONGEST_NAME} are the limit for it`,
      );
    }
    return new Run(codes).ends(this.#program, 0)[codes.length] === 1;
  }
}

/** One name, and what is known of it. */
class Run {
  readonly #codes: readonly number[];
  /** Of programs within `!(…)`: where they end that start at a place. */
  readonly #known = new Map<Program, (Uint8Array | undefined)[]>();

  constructor(codes: readonly number[]) {
    this.#codes = codes;
  }

  /** Where a match can end that starts at a place: 1 for each such place. */
  ends(program: Program, from: number): Uint8Array {
    const codes = this.#codes;
    const ends = new Uint8Array(codes.length + 1);
    /** The instructions that are to be looked at, by the place in the name, and those that have been. */
    const pending: (number[] | undefined)[] = [];
    pending[from] = [program.start];
    for (let at = from; at <= codes.length; at++) {
      const stack = pending[at];
      if (stack === undefined) continue;
      pending[at] = undefined;
      const seen = new Uint8Array(program.instructions.length);
      for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
        if (seen[index] === 1) continue;
        seen[index] = 1;
        const instruction = program.instructions[index]!;
        switch (instruction.type) {
          case "one":
            if (at < codes.length && takes(instruction.item, codes[at]!)) put(at + 1, instruction.next);
            break;
          case "split":
            stack.push(instruction.next, instruction.other);
            break;
          case "not": {
            const others = this.#endsWithin(instruction.program, at);
            for (let end = at; end <= codes.length; end++) {
              if (others[end] === 1) continue;
              if (end === at) stack.push(instruction.next);
              else put(end, instruction.next);
            }
            break;
          }
          case "match":
            ends[at] = 1;
        }
      }
    }
    return ends;

    function put(at: number, index: number): void {
      const list = pending[at];
      if (list === undefined) pending[at] = [index];
      else list.push(index);
    }
  }

  #endsWithin(program: Program, from: number): Uint8Array {
    if (!this.#known.has(program)) this.#known.set(program, []);
    const known = this.#known.get(program)!;
    known[from] ??= this.ends(program, from);
    return known[from];
  }
}

function takes(item: OneCharacter, code: number): boolean {
  if (item.type === "text") return item.code === code;
  return item.type === "any" || isInSet(item.set, code);
}

function compiled(sequence: Sequence): Program {
  const instructions: Instruction[] = [{ type: "match" }];
  const start = addSequence(sequence, 0);
  return { start, instructions };

  function add(instruction: Instruction): number {
    return instructions.push(instruction) - 1;
  }

  /** Adds what comes before the instruction `next`, from the end on; returns where it starts. */
  function addSequence(items: Sequence, next: number): number {
    let start = next;
    for (let index = items.length - 1; index >= 0; index--) start = addItem(items[index]!, start);
    return start;
  }

  function addItem(item: Item, next: number): number {
    if (item.type === "star")
      return addLoop((loop) => add({ type: "one", item: { type: "any" }, next: loop }), next);
    if (item.type === "group") return addGroup(item, next);
    if (item.type === "slash") throw new TypeError("a segment holds no slash");
    return add({ type: "one", item, next });
  }

  function addGroup(group: Group, next: number): number {
    switch (group.kind) {
      case "once":
        return addChoices(group, next);
      case "optional":
        return add({ type: "split", next: addChoices(group, next), other: next });
      case "any-number":
        return addLoop((loop) => addChoices(group, loop), next);
      case "at-least-once": {
        let body = 0;
        addLoop((loop) => {
          body = addChoices(group, loop);
          return body;
        }, next);
        return body;
      }
      case "not":
        return add({ type: "not", program: compiled([{ ...group, kind: "once" }]), next });
    }
  }

  function addChoices({ choices }: Group, next: number): number {
    return choices
      .map((choice) => addSequence(choice, next))
      .reduce((other, one) => add({ type: "split", next: one, other }));
  }

  /** Adds a split that leads into a body, which leads back to it, or on. */
  function addLoop(addBody: (loop: number) => number, next: number): number {
    const loop = add({ type: "split", next, other: next });
    const body = addBody(loop);
    instructions[loop] = { type: "split", next: body, other: next };
    return loop;
  }
}
