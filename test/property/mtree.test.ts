import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import { DiskwrightError } from "../../src/errors.ts";
import { matchesName, readMtree } from "../../src/mtree/index.ts";
import { accountsOf, applyManifest } from "../../src/ownership/index.ts";
import { TreeDraft, treeOf } from "../../src/tree/index.ts";
import { anyDamage } from "../support/damage.ts";

/** A name as vis(3) writes it, each byte in octal. */
const escaped = (name: Uint8Array): string =>
  [...name].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");

const anyName = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .filter((name) => !name.includes(0) && !name.includes(0x2f));

describe("a manifest", () => {
  it("gives names of any bytes back, and what it says of them", () => {
    const line = fc.record({
      name: anyName,
      uid: fc.nat(),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      time: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = lines.map(
          ({ name, uid, mode, time }) =>
            `./d/${escaped(name)} uid=${uid} mode=${mode.toString(8)} time=${time}.${time % 1_000_000_000}`,
        );
        const read = readMtree(utf8(`#mtree\n${text.join("\n")}\n`), "m");
        expect(
          read.map(({ names, uid, mode, time }) => [
            Buffer.from(names[1]!.bytes).toString("hex"),
            uid,
            mode,
            time,
          ]),
        ).toEqual(
          lines.map(({ name, uid, mode, time }) => [
            Buffer.from(name).toString("hex"),
            uid,
            mode.toString(8),
            { seconds: time, nanoseconds: time % 1_000_000_000 },
          ]),
        );
      }),
    );
  });

  it("matches patterns as a regular expression of the same meaning does", () => {
    const piece = fc.constantFrom("*", "?", "a", "b", "[ab]", "[!a]", "[a-c]");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.stringMatching(/^[abcd]{0,8}$/), (pieces, name) => {
        const written = utf8(pieces.join(""));
        const pattern = { bytes: written, isEscaped: [...written].map(() => false) };
        const expression = pieces.map((part) => MEANING[part] ?? part).join("");
        expect(matchesName(pattern, utf8(name))).toBe(new RegExp(`^${expression}$`, "s").test(name));
      }),
    );
  });

  it("of many stars ends soon", () => {
    const bytes = utf8(`${"*a".repeat(60)}b`);
    expect(matchesName({ bytes, isEscaped: [...bytes].map(() => false) }, utf8("a".repeat(255)))).toBe(false);
  });
});

const MEANING: Readonly<Record<string, string>> = { "*": ".*", "?": ".", "[!a]": "[^a]" };

const corpus = join(import.meta.dirname, "../corpus/mtree");
const samples = readdirSync(corpus).map((name) => [name, readFileSync(join(corpus, name))] as const);

/** Reads and applies what may be no manifest: anything but an error of ours is a fault. */
function survives(bytes: Uint8Array): void {
  try {
    const draft = new TreeDraft();
    draft.lay(
      treeOf([
        { path: "bin/su", type: "file" },
        { path: "etc", type: "directory" },
      ]),
      new Uint8Array(0),
    );
    applyManifest(draft, readMtree(bytes, "m"), accountsOf(undefined, undefined), []);
    draft.finish();
  } catch (error) {
    if (!(error instanceof DiskwrightError)) throw error;
    expect(["INVALID_SPEC", "INVALID_TREE"]).toContain(error.code);
    expect(error.message.length).toBeLessThan(100_000);
  }
}

describe("hostile manifests", () => {
  it.each(samples)("%s is read or refused", (_, bytes) => survives(bytes));

  it("with any bytes changed are read or refused", () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), anyDamage, ([, bytes], damage) => survives(damage(bytes))),
      { numRuns: 300 },
    );
  });
});
