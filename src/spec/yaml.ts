import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  type YAMLMap,
} from "yaml";
import { printable, utf8 } from "../bytes/index.ts";

/**
 * Longer files are not composed: each word and sign takes some 300 bytes of memory meanwhile. A hundred thousand lines
 * of a list are within it.
 */
const MOST_TOKENS = 750_000;

/** Shorter texts cannot have so many. */
const LEAST_COUNTED = 128 * 1024;

/** A value stands for so many others at most, those behind aliases counted each time. */
const MOST_VALUES = 1_000_000;

/** Something wrong with a text, and where. */
export interface YamlProblem {
  readonly offset: number | undefined;
  readonly message: string;
}

/** A YAML document, or what is wrong with it. */
export class YamlDocument {
  readonly lines: LineCounter = new LineCounter();
  readonly problems: readonly YamlProblem[];
  readonly value: unknown;
  readonly #document: Document.Parsed | undefined;
  /** The values of mappings whose keys were asked for, by key. */
  readonly #pairs = new Map<unknown, Map<string, { readonly key: unknown; readonly value: unknown }>>();

  constructor(text: string) {
    const problems: YamlProblem[] = [];
    this.problems = problems;
    if (hasTooMany(text)) {
      const limit = MOST_TOKENS.toLocaleString("en");
      const message = `it has more than ${limit} words and signs, the limit for YAML: write it as JSON, or divide it`;
      problems.push({ offset: undefined, message });
      return;
    }
    try {
      this.#document = parseDocument(text, {
        lineCounter: this.lines,
        // The package compares each key with all before it.
        uniqueKeys: false,
        stringKeys: true,
        prettyErrors: false,
        version: "1.2",
      });
    } catch (error) {
      // What is nested too deeply ends in the parser's own recursion.
      problems.push({ offset: undefined, message: reason(error) });
      return;
    }
    for (const { pos, code, message } of [...this.#document.errors, ...this.#document.warnings]) {
      if (message.includes("call stack")) {
        problems.splice(0, problems.length, { offset: undefined, message: DEEP });
        return;
      }
      const what = code === "MULTIPLE_DOCS" ? "a spec is one document, here begins another" : message;
      problems.push({ offset: pos[0], message: printable(utf8(what)) });
    }
    if (problems.length > 0) return;
    try {
      this.value = new Values(problems).of(this.#document.contents).value;
    } catch (error) {
      problems.push({ offset: undefined, message: reason(error) });
    }
  }

  /** Where what a path leads to begins, or else the last thing on the way that is there. */
  offsetOf(path: readonly (string | number)[]): number {
    let node: unknown = this.#document?.contents;
    let offset = startOf(node) ?? 0;
    for (const key of path) {
      if (isMap(node)) {
        const pair = this.#pairsOf(node).get(String(key));
        offset = startOf(pair?.key) ?? offset;
        node = pair?.value;
      } else {
        node = isSeq(node) ? node.items[key as number] : undefined;
        offset = startOf(node) ?? offset;
      }
    }
    return offset;
  }

  #pairsOf(map: YAMLMap): Map<string, { readonly key: unknown; readonly value: unknown }> {
    let pairs = this.#pairs.get(map);
    if (pairs === undefined) {
      pairs = new Map(map.items.map((pair) => [keyOf(pair.key), pair]));
      this.#pairs.set(map, pairs);
    }
    return pairs;
  }
}

/** A value, and how many it stands for. */
interface Counted {
  readonly value: unknown;
  readonly count: number;
}

const NOTHING: Counted = { value: null, count: 1 };

/**
 * Makes the values of nodes. The package looks for the anchor of an alias among all that come before it, so that many
 * take the square of their number.
 */
class Values {
  readonly #problems: YamlProblem[];
  /** What anchors stand for; `undefined` while that is being made. */
  readonly #anchors = new Map<string, Counted | undefined>();

  constructor(problems: YamlProblem[]) {
    this.#problems = problems;
  }

  of(node: unknown): Counted {
    if (isAlias(node)) return this.#behind(node.source, startOf(node));
    const anchor = isScalar(node) || isCollection(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    const counted = this.#made(node);
    if (anchor !== undefined) this.#anchors.set(anchor, counted);
    return counted;
  }

  #made(node: unknown): Counted {
    if (isScalar(node)) return { value: node.value, count: 1 };
    if (isSeq(node)) return this.#list(node.items);
    return isMap(node) ? this.#mapping(node) : NOTHING;
  }

  #list(items: readonly unknown[]): Counted {
    let count = 1;
    const value = items.map((item) => {
      const made = this.of(item);
      count += made.count;
      return made.value;
    });
    return this.#limited({ value, count });
  }

  #mapping({ items }: YAMLMap): Counted {
    const value: Record<string, unknown> = {};
    let count = 1;
    for (const { key, value: node } of items) {
      const name = keyOf(key);
      if (Object.hasOwn(value, name))
        this.#note(startOf(key), `the key ${printable(utf8(name))} is there twice`);
      const made = this.of(node);
      count += made.count;
      // A key such as __proto__ is one like any other.
      Object.defineProperty(value, name, {
        value: made.value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
    return this.#limited({ value, count });
  }

  #behind(name: string, offset: number | undefined): Counted {
    const found = this.#anchors.get(name);
    if (found !== undefined) return found;
    const isWithin = this.#anchors.has(name);
    const where = isWithin ? "is within what it stands for" : "stands for nothing that comes before it";
    this.#note(offset, `the alias *${printable(utf8(name))} ${where}`);
    return NOTHING;
  }

  #limited(counted: Counted): Counted {
    if (counted.count <= MOST_VALUES) return counted;
    throw new Error(`its aliases stand for more than ${MOST_VALUES.toLocaleString("en")} values`);
  }

  #note(offset: number | undefined, message: string): void {
    this.#problems.push({ offset, message });
  }
}

function keyOf(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}

function startOf(node: unknown): number | undefined {
  return (node as Node | ParsedNode | null | undefined)?.range?.[0];
}

function hasTooMany(text: string): boolean {
  if (text.length < LEAST_COUNTED) return false;
  let count = 0;
  for (const _ of new Lexer().lex(text)) if (++count > MOST_TOKENS) return true;
  return false;
}

const DEEP = "it is nested too deeply";

function reason(error: unknown): string {
  if (error instanceof RangeError) return DEEP;
  return error instanceof Error ? printable(utf8(error.message.split("\n")[0]!)) : String(error);
}
