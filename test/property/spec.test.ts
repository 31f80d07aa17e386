import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { DiskwrightError } from "../../src/errors.ts";
import { image, plan } from "../../src/image/index.ts";
import { type Spec, specFiles, specImages } from "../../src/spec/index.ts";
import { treeOf } from "../../src/tree/index.ts";
import { anyDamage } from "../support/damage.ts";

const { readSpec, printSpec } = await specFiles();
const { imageSpecOf } = await specImages();

const mib = fc.integer({ min: 1, max: 60 }).map((count) => `${count}M`);
const text = fc.string({ unit: "grapheme", maxLength: 12 }).filter((value) => !value.includes("\0"));
const optional = <Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const given = <Fields extends object>(fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;

const anyPartition = fc
  .record({
    name: fc.stringMatching(/^[a-z]{1,8}$/),
    size: fc.oneof(mib, fc.constant("rest"), fc.constant(undefined)),
    weight: optional(fc.integer({ min: 1, max: 9 })),
    filesystem: fc.constantFrom(
      undefined,
      { type: "ext4" },
      { type: "ext2", label: "x" },
      { type: "fat", label: "Y" },
    ),
    attributes: optional(fc.constantFrom(["read-only"], "no-auto", "bit-50")),
    alignment: optional(fc.constantFrom("1M", "4M", 4096)),
  })
  .map(({ size, weight, ...rest }) =>
    given({ ...rest, size, weight: size === undefined || size === "rest" ? weight : undefined }),
  );

const anySpec = fc
  .record({
    seed: optional(text),
    label: optional(fc.stringMatching(/^[a-z]{0,8}$/)),
    time: optional(fc.oneof(fc.integer({ min: 0, max: 2 ** 31 }), fc.constant("2026-11-23"))),
    files: optional(
      fc.array(fc.record({ path: fc.stringMatching(/^\/[a-z]{1,5}$/), text }), { maxLength: 3 }),
    ),
    size: optional(fc.constantFrom("auto", "500M")),
    partitions: optional(
      fc.uniqueArray(anyPartition, { selector: ({ name }) => name, minLength: 1, maxLength: 6 }),
    ),
    exclude: optional(fc.oneof(fc.constant("*.o"), fc.constant(["a", "/b/*"]))),
  })
  .map((fields) => given(fields) as Spec);

describe("a spec", () => {
  it("is the same as JSON and as YAML, and is read back as it was printed", () => {
    fc.assert(
      fc.property(anySpec, (spec) => {
        const printed = readSpec(printSpec(spec), "json");
        expect(printed).toEqual(spec);
        expect(readSpec(stringify(spec), "yaml")).toEqual(spec);
      }),
    );
  });

  it("makes a plan in which nothing overlaps, or says why not", () => {
    fc.assert(
      fc.property(anySpec, fc.constantFrom("gpt", "mbr") as fc.Arbitrary<"gpt" | "mbr">, (spec, table) => {
        const own = spec.partitions === undefined ? spec : { ...spec, table };
        let planned: ReturnType<typeof plan>;
        try {
          planned = plan(image(imageSpecOf(own, { root: treeOf([]) })));
        } catch (error) {
          expect(error).toBeInstanceOf(DiskwrightError);
          return;
        }
        const ranges = [...planned.partitions].sort((a, b) => a.offset - b.offset);
        for (const [index, { offset, size }] of ranges.entries()) {
          expect(size).toBeGreaterThan(0);
          expect(offset + size).toBeLessThanOrEqual(ranges[index + 1]?.offset ?? planned.size);
        }
      }),
    );
  });
});

const corpus = join(import.meta.dirname, "../corpus/spec");
const samples = readdirSync(corpus).map((name) => [name, readFileSync(join(corpus, name))] as const);

/** Reads what may be no spec: anything but an error of ours is a fault. */
function survives(bytes: Uint8Array): void {
  try {
    readSpec(Buffer.from(bytes).toString(), "f");
  } catch (error) {
    if (!(error instanceof DiskwrightError)) throw error;
    expect(error.code).toBe("INVALID_SPEC");
    expect(error.message.length).toBeLessThan(10_000);
  }
}

describe("hostile specs", () => {
  it.each(samples)("%s is read or refused", (_, bytes) => survives(bytes));

  it("with any bytes changed are read or refused", () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), anyDamage, ([, bytes], damage) => survives(damage(bytes))),
      { numRuns: 300 },
    );
  });
});
