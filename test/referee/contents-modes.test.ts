import { spawnSync } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { parseMode } from "../../src/ownership/index.ts";
import { describeWith, scratchDirectory } from "../support/referee.ts";

// make-disk-image.nix hands the mode of a rule to `rsync --chmod`, which is not quite chmod(1).

const scratch = scratchDirectory();
const source = join(scratch, "source");
const MODES = [0, 0o600, 0o644, 0o755, 0o1000, 0o2711, 0o2750, 0o4010, 0o4755, 0o7777];
const NAMES = MODES.flatMap((mode) => [`directory-${mode.toString(8)}`, `file-${mode.toString(8)}`]);

beforeAll(() => {
  mkdirSync(source);
  for (const mode of MODES) {
    const [directory, file] = [`directory-${mode.toString(8)}`, `file-${mode.toString(8)}`];
    mkdirSync(join(source, directory));
    writeFileSync(join(source, file), "");
    for (const name of [directory, file]) chmodSync(join(source, name), mode);
  }
});

/** The modes that a copy gets, in the order of {@link NAMES}; nothing when rsync refuses the text. */
function modesOfCopy(text: string): string[] | undefined {
  const copy = join(scratch, "copy");
  const script = 'rm -rf "$2" && umask 022 && exec rsync -a --no-o --no-g "--chmod=$3" "$1/" "$2"';
  const { status } = spawnSync("sh", ["-c", script, "sh", source, copy, text]);
  return status === 0 ? NAMES.map((name) => lstatSync(join(copy, name)).mode.toString(8)) : undefined;
}

function ourModes(text: string): string[] | undefined {
  try {
    const change = parseMode(text);
    return NAMES.map((name) => change(lstatSync(join(source, name)).mode).toString(8));
  } catch {
    return undefined;
  }
}

const letters = (alphabet: string, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...alphabet), maxLength });
const symbolic = fc
  .tuple(letters("ugoaDF", 3), fc.constantFrom("+", "-", "="), letters("rwxXst", 4))
  .map((parts) => parts.join(""))
  // Of "ts" for nobody in particular rsync forgets the "t", of "st" nothing.
  .filter((text) => !/^[^uga]*[-+=].*t.*s/.test(text));
const octal = fc
  .tuple(fc.constantFrom("", "D", "F", "u"), fc.integer({ min: 0, max: 0o10100 }), fc.boolean())
  .map(([type, bits, hasZero]) => `${type}${hasZero ? "0" : ""}${bits.toString(8)}`);
const modeText = fc
  .array(fc.oneof({ weight: 4, arbitrary: symbolic }, { weight: 1, arbitrary: octal }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((parts) => parts.join(","));

describeWith(["rsync"], "a mode", () => {
  it.each([
    "u=rwX",
    "u=rwX,go=rX",
    "D2775,F664",
    "a-x,u+X",
    "u+x,go+X",
    "=rw",
    "+w",
    "-w",
    "a+s",
    "+s",
    "ug=rws",
    "ug=rwt",
    "o=t",
    "u+xX",
    "a-X",
    "g=",
    "uD+x,Fo-rwx",
    "00755",
  ])("%s does what rsync does", (text) => {
    const copied = modesOfCopy(text);
    expect(copied).toBeDefined();
    expect(ourModes(text)).toEqual(copied);
  });

  it.each(["999", "10000", "u755", "DF755", "u=rw,", "u", "755,", "u=q"])("%s is refused by both", (text) => {
    expect([modesOfCopy(text), ourModes(text)]).toEqual([undefined, undefined]);
  });

  it("whatever it is, does what rsync does", () => {
    fc.assert(
      fc.property(modeText, (text) => {
        expect(ourModes(text)).toEqual(modesOfCopy(text));
      }),
      { numRuns: 60 },
    );
  });
});
