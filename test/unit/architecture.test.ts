import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative, sep } from "node:path";
import { parseAst } from "rolldown/parseAst";
import { describe, expect, it } from "vitest";

const SOURCE = join(import.meta.dirname, "../../src");

/** What each room may import from. A room that is not listed may import from nobody. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  arguments: [],
  bytes: [],
  extents: ["bytes"],
  tree: ["bytes", "extents"],
  tables: [],
  mbr: ["bytes", "extents", "tables"],
  gpt: ["bytes", "extents", "tables", "mbr"],
  ext4: ["bytes", "extents", "tables", "tree"],
  fat32: ["bytes", "extents", "tree"],
  packing: ["bytes"],
  container: ["bytes", "extents", "packing"],
  qcow2: ["bytes", "extents", "packing", "container"],
  vdi: ["bytes", "extents", "container"],
  vhdx: ["bytes", "extents", "container"],
  simg: ["bytes", "extents", "container"],
  vmdk: ["bytes", "extents", "container"],
  vpc: ["bytes", "extents", "container"],
  formats: [
    "bytes",
    "extents",
    "tables",
    "gpt",
    "packing",
    "container",
    "qcow2",
    "vdi",
    "vpc",
    "vhdx",
    "vmdk",
    "simg",
  ],
  layouts: ["bytes", "extents", "tree", "mbr", "gpt", "ext4", "fat32"],
  sizing: ["bytes", "tree", "layouts"],
  boot: ["bytes", "extents", "tree"],
  inspect: ["bytes", "extents", "container", "mbr", "gpt", "ext4", "fat32"],
  image: [
    "bytes",
    "extents",
    "tables",
    "tree",
    "mbr",
    "gpt",
    "ext4",
    "fat32",
    "packing",
    "formats",
    "layouts",
    "sizing",
    "boot",
    "inspect",
  ],
  harvest: [
    "bytes",
    "extents",
    "tree",
    "container",
    "mbr",
    "gpt",
    "ext4",
    "fat32",
    "layouts",
    "image",
    "inspect",
  ],
  spec: [
    "bytes",
    "extents",
    "tree",
    "boot",
    "tables",
    "mbr",
    "gpt",
    "ownership",
    "compose",
    "formats",
    "layouts",
    "image",
  ],
  tar: ["bytes", "extents", "tree"],
  mtree: ["bytes", "tree"],
  glob: ["bytes"],
  ownership: ["bytes", "tree", "mtree"],
  compose: ["bytes", "extents", "tree", "mtree", "ownership"],
  node: [
    "container",
    "bytes",
    "extents",
    "tree",
    "tar",
    "mtree",
    "glob",
    "ownership",
    "compose",
    "mbr",
    "layouts",
    "packing",
    "formats",
    "boot",
    "image",
    "spec",
  ],
  vm: ["bytes", "extents", "tree", "container", "image", "harvest", "node"],
  cli: [
    "container",
    "bytes",
    "extents",
    "tables",
    "tree",
    "ext4",
    "fat32",
    "formats",
    "layouts",
    "image",
    "inspect",
    "harvest",
    "spec",
    "node",
    "vm",
    "vm",
  ],
};

/** Lowest of all: every room checks what it is given. */
const FOR_ALL = "arguments";

/** The only rooms that may know the system they run on. */
const SYSTEM_ROOMS = new Set(["node", "vm", "cli"]);

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);

function importsOf(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), "utf8");
  return [
    ...text.matchAll(/^(?:import|export)[^;]*? from "([^"]+)";/gms),
    ...text.matchAll(/^import "([^"]+)";/gm),
  ].map((match) => match[1]!);
}

function roomOf(file: string): string {
  const [first, second] = file.split(sep);
  return second === undefined ? "" : first!;
}

describe("the rooms of the house", () => {
  it("are all listed", () => {
    const rooms = new Set(files.map(roomOf).filter((room) => room !== ""));
    expect([...rooms].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
  });

  it.each(files)("%s imports downwards only", (file) => {
    const room = roomOf(file);
    for (const specifier of importsOf(file).filter((path) => path.startsWith("."))) {
      const target = relative(SOURCE, normalize(join(SOURCE, dirname(file), specifier)));
      const targetRoom = roomOf(target);
      if ([room, FOR_ALL].includes(targetRoom) || room === "" || target === "errors.ts") continue;
      expect(MAY_IMPORT[room], `${file} imports ${specifier}`).toContain(targetRoom);
    }
  });

  it.each(files.filter((file) => !SYSTEM_ROOMS.has(roomOf(file))))("%s knows no system", (file) => {
    for (const specifier of importsOf(file)) expect(specifier).not.toMatch(/^node:/);
  });

  it.each(files)("%s enters other rooms by their door", (file) => {
    for (const specifier of importsOf(file).filter((path) => path.startsWith("."))) {
      const target = relative(SOURCE, normalize(join(SOURCE, dirname(file), specifier)));
      // A room may be divided further; within it everybody knows everybody.
      if (roomOf(file) === "" || roomOf(target) === roomOf(file)) continue;
      expect(target.split(sep).join("/"), file).toMatch(/^([a-z0-9]+\/index|errors)\.ts$/);
    }
  });
});

/** A node of a syntax tree (ESTree). */
type SyntaxNode = { readonly type: string; readonly start: number; readonly end: number };

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value;
}

/** All nodes below one, itself included. */
function* nodesIn(value: unknown): Generator<SyntaxNode> {
  if (isNode(value)) yield value;
  if (typeof value !== "object" || value === null) return;
  for (const inner of Object.values(value)) yield* nodesIn(inner);
}

/** The lists that calls in some source text spread into arguments. */
function spreadArguments(text: string): string[] {
  const calls = [...nodesIn(parseAst(text, { lang: "ts" }))].filter(
    ({ type }) => type === "CallExpression" || type === "NewExpression",
  ) as (SyntaxNode & { readonly arguments: readonly (SyntaxNode & { readonly argument?: SyntaxNode })[] })[];
  return calls
    .flatMap((call) => call.arguments.filter(({ type }) => type === "SpreadElement"))
    .map(({ argument }) => text.slice(argument!.start, argument!.end));
}

/** The one list that is cut to a constant length before it becomes arguments. */
const CUT_TO_LENGTH = "units.slice(start, start + CODES_AT_ONCE)";

describe("calls", () => {
  const ofConstants = /^[A-Z][A-Z0-9_]*$/;

  it("are looked at for lists that become arguments", () => {
    expect(spreadArguments("f(1, ...x.y()); new Map<A, B>([...z]); g(...NAMES as string[]);")).toEqual([
      "x.y()",
      "NAMES as string[]",
    ]);
  });

  // Each argument takes room on the stack, which overflows at some 120,000 of them.
  it.each(files)("%s makes no arguments of a list whose length the input decides", (file) => {
    const text = readFileSync(join(SOURCE, file), "utf8");
    const unbounded = spreadArguments(text).filter(
      (list) => !ofConstants.test(list) && list !== CUT_TO_LENGTH,
    );
    expect(unbounded, "use appendAll, largestOf, smallestOf or codeUnitText of the bytes room").toEqual([]);
    expect(text, "apply() does the same").not.toMatch(/\.apply\(/);
  });
});

describe("text for people", () => {
  /** They write what is not text: a machine's output, and the line of progress, which is escaped there. */
  const writers = new Set(["streams.ts", "talk.ts", "build.ts", "vm.ts"].map((name) => join("cli", name)));

  it.each(files.filter((file) => roomOf(file) === "cli" && !writers.has(file)))(
    "%s leaves to one place, where it is escaped",
    (file) => {
      const text = readFileSync(join(SOURCE, file), "utf8");
      expect(text, "use writeText, print or printJson").not.toMatch(/standardError\(\)\s*\.write|console\./);
    },
  );
});
