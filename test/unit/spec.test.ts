import { readFileSync } from "node:fs";
import { join } from "node:path";
import { toJsonSchema } from "@valibot/to-json-schema";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { mergeSpec, resolvePaths, sourcesOf, specFiles, specImages } from "../../src/spec/index.ts";

import { YamlDocument } from "../../src/spec/yaml.ts";

type Files = Awaited<ReturnType<typeof specFiles>>;
let files: Files;
beforeAll(async () => {
  files = await specFiles();
});
const { expandPreset } = await specImages();

const ROOT = join(import.meta.dirname, "../..");

/** The lines of what is wrong with a spec. */
function problems(text: string): readonly string[] {
  try {
    files.readSpec(text, "f");
  } catch (error) {
    const { problems: found, message } = error as { problems: readonly string[]; message: string };
    return found.length === 0 ? [message] : found;
  }
  return [];
}

describe("what is wrong with a spec", () => {
  it.each<[string, string, string]>([
    [
      "a size",
      "size: 1x",
      'f:1:1: size: expected a size: bytes, or text such as "512M", or "auto" or "minimal", found "1x"',
    ],
    [
      "a size below 0",
      "bootSize: -1",
      'f:1:1: bootSize: expected a size: bytes, or text such as "512M", found -1',
    ],
    [
      "a field that there is not",
      "seed: a\nlayot: efi",
      "f:2:1: layot: there is no such field: did you mean layout?",
    ],
    ["one that is like none", "zzzzzz: 1", "f:1:1: zzzzzz: there is no such field"],
    [
      "a word",
      "layout: mbr",
      'f:1:1: layout: expected one of none, legacy, legacy+gpt, efi, efixbootldr, hybrid, found "mbr"',
    ],
    [
      "a word that is nearly right",
      "layout: uefi",
      'f:1:1: layout: expected one of none, legacy, legacy+gpt, efi, efixbootldr, hybrid, found "uefi": did you mean efi?',
    ],
    [
      "one of the words beside sizes",
      "size: atuo",
      'f:1:1: size: expected a size: bytes, or text such as "512M", or "auto" or "minimal", found "atuo": did you mean auto?',
    ],
    [
      "something deep",
      "partitions:\n- filesystem:\n    type: ext5",
      'f:3:5: partitions[0].filesystem.type: expected one of ext2, ext3, ext4, fat, fat12, fat16, fat32, vfat, found "ext5": did you mean ext2, ext3, ext4?',
    ],
    [
      "a type in place of a mapping",
      "partitions: [{filesystem: vfta}]",
      'f:1:15: partitions[0].filesystem: expected a type of filesystem, such as ext4 or fat32, or a mapping of its fields, found "vfta": did you mean vfat?',
    ],
    [
      "a type that the root filesystem cannot have",
      "filesystem: vfat",
      'f:1:1: filesystem: expected ext2, ext3 or ext4, or a mapping of the fields of such a filesystem, found "vfat"',
    ],
    [
      "a type that is missing",
      "partitions: [{filesystem: {label: x}}]",
      "f:1:15: partitions[0].filesystem: type is missing",
    ],
    ["a choice that was nearly right", "root: [a, {target: /x}]", "f:1:11: root[1]: source is missing"],
    [
      "a mode that is a number",
      "files: [{path: /x, text: y, mode: 0755}]",
      'f:1:29: files[0].mode: expected a mode in quotes, such as "755" or "u=rwX,go=rX" (a number would be read in decimal), found 755',
    ],
    [
      "a path without a slash",
      "symlinks: [{path: x, target: y}]",
      'f:1:13: symlinks[0].path: expected a path from the root of the tree, such as "/etc/hostname", found "x"',
    ],
    ["a list in place of a mapping", "- a", "f:1:1: expected a mapping of fields to values, found a list"],
    ["nothing", "", "f:1:1: expected a mapping of fields to values, found null"],
    [
      "a number that is none",
      "time: .nan",
      "f:1:1: time: expected seconds since 1970, or a date such as 2026-11-23T12:00:00Z, found NaN",
    ],
    ["a key twice", "seed: a\nseed: b", "f:2:1: the key seed is there twice"],
    ["two documents", "seed: a\n---\nseed: b", "f:2:1: a spec is one document, here begins another"],
    ["a tag", "seed: !!js/function x", "f:1:7: Unresolved tag: tag:yaml.org,2002:js/function"],
    ["JSON that ends early", '{"seed": "a"', "f:1:13: Flow map must end with a }"],
    ["prototypes", '{"__proto__": {"seed": "x"}}', "f:1:2: __proto__: there is no such field"],
    [
      "layout and partitions",
      "layout: efi\npartitions: [{size: 1M}]",
      "f:1:1: layout: layout and partitions exclude each other: keep one",
    ],
    ["a table without partitions", "table: mbr", "f:1:1: table: table needs partitions of one's own"],
    [
      "content without a filesystem",
      "partitions: [{root: a}]",
      "f:1:15: partitions[0].root: root needs a filesystem to go into",
    ],
    [
      "an image in a filesystem",
      "partitions: [{image: a, filesystem: {type: ext4}}]",
      "f:1:15: partitions[0].image: image and filesystem exclude each other: the image has its own",
    ],
    [
      "bounds of a fixed size",
      "partitions: [{size: 1M, minimum: 1M}]",
      'f:1:25: partitions[0].minimum: minimum is for the sizes "rest" and "minimal"',
    ],
    [
      "a weight of a fixed size",
      "partitions: [{size: 1M, weight: 1}]",
      'f:1:25: partitions[0].weight: weight is for the size "rest"',
    ],
    [
      "a field of another filesystem",
      "partitions: [{filesystem: {type: fat, blockSize: 1024}}]",
      "f:1:39: partitions[0].filesystem.blockSize: blockSize is no field of fat",
    ],
    [
      "an MBR type in decimal",
      "table: mbr\npartitions: [{type: 83}, {type: 0x83}, {type: 12}, {type: '0x53'}]",
      'f:2:15: partitions[0].type: 83 is 0x53: write 0x83 for linux-generic, or "0x53" for what it is',
    ],
    [
      "a store with rules",
      "{storePaths: x, onlyNixStore: true, contents: [{source: a, target: /a}]}",
      "f:1:17: onlyNixStore: onlyNixStore and contents exclude each other: keep one",
    ],
    [
      "a store with a boot loader",
      "{storePaths: x, onlyNixStore: true, bootloader: grub}",
      "f:1:17: onlyNixStore: onlyNixStore and bootloader exclude each other: nothing boots from a store alone",
    ],
    [
      "a rule with a user and no group",
      "contents: [{source: a, target: /a, user: web}]",
      "f:1:36: contents[0].user: user needs group beside it",
    ],
    ["a store without paths", "onlyNixStore: true", "f:1:1: onlyNixStore: onlyNixStore needs storePaths"],
    [
      "owners in two ways",
      'owner: "0:0"\nidMap: "0:1:2"',
      "f:1:1: owner: owner and id maps exclude each other: keep one",
    ],
  ])("%s", (_, text, problem) => expect(problems(text)).toEqual([problem]));

  it("is told all at once, in the order of the file", () => {
    const found = problems("size: x\npartitions:\n  - size: y\n    nmae: z\nlabel: 3\n");
    expect(found.map((line) => line.split(": ").slice(0, 2).join(" "))).toEqual([
      "f:1:1 size",
      "f:3:5 partitions[0].size",
      "f:4:5 partitions[0].nmae",
      "f:5:1 label",
    ]);
  });

  it("does not depend on how much of it there is", () => {
    expect(problems("[".repeat(100_000))[0]).toMatch(/nested too deeply/);
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghi".replace(/./g, (name) => `${name}: &${name} [${`*${String.fromCharCode(name.charCodeAt(0) - 1)},`.repeat(9)}]\n`)}`;
    expect(problems(bomb)[0]).toMatch(/alias/);
    expect(problems(`seed: "${"x".repeat(20_000_000)}"`)[0]).toMatch(/too long/);
  });
});

describe("a large spec", () => {
  const many = 20_000;
  const numbers = Array.from({ length: many }, (_, index) => index);

  function timed<Result>(action: () => Result): Result {
    const from = performance.now();
    const result = action();
    // A tenth of it on a machine that is idle.
    expect(performance.now() - from).toBeLessThan(10_000);
    return result;
  }

  it.each<[what: string, text: () => string, read: (exclude: readonly string[]) => void]>([
    [
      "a list",
      () => `exclude:\n${numbers.map((n) => `  - x${n}\n`).join("")}`,
      (exclude) => expect(exclude).toHaveLength(many),
    ],
    [
      "anchors and aliases",
      () =>
        `exclude:\n${numbers.map((n) => `- &a${n} x${n}\n`).join("")}${numbers.map((n) => `- *a${n}\n`).join("")}`,
      (exclude) => expect(exclude.slice(many)).toEqual(exclude.slice(0, many)),
    ],
    [
      "one anchor",
      () => `exclude: [&a x${", *a".repeat(many)}]`,
      (exclude) => expect(new Set(exclude)).toEqual(new Set(["x"])),
    ],
    [
      "JSON",
      () => JSON.stringify({ exclude: numbers.map(String) }),
      (exclude) => expect(exclude[many - 1]).toBe(String(many - 1)),
    ],
  ])("is read soon: %s", (_, text, read) => {
    read(timed(() => files.readSpec(text(), "f").exclude as string[]));
  });

  it.each<[what: string, text: () => string, problem: RegExp]>([
    ["keys", () => numbers.map((n) => `k${n}: 1\n`).join(""), /f:1:1: k0: there is no such field/],
    ["keys twice", () => "seed: 1\n".repeat(many), /f:2:1: the key seed is there twice/],
    ["wrong items", () => `exclude: [${numbers.join()}]`, /f:1:11: exclude\[0\]: expected/],
    ["wrong items of JSON", () => JSON.stringify({ exclude: numbers }), /f:1:13: exclude\[0\]: expected/],
    [
      "aliases of nothing",
      () => "exclude:\n".concat("- *x\n".repeat(many)),
      /f:2:3: the alias \*x stands for nothing that comes before it/,
    ],
    [
      "an alias within itself",
      () => "exclude: &a [*a]",
      /f:1:14: the alias \*a is within what it stands for/,
    ],
    [
      "more than is read",
      () => `exclude:\n${"- x\n".repeat(200_000)}`,
      /more than 750,000 words and signs, the limit for YAML: write it as JSON/,
    ],
    [
      "JSON with a key twice",
      () => '{"seed": "a", "layout": "efi", "s\\u0065ed": "b"}',
      /f:1:32: the key seed is there twice/,
    ],
  ])("is refused soon: %s", (_, text, problem) => {
    expect(timed(() => problems(text()))[0]).toMatch(problem);
  });

  it("has what aliases stand for, as the package for YAML has it", () => {
    const text = "a: &a {x: [1, &b two, null], __proto__: &c {}}\nb: [*a, *b, *c, &a 5, *a]\nc: {d: *a, e: }";
    const { problems: none, value } = new YamlDocument(text);
    expect(none).toEqual([]);
    expect(value).toEqual(parse(text));
    expect(Object.keys((value as { a: object }).a)).toEqual(["x", "__proto__"]);
  });
});

describe("reading", () => {
  it("takes JSON, indented by tabs too, and a mark of the encoding", () => {
    expect(files.readSpec('\ufeff{\n\t"layout": "efi",\n\t"size": "1G"\n}', "f")).toEqual({
      layout: "efi",
      size: "1G",
    });
  });
  it("takes one item of a list with and without braces", () => {
    const item = { offset: "8K", image: "u-boot.bin" };
    expect(files.readItem("gaps", "offset: 8K, image: u-boot.bin", "--gap")).toEqual(item);
    expect(files.readItem("gaps", " {offset: 8K, image: u-boot.bin}", "--gap")).toEqual(item);
    expect(() => files.readItem("gaps", "offset: 8K", "--gap")).toThrow("--gap:1:1: image is missing");
    expect(files.readItem("directories", "path: /x, mode: '1777'", "--directory")).toEqual({
      path: "/x",
      mode: "1777",
    });
  });
  it("takes the type of a filesystem alone, and vfat for FAT", () => {
    const text =
      "filesystem: ext3\npartitions: [{filesystem: ext4}, {filesystem: vfat}, {filesystem: {type: vfat}}]";
    expect(files.readSpec(text, "f")).toEqual({
      filesystem: { type: "ext3" },
      partitions: ["ext4", "fat", "fat"].map((type) => ({ filesystem: { type } })),
    });
    expect(files.readItem("partitions", "filesystem: ext4", "--partition")).toEqual({
      filesystem: { type: "ext4" },
    });
  });
  it("guesses the fields of an item from those of its own list", () => {
    expect(() => files.readItem("partitions", "nmae: x", "--partition")).toThrow(
      "--partition:1:1: nmae: there is no such field: did you mean name?",
    );
  });
  it("takes a file of rules alone", () => {
    expect(files.readContents("- {source: a b, target: /c}", "f")).toEqual([{ source: "a b", target: "/c" }]);
    expect(() => files.readContents("- {source: a}", "f")).toThrow("f:1:3: [0]: target is missing");
  });
});

describe("a spec", () => {
  it("has the options of the command line over its fields", () => {
    const file = {
      seed: "a",
      label: "b",
      filesystem: { type: "ext3" as const, inodes: 5 },
      partitions: [{ size: 1 }],
      table: "mbr" as const,
    };
    expect(mergeSpec(file, { seed: "c", filesystem: { inodes: 6 } })).toEqual({
      ...file,
      seed: "c",
      filesystem: { type: "ext3", inodes: 6 },
    });
    expect(mergeSpec(file, { layout: "efi" })).toEqual({
      seed: "a",
      label: "b",
      filesystem: file.filesystem,
      layout: "efi",
    });
  });
  it("has its paths from where it is, but those of the tree", () => {
    const resolved = resolvePaths(
      {
        root: ["a:/x", "-", { source: "b" }],
        contents: [{ source: "c", target: "/d" }],
        partitions: [{ image: "e" }],
        gaps: [{ offset: 1, image: "f" }],
        output: "-",
        files: [{ path: "/g", text: "h" }],
      },
      (path) => `/base/${path}`,
    );
    expect(resolved).toEqual({
      root: ["/base/a:/x", "-", { source: "/base/b" }],
      contents: [{ source: "/base/c", target: "/d" }],
      partitions: [{ image: "/base/e" }],
      gaps: [{ offset: 1, image: "/base/f" }],
      output: "-",
      files: [{ path: "/g", text: "h" }],
    });
  });
  it("splits a source from its target, but not the drive of a path", () => {
    expect(sourcesOf({ root: ["a:/b", "-:/c", "C:/d", "e:f", "g:h:/i"] }).root).toEqual([
      { source: "a", target: "/b" },
      { source: "-", target: "/c" },
      { source: "C:/d" },
      { source: "e:f" },
      { source: "g:h", target: "/i" },
    ]);
  });
  it("that names a preset is written out in full, and then stays as it is", () => {
    const full = expandPreset({ layout: "hybrid", label: "x", seed: "s" });
    expect(full.partitions!.map(({ name, number, size }) => [name, number, size])).toEqual([
      ["BIOS", 2, 1031168],
      ["ESP", 1, 268435456],
      ["ROOT", 3, "rest"],
    ]);
    expect(expandPreset(full)).toEqual(full);
    expect(files.readSpec(files.printSpec(full), "f")).toEqual(JSON.parse(JSON.stringify(full)));
  });
});

describe("the JSON Schema in the package", () => {
  const schema = JSON.parse(readFileSync(join(ROOT, "diskwright.schema.json"), "utf8")) as {
    properties: Record<string, unknown>;
  };
  it("is that of the reader (npm run schema writes it)", () => {
    expect(schema).toMatchObject(
      JSON.parse(JSON.stringify(toJsonSchema(files.specSchema, { errorMode: "ignore" }))),
    );
  });
  it.each(
    [...readFileSync(join(ROOT, "docs/spec.md"), "utf8").matchAll(/```yaml\n([\s\S]*?)```/g)].map(
      (match) => match[1]!,
    ),
  )("allows the example %#", (example) => expect(problems(example)).toEqual([]));

  it("describes every field, and so does the page about specs", () => {
    const page = readFileSync(join(ROOT, "docs/spec.md"), "utf8");
    const undescribed = Object.entries(schema.properties).filter(
      ([, field]) => !(field as { description?: string }).description,
    );
    expect(undescribed).toEqual([]);
    const fields = JSON.stringify(schema).match(/"properties":\{/g)!.length;
    expect(fields).toBeGreaterThan(5);
    for (const name of Object.keys(schema.properties)) expect(page, name).toContain(`\`${name}\``);
    const { items } = (
      schema.properties as { partitions: { items: { properties: Record<string, unknown> } } }
    ).partitions;
    for (const name of Object.keys(items.properties)) expect(page, name).toContain(`\`${name}\``);
  });
});
