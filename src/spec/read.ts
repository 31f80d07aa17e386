import * as v from "valibot";
import { largestOf, MIB, printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../errors.ts";
import { nearNames } from "../tables/index.ts";
import { checkSpec, type SpecProblem } from "./check.ts";
import { jsonValue } from "./json.ts";
import { type Spec, specSchema } from "./schema.ts";
import { type ContentsRuleSpec, contentsRule } from "./sources.ts";
import { YamlDocument } from "./yaml.ts";

export { printSpec } from "./print.ts";
export { specSchema } from "./schema.ts";

/** Longer files are no spec, in characters. */
const LONGEST_TEXT = 16 * MIB;

/** How much of a value a message shows. */
const SHOWN = 60;

/**
 * Reads a spec, as YAML or JSON. `name` is that of the file, for messages.
 *
 * @throws DiskwrightError `INVALID_SPEC` with everything that is wrong, each with line and column, the field, what
 *   was expected and what was found.
 */
export function readSpec(text: string, name: string): Spec {
  const document = new SpecDocument(text, name);
  const spec = document.read(specSchema);
  document.refuse([...checkSpec(spec)]);
  return spec;
}

/**
 * Checks a spec that is there as a value, not as a file.
 *
 * @throws DiskwrightError `INVALID_SPEC` with everything that is wrong.
 */
export function checkedSpec(value: unknown): Spec {
  const result = v.safeParse(specSchema, value);
  const problems = result.success
    ? [...checkSpec(result.output)]
    : result.issues.flatMap((issue) => telling(issue)).map((one) => problemOf(one, specSchema));
  throwProblems(
    "INVALID_SPEC",
    "the spec is wrong",
    problems.map(({ path, message }) => `${path.length === 0 ? "" : `${shownPath(path)}: `}${message}`),
  );
  return value as Spec;
}

/** Reads a file that holds a list of `contents` rules and nothing else; see {@link readSpec}. */
export function readContents(text: string, name: string): ContentsRuleSpec[] {
  return new SpecDocument(text, name).read(v.array(contentsRule, "a list of rules"));
}

/** Fields that are lists of mappings. */
export type ListField =
  | "partitions"
  | "gaps"
  | "bootEntries"
  | "contents"
  | "directories"
  | "symlinks"
  | "files";

/** One item of a list. */
export type ItemOf<Field extends ListField> = NonNullable<Spec[Field]>[number];

/**
 * Reads one item of a list from an option of the command line: a mapping, whose braces may be left out. `name` is
 * that of the option, for messages; see {@link readSpec}.
 */
export function readItem<Field extends ListField>(field: Field, text: string, name: string): ItemOf<Field> {
  const hasBraces = text.trimStart().startsWith("{");
  const list = unwrapped(specSchema.entries[field]);
  const document = hasBraces ? new SpecDocument(text, name) : new SpecDocument(`{${text}}`, name, 1);
  return document.read(list!.item as unknown as v.GenericSchema) as ItemOf<Field>;
}

type Path = readonly (string | number)[];

class SpecDocument {
  readonly #name: string;
  readonly #added: number;
  readonly #text: string;
  readonly #value: unknown;
  #document: YamlDocument | undefined;

  /** `added` characters at the start of the text are not its author's. */
  constructor(text: string, name: string, added = 0) {
    this.#name = name;
    this.#added = added;
    if (text.length > LONGEST_TEXT) {
      throw invalid(`${name}: the file is too long for a spec: ${LONGEST_TEXT / MIB} MiB are the limit`);
    }
    this.#text = text.replace(/^\ufeff/, "");
    const json = jsonValue(this.#text);
    if (json !== undefined) {
      this.#value = json.value;
      return;
    }
    const { problems, value } = this.#yaml();
    const [first] = problems;
    if (first !== undefined && first.offset === undefined) {
      throw invalid(`${name}: it cannot be read: ${first.message}`);
    }
    throwProblems(
      "INVALID_SPEC",
      "the spec cannot be read",
      problems.map(({ offset = 0, message }) => `${this.#place(offset)}: ${message}`),
    );
    this.#value = value;
  }

  /** The value, when the schema has nothing against it. */
  read<Schema extends v.GenericSchema>(schema: Schema): v.InferOutput<Schema> {
    const result = v.safeParse(schema, this.#value);
    if (!result.success)
      this.refuse(result.issues.flatMap((issue) => telling(issue)).map((one) => problemOf(one, schema)));
    return result.output as v.InferOutput<Schema>;
  }

  /** Throws when there are problems, each with its place in the file. */
  refuse(problems: readonly SpecProblem[]): void {
    if (problems.length === 0) return;
    const yaml = this.#yaml();
    const placed = problems
      .map(({ path, message }) => ({ offset: yaml.offsetOf(path), field: shownPath(path), message }))
      .sort((a, b) => a.offset - b.offset);
    throwProblems(
      "INVALID_SPEC",
      "the spec is wrong",
      placed.map(
        ({ offset, field, message }) =>
          `${this.#place(offset)}: ${field === "" ? "" : `${field}: `}${message}`,
      ),
    );
  }

  /** Of JSON, only the places are asked for, and only when something is wrong. */
  #yaml(): YamlDocument {
    this.#document ??= new YamlDocument(this.#text);
    return this.#document;
  }

  #place(offset: number): string {
    const { line, col } = this.#yaml().lines.linePos(offset);
    const column = line === 1 ? Math.max(1, col - this.#added) : col;
    return line === 0 ? this.#name : `${this.#name}:${line}:${column}`;
  }
}

/** An issue, and the path of what it is about from the root. */
interface Located {
  readonly issue: v.BaseIssue<unknown>;
  readonly path: Path;
}

/**
 * Of what is wrong with each choice of a union, that which got furthest: its author meant that choice. Within a
 * union paths start from there.
 */
function telling(issue: v.BaseIssue<unknown>, above: Path = []): readonly Located[] {
  const path = [...above, ...(issue.path ?? []).map(({ key }) => key as string | number)];
  const inner = (issue.issues ?? []).flatMap((one) => telling(one, path));
  const deepest = largestOf([0, ...inner.map((one) => one.path.length)]);
  return deepest > path.length ? inner.filter((one) => one.path.length === deepest) : [{ issue, path }];
}

/** `schema` is that of the whole document. */
function problemOf({ issue, path }: Located, schema: v.GenericSchema): SpecProblem {
  if (issue.type === "strict_object" && issue.expected === "never") {
    // To the schema a list is an object whose keys are numbers.
    if (/^\d+$/.test(String(path.at(-1)))) {
      return { path: path.slice(0, -1), message: "expected a mapping of fields to values, found a list" };
    }
    return { path, message: unknownField(path, schema) };
  }
  if (issue.type === "strict_object" && issue.received === "undefined") {
    return { path: path.slice(0, -1), message: `${path.at(-1)} is missing` };
  }
  const found = issue.input === undefined ? "nothing" : shownValue(issue.input);
  const guess = typeof issue.input === "string" ? nearNames(issue.input, wordsOf(schema, path)) : [];
  const meant = guess.length === 0 ? "" : `: did you mean ${guess.join(", ")}?`;
  return { path, message: `expected ${issue.message}, found ${found}${meant}` };
}

/** The words that the field at a path can have. */
function wordsOf(schema: unknown, path: Path): string[] {
  const words = (one: AnySchema | undefined): string[] => {
    if (one?.type === "optional") return words(one.wrapped);
    if (one?.type === "picklist") return (one.options as unknown as unknown[]).map(String);
    return one?.type === "union" ? (one.options ?? []).flatMap(words) : [];
  };
  return words(path.reduce(inner, schema) as AnySchema | undefined);
}

function unknownField(path: Path, schema: v.GenericSchema): string {
  const [guess] = nearNames(String(path.at(-1)), knownFields(path, schema));
  return guess === undefined ? "there is no such field" : `there is no such field: did you mean ${guess}?`;
}

/** The fields of the object that a path leads into, from the schema. */
function knownFields(path: Path, schema: unknown): string[] {
  return Object.keys(unwrapped(path.slice(0, -1).reduce(inner, schema))?.entries ?? {});
}

interface AnySchema {
  readonly type?: string;
  readonly wrapped?: AnySchema;
  readonly pipe?: readonly AnySchema[];
  readonly entries?: Readonly<Record<string, AnySchema>>;
  readonly item?: AnySchema;
  readonly options?: readonly AnySchema[];
}

function unwrapped(schema: unknown): AnySchema | undefined {
  const any = schema as AnySchema | undefined;
  if (any?.type === "optional") return unwrapped(any.wrapped);
  if (any?.type === "union")
    return any.options?.map(unwrapped).find((option) => option?.entries ?? option?.item);
  return any;
}

function inner(schema: unknown, key: string | number): unknown {
  const any = unwrapped(schema);
  return typeof key === "number" ? any?.item : any?.entries?.[key];
}

function shownPath(path: Path): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === "number" ? `${text}[${key}]` : `${text}${text === "" ? "" : "."}${printable(utf8(key))}`,
    "",
  );
}

function shownValue(value: unknown): string {
  if (typeof value === "string") return shortened(JSON.stringify(value));
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object" && value !== null) return "a mapping";
  return String(value);
}

function shortened(text: string): string {
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  return printable(utf8(shown));
}

function invalid(message: string): DiskwrightError {
  return new DiskwrightError("INVALID_SPEC", message);
}
