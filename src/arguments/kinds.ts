import type { Problem } from "./check.ts";
import { nearNames } from "./near.ts";
import { shownValue } from "./shown.ts";

/** What a value must be. Kinds are put together as the types of TypeScript are, and look at values at run time. */
export interface Kind {
  /** What to give, for messages: `text`, `a number`. */
  readonly expected: string;
  /** The first thing that is wrong with a value; `undefined` when it is right. */
  readonly problem: (value: unknown) => Problem | undefined;
}

/** The kind of a field that must be there. */
export interface Required extends Kind {
  readonly isOptional: false;
}

/** The kind of a field that may be missing. */
export interface Optional extends Kind {
  readonly isOptional: true;
}

/** The kinds of all fields of a type: the compiler holds the two together. */
type FieldKinds<Type> = {
  readonly [Name in keyof Type]-?: undefined extends Type[Name] ? Optional : Required;
};

/** A kind of values that `test` knows. */
export function kindOf(expected: string, test: (value: unknown) => boolean): Required {
  return {
    isOptional: false,
    expected,
    problem: (value) => (test(value) ? undefined : unlike(value, expected)),
  };
}

/** A value that is no `expected`. */
function unlike(value: unknown, expected: string): Problem {
  return {
    path: "",
    message:
      value === undefined ? `is missing: give ${expected}` : `is ${shownValue(value)}: give ${expected}`,
  };
}

export const text: Required = kindOf("text", (value) => typeof value === "string");

/** Any number: whether it is in range, and not NaN, is for those to say who know the range. */
export const number: Required = kindOf("a number", (value) => typeof value === "number");

export const wholeNumber: Required = kindOf(
  "a whole number, 0 or more",
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
);

export const bigInteger: Required = kindOf("a BigInt, such as 5n", (value) => typeof value === "bigint");

export const flag: Required = kindOf("true or false", (value) => typeof value === "boolean");

export const bytes: Required = kindOf("a Uint8Array", (value) => value instanceof Uint8Array);

/** A function of the caller. */
export const routine: Required = kindOf("a function", (value) => typeof value === "function");

/** One of some words or numbers. */
export function oneOf(...values: readonly (string | number)[]): Required {
  return oneIn(values);
}

/** One of a list of words or numbers. */
export function oneIn(values: readonly (string | number)[]): Required {
  const shown = values.map(shownValue).join(", ");
  return {
    isOptional: false,
    expected: shown,
    problem: (value) =>
      (values as readonly unknown[]).includes(value) ? undefined : otherWord(value, values, shown),
  };
}

function otherWord(value: unknown, values: readonly (string | number)[], shown: string): Problem {
  const near = typeof value === "string" ? nearNames(value, values.filter(isText)) : [];
  if (near.length === 0) return unlike(value, values.length === 1 ? shown : `one of ${shown}`);
  return { path: "", message: `is ${shownValue(value)}: did you mean ${near.map(shownValue).join(", ")}?` };
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** A value that may be missing. */
export function optional(kind: Kind): Optional {
  return {
    isOptional: true,
    expected: kind.expected,
    problem: (value) => (value === undefined ? undefined : kind.problem(value)),
  };
}

/** A value of one of several kinds. Of an object or a list, the kind that got furthest says what is wrong. */
export function either(...kinds: readonly Kind[]): Required {
  const expected = kinds.map((kind) => kind.expected).join(", or ");
  return {
    isOptional: false,
    expected,
    problem(value) {
      let furthest: Problem | undefined;
      for (const kind of kinds) {
        const problem = kind.problem(value);
        if (problem === undefined) return undefined;
        if (problem.path !== "" && problem.path.length > (furthest?.path.length ?? 0)) furthest = problem;
      }
      return furthest ?? unlike(value, expected);
    },
  };
}

/** An instance of a class of this library. */
export function instanceOf(
  expected: string,
  type: abstract new (...parameters: never[]) => unknown,
): Required {
  return kindOf(expected, (value) => value instanceof type);
}

/** Values that one function of this library makes, and no caller can make himself. */
export class Made<Value extends object> {
  readonly kind: Required;
  readonly #values = new WeakSet<object>();

  /** `expected` says which function it is: `what planExt4 gives`. */
  constructor(expected: string) {
    this.kind = kindOf(expected, (value) => isObject(value) && this.#values.has(value));
  }

  /** Counts a value among those that were made. */
  here(value: Value): Value {
    this.#values.add(value);
    return value;
  }
}

/** What can be gone through. A text is not meant, though it could be. */
export function iterable(expected: string): Required {
  return kindOf(expected, (value) => isObject(value) && Symbol.iterator in value);
}

/** What can be gone through as it comes. */
export function asyncIterable(expected: string): Required {
  return kindOf(expected, (value) => isObject(value) && Symbol.asyncIterator in value);
}

/** An array whose items are all of one kind. */
export function list(item: Kind, expected = `an array of ${item.expected}`): Required {
  return {
    isOptional: false,
    expected,
    problem(value) {
      if (!Array.isArray(value)) return unlike(value, expected);
      // By index, so that the holes of a sparse array are seen.
      for (let index = 0; index < value.length; index++) {
        const problem = item.problem(value[index]);
        if (problem !== undefined) return { ...problem, path: `[${index}]${problem.path}` };
      }
      return undefined;
    },
  };
}

/** An object with names of any kind, whose values are all of one. */
export function mapping(item: Kind, expected: string): Required {
  return {
    isOptional: false,
    expected,
    problem(value) {
      if (!isObject(value) || Array.isArray(value)) return unlike(value, expected);
      for (const [name, inner] of Object.entries(value)) {
        const problem = item.problem(inner);
        if (problem !== undefined) return { ...problem, path: `[${shownValue(name)}]${problem.path}` };
      }
      return undefined;
    },
  };
}

/** An object that has some methods, and may have more: what a caller writes himself. */
export function withMethods(expected: string, ...names: readonly string[]): Required {
  return {
    isOptional: false,
    expected,
    problem(value) {
      if (!isObject(value)) return unlike(value, expected);
      for (const name of names) {
        const method = (value as Readonly<Record<string, unknown>>)[name];
        if (typeof method === "function") continue;
        return { path: "", message: `is ${shownValue(value)} without the method ${name}: give ${expected}` };
      }
      return undefined;
    },
  };
}

/** Which fields may be there that the type does not have. */
interface FieldsOptions {
  readonly isOpen?: boolean;
  readonly passedOver?: readonly string[];
}

/**
 * An object with the fields of a type, and no others. A field that is there and `undefined` is as good as one that is
 * missing. `expected` names the object in messages. With `isOpen`, others may be there as well, but for those whose
 * names look mistyped. The fields of `passedOver` may be there and have no effect: a reader of the same structure gives
 * them.
 */
export function fields<Type extends object>(
  expected: string,
  kinds: FieldKinds<Type>,
  { isOpen = false, passedOver = [] }: FieldsOptions = {},
): Required {
  const known = new Map<string, Kind>(Object.entries(kinds));
  const needed = [...known].filter(([, kind]) => kind.problem(undefined) !== undefined);
  const all = [...known];
  const problemOf = (record: Fields, name: string, kind: Kind): Problem | undefined => {
    const problem = kind.problem(record[name]);
    return problem && { ...problem, path: `.${name}${problem.path}` };
  };
  return {
    isOptional: false,
    expected,
    problem(value) {
      if (!isObject(value) || Array.isArray(value) || ArrayBuffer.isView(value)) {
        return unlike(value, expected);
      }
      const record = value as Fields;
      for (const name in record) {
        const inner = record[name];
        if (inner === undefined) continue;
        const kind = known.get(name);
        if (kind === undefined) {
          if (passedOver.includes(name)) continue;
          if (isOpen && nearNames(name, known.keys()).length === 0) continue;
          return unknownField(name, known.keys(), expected);
        }
        const problem = kind.problem(inner);
        if (problem !== undefined) return { ...problem, path: `.${name}${problem.path}` };
      }
      // What a class gives by getters is not gone through above.
      for (const [name, kind] of Object.getPrototypeOf(record) === Object.prototype ? needed : all) {
        const problem = problemOf(record, name, kind);
        if (problem !== undefined) return problem;
      }
      return undefined;
    },
  };
}

/** An object, whose fields are not known yet. */
type Fields = Readonly<Record<string, unknown>>;

function unknownField(name: string, known: Iterable<string>, expected: string): Problem {
  const names = [...known];
  const near = nearNames(name, names);
  const remedy =
    near.length === 0 ? `it has the fields ${names.join(", ")}` : `did you mean ${near.join(", ")}?`;
  return { path: "", message: `has a field ${shownValue(name)} that is not known to ${expected}: ${remedy}` };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
