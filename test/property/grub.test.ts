import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readEfiImage } from "../../src/boot/grub/efi-image.ts";
import { kernelBytes } from "../../src/boot/grub/kernel.ts";
import { kernelOptions } from "../../src/boot/grub/kernel-options.ts";
import { lzmaStream } from "../../src/boot/grub/lzma.ts";
import { quotedWord } from "../../src/boot/grub/quote.ts";
import { DiskwrightError } from "../../src/errors.ts";
import { efiImg, kernelImg } from "../support/grub-files.ts";
import { rawLzma } from "../support/lzma.ts";
import { describeWith } from "../support/referee.ts";

/** The characters that mean something to GRUB's script language, among others. */
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom(..."'\"\\$(){};|&<>*?[]#!=-~ \n\t%"),
    fc.string({ unit: "binary", maxLength: 1 }),
  ),
});

/**
 * The word that GRUB's script language makes of one that is quoted (GRUB manual, "Quoting"), or `undefined` for
 * something that is not one literal word.
 */
function unquoted(word: string): string | undefined {
  let result = "";
  for (let at = 0; at < word.length; ) {
    const character = word[at]!;
    if (character === "'") {
      const end = word.indexOf("'", at + 1);
      if (end < 0) return undefined;
      result += word.slice(at + 1, end);
      at = end + 1;
    } else if (character === "\\") {
      if (at + 1 === word.length) return undefined;
      result += word[at + 1];
      at += 2;
    } else if (/[\s"$(){};|&<>*?[\]#!~]/.test(character)) {
      return undefined;
    } else {
      result += character;
      at++;
    }
  }
  return word === "" ? undefined : result;
}

describe("a quoted word", () => {
  it("is one word that stands for the text", () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(unquoted(quotedWord(value))).toBe(value);
      }),
    );
  });
});

const SPACE = /[ \t\n\v\f\r]/;

/** The parameters that a kernel finds in a line (lib/cmdline.c, next_arg). */
function parameters(line: string): string[] {
  const found: string[] = [];
  let at = 0;
  for (;;) {
    while (SPACE.test(line[at] ?? "")) at++;
    if (at >= line.length) return found.filter((word) => word !== "");
    const isQuoted = line[at] === '"';
    if (isQuoted) at++;
    const start = at;
    let isInside = isQuoted;
    let equals = start;
    for (; at < line.length && (isInside || !SPACE.test(line[at]!)); at++) {
      // As in the kernel: one at the very start does not count.
      if (equals === start && line[at] === "=") equals = at;
      if (line[at] === '"') isInside = !isInside;
    }
    let end = at;
    let value = equals === start ? undefined : equals + 1;
    if (value !== undefined && line[value] === '"') {
      value++;
      if (line[end - 1] === '"' && end > value) end--;
    }
    if (isQuoted && end === at && line[end - 1] === '"' && end > start) end--;
    found.push(
      value === undefined ? line.slice(start, end) : `${line.slice(start, equals)}=${line.slice(value, end)}`,
    );
  }
}

/** The line that GRUB makes of words (lib/cmdline.c, grub_create_loader_cmdline). */
function grubLine(words: readonly string[]): string {
  const escaped = words.map((word) => word.replace(/["'\\]/g, "\\$&"));
  return escaped.map((word) => (word.includes(" ") ? `"${word}"` : word)).join(" ");
}

describe("the options of a kernel", () => {
  it("reach it through GRUB as they were given, or are refused", () => {
    const character = fc.constantFrom(..."ab= \"\t\n\u00a0'\\");
    let handedOn = 0;
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 12 }), (line) => {
        const { words, problems } = kernelOptions(line);
        if (problems.length > 0) return;
        handedOn++;
        expect(parameters(grubLine(words))).toEqual(parameters(line));
      }),
      { numRuns: 10_000 },
    );
    expect(handedOn).toBeGreaterThan(100);
  });
});

describeWith(["xz"], "the LZMA stream", () => {
  it("unpacks to what was packed, and is the same every time", () => {
    // What repeats itself near and far, as programs do.
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.tuple(fc.nat(255), fc.nat(400)).map(([byte, count]) => new Uint8Array(count).fill(byte)),
    );
    const parts = fc
      .tuple(fc.array(part, { minLength: 1, maxLength: 5 }), fc.array(fc.nat(4), { maxLength: 40 }))
      .map(([distinct, order]) => order.map((index) => distinct[index % distinct.length]!));
    fc.assert(
      fc.property(parts, fc.nat(255), (pieces, first) => {
        const bytes = Uint8Array.from([first, ...pieces.flatMap((piece) => [...piece])]);
        const stream = lzmaStream(bytes);
        expect(rawLzma(stream, bytes.length)).toEqual(Buffer.from(bytes));
        lzmaStream(Uint8Array.from({ length: 5000 }, (_, index) => index * first));
        expect(lzmaStream(bytes)).toEqual(stream);
      }),
    );
  });
});

describe("a damaged file of GRUB's", () => {
  it.each([
    ["kernel", kernelImg(), (bytes: Uint8Array) => void kernelBytes(bytes)],
    ["program for UEFI", efiImg("/EFI/debian"), (bytes: Uint8Array) => void readEfiImage(bytes, "x")],
  ])("is read or refused: a %s", (_, sound, read) => {
    const change = fc.tuple(fc.nat(sound.length - 1), fc.nat(255));
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.nat(sound.length),
        (changes, length) => {
          const damaged = sound.slice();
          for (const [at, byte] of changes) damaged[at] = byte;
          for (const bytes of [damaged, damaged.subarray(0, length)]) {
            try {
              read(bytes);
            } catch (error) {
              if (!(error instanceof DiskwrightError)) throw error;
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
