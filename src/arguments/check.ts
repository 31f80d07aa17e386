import type { Kind } from "./kinds.ts";

/** What is wrong with a value, and in which part of it. */
export interface Problem {
  /** The way from the value to the part: `.partitions[2].type`; empty for the value itself. */
  readonly path: string;
  /** What follows the name of the part in a message: `is 12: give text`. */
  readonly message: string;
}

/**
 * Checks an argument of a public function: JavaScript, JSON and `any` hand over what no compiler has seen. Kinds say what
 * type a value has; whether a number is in range, or a text means something, is for the function itself.
 *
 * @throws TypeError that names the argument, and the part of it that is wrong.
 */
export function checkArgument(name: string, value: unknown, kind: Kind): void {
  const problem = kind.problem(value);
  if (problem !== undefined) throw new TypeError(`${name}${problem.path} ${problem.message}`);
}
