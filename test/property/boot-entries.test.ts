import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BootEntry,
  checkEntries,
  compareVersions,
  kernelFacts,
  parseBootspec,
  parseOsRelease,
  withRoot,
} from "../../src/boot/entries/index.ts";
import { installSystemdBoot } from "../../src/boot/index.ts";
import { utf8 } from "../../src/bytes/index.ts";
import { DiskwrightError } from "../../src/errors.ts";
import { bootContext, efiProgram, file, LOADER, textOf } from "../support/boot.ts";

/** Versions that have much in common, so that all parts of the comparison are reached. */
const version = fc
  .array(fc.constantFrom("0", "00", "1", "10", "a", "B", "rc", ".", "-", "~", "^", "_", "+", "é"), {
    maxLength: 6,
  })
  .map((parts) => parts.join(""));

describe("compareVersions", () => {
  it("is a total order of what it tells apart", () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        const sign = (x: string, y: string) => Math.sign(compareVersions(x, y));
        expect(sign(a, a)).toBe(0);
        expect(sign(a, b)).toBe(0 - sign(b, a));
        if (sign(a, b) <= 0 && sign(b, c) <= 0) expect(sign(a, c)).toBeLessThanOrEqual(0);
        if (sign(a, b) === 0) expect(sign(a, c)).toBe(sign(b, c));
      }),
      { numRuns: 2000 },
    );
  });
});

/** The keys and values of an entry's file, as UAPI.1 tells boot loaders to read it. */
function parsedEntry(text: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const [, key, value] = /^(\S+)\s+(.*)$/s.exec(line) ?? [];
    values.set(key!, [...(values.get(key!) ?? []), value!]);
  }
  return values;
}

const line = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 30 })
  .map((text) => text.trim())
  .filter((text) => text !== "" && !(text.startsWith('"') && text.endsWith('"')));

const id = fc
  .stringMatching(/^[A-Za-z0-9+_-][A-Za-z0-9+\-_.]{0,40}$/)
  .filter((text) => !/^auto-/i.test(text));

const given = fc.record(
  {
    id,
    title: line,
    linux: fc.constant("/boot/vmlinuz"),
    initrds: fc.uniqueArray(fc.constantFrom("/boot/a.img", "/boot/sub/b.img", "/boot/c"), { maxLength: 3 }),
    options: line,
    version: line,
    sortKey: line,
    machineId: fc.stringMatching(/^[0-9a-f]{32}$/),
    architecture: fc.constant("x64" as const),
    devicetree: fc.constant("/boot/sub/d.dtb"),
  },
  { requiredKeys: ["id", "title", "linux", "options"] },
);

const FILES = [
  LOADER,
  file("boot/vmlinuz", efiProgram("x64")),
  ...["boot/a.img", "boot/sub/b.img", "boot/c", "boot/sub/d.dtb"].map((path) => file(path)),
];

describe("the file of an entry", () => {
  it("says what was given, to whoever reads it by the specification", async () => {
    await fc.assert(
      fc.asyncProperty(given, async (entry) => {
        const context = bootContext(FILES);
        const installation = await installSystemdBoot(context, { entries: [entry] });
        const text = await textOf(installation, `/boot/loader/entries/${entry.id}.conf`);
        const values = parsedEntry(new TextDecoder().decode(Uint8Array.from(text!, (c) => c.charCodeAt(0))));
        const onBoot = (path: string | undefined) => path?.slice("/boot".length);
        const expected = {
          title: entry.title,
          version: entry.version,
          "machine-id": entry.machineId,
          "sort-key": entry.sortKey,
          linux: onBoot(entry.linux),
          options: withRoot(entry.options, context.rootDevice),
          devicetree: onBoot(entry.devicetree),
          architecture: entry.architecture,
        };
        for (const [key, value] of Object.entries(expected)) {
          expect(values.get(key) ?? []).toEqual(value === undefined ? [] : [value]);
        }
        expect(values.get("initrd") ?? []).toEqual((entry.initrds ?? []).map(onBoot));
      }),
      { numRuns: 200 },
    );
  });

  it("has no lines but its own, whatever was given", () => {
    const any = fc.string({ unit: "binary", maxLength: 12 });
    fc.assert(
      fc.property(any, any, any, any, (a, b, c, d) => {
        const entry: BootEntry = {
          id: "x",
          title: a,
          version: b,
          sortKey: c,
          linux: "/l",
          initrds: [],
          options: d,
        };
        try {
          checkEntries([entry]);
        } catch (error) {
          expect(error).toBeInstanceOf(DiskwrightError);
          return;
        }
        for (const value of [a, b, c, d]) expect(value).not.toMatch(/[\n\r\0]/);
      }),
      { numRuns: 500 },
    );
  });
});

describe("what is read of a tree", () => {
  it("is any bytes, and is told apart or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        kernelFacts(bytes);
        expect(() => parseBootspec(bytes, "boot.json")).toThrow(DiskwrightError);
      }),
    );
  });

  it("is any JSON", () => {
    const spec = fc.dictionary(
      fc.constantFrom("label", "kernel", "kernelParams", "init", "toplevel"),
      fc.jsonValue(),
    );
    const document = fc.record({
      "org.nixos.bootspec.v1": spec,
      "org.nixos.specialisation.v1": fc.oneof(fc.jsonValue(), fc.dictionary(fc.string(), spec)),
    });
    fc.assert(
      fc.property(document, (value) => {
        expect(() => parseBootspec(utf8(JSON.stringify(value)), "boot.json")).toThrow(DiskwrightError);
      }),
    );
  });

  it("is any os-release, of which each line counts or is told", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" })), (lines) => {
        const { fields, problems } = parseOsRelease(lines.join("\n"));
        expect(fields.size + problems.length).toBeLessThanOrEqual(lines.join("\n").split("\n").length);
        expect(parseOsRelease(lines.join("\n")).problems).toEqual(problems);
      }),
    );
  });

  it("is an os-release as shells write it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (value) => {
        const quoted = value.replace(/[$"\\`]/g, (character) => `\\${character}`);
        const { fields, problems } = parseOsRelease(`NAME="${quoted}"\n`);
        expect(problems).toEqual([]);
        expect(fields.get("NAME") ?? "").toBe(value);
      }),
    );
  });
});
