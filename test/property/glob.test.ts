import fc from "fast-check";
import picomatch from "picomatch";
import { describe, expect, it } from "vitest";
import { nameMatcher, pathMatcher } from "../../src/glob/index.ts";

// Patterns mean what picomatch 4 makes of them, which was used before, but for what the unit tests list.

const letter = fc.constantFrom("a", "b", ".", "-");
const name = fc
  .string({ unit: letter, minLength: 1, maxLength: 5 })
  .filter((text) => text !== "." && text !== "..");
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("/"));

const bracket = fc
  .tuple(fc.constantFrom("", "^"), fc.constantFrom("a", "ab", "a-b", "b-", ".", "a\\-"))
  .map(([sign, set]) => `[${sign}${set}]`);
const simple = fc.oneof(
  { weight: 4, arbitrary: letter },
  { weight: 2, arbitrary: fc.constantFrom("*", "?") },
  { weight: 1, arbitrary: fc.constantFrom("\\*", "\\?", "\\a", "#", "@", ",", "~") },
  { weight: 1, arbitrary: bracket },
);
const part = fc.array(simple, { minLength: 1, maxLength: 4 }).map((items) => items.join(""));
const group = fc
  .tuple(part, part, fc.constantFrom("", ","))
  .map(([one, other, last]) => `{${one},${other}${last}}`);
/** How picomatch reads wildcards in these groups depends on the pattern around them. */
const word = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 2 });
const extended = fc
  .tuple(fc.constantFrom("@", "?"), fc.array(word, { minLength: 1, maxLength: 2 }))
  .map(([kind, choices]) => `${kind}(${choices.join("|")})`);
const segment = fc.oneof(
  { weight: 3, arbitrary: part },
  { weight: 1, arbitrary: fc.tuple(part, group, part).map((parts) => parts.join("")) },
  { weight: 1, arbitrary: fc.tuple(part, extended, part).map((parts) => parts.join("")) },
);
const pattern = fc
  .array(fc.oneof({ weight: 4, arbitrary: segment }, { weight: 1, arbitrary: fc.constant("**") }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((segments) => segments.join("/"))
  // Two stars that are no segment, what picomatch reads as a part of a regular expression, and stars in groups that have
  // others behind them, for which it wants a character that no shell wants.
  .filter(
    (text) =>
      !/[^/]\*\*|\*\*[^/]|[\])}][?*]|^\.\/|\*[?*]\(|\\a|\.\.|(^|\/)\*\.\*$|[*?][},].*[*?]|\).*\*\*/.test(
        text,
      ),
  );

/** As picomatch was used: names for patterns without a slash, paths for others. */
function before(text: string): (path: string) => boolean {
  const isMatch = picomatch(text, { dot: true });
  return (path) => isMatch(text.includes("/") ? path : path.slice(path.lastIndexOf("/") + 1));
}

describe("a pattern", () => {
  it("matches the paths that picomatch lets it match", () => {
    fc.assert(
      fc.property(pattern, fc.array(path, { minLength: 1, maxLength: 8 }), (text, paths) => {
        const isMatch = pathMatcher([text]);
        const other = before(text);
        for (const one of paths) expect([text, one, isMatch(`/${one}`)]).toEqual([text, one, other(one)]);
      }),
      { numRuns: 2000 },
    );
  });

  it("among many matches what it matches alone", () => {
    fc.assert(
      fc.property(
        fc.array(pattern, { maxLength: 12 }),
        fc.array(path, { minLength: 1, maxLength: 12 }),
        (patterns, paths) => {
          const alone = patterns.map((one) => pathMatcher([one]));
          const together = pathMatcher(patterns);
          for (const one of paths)
            expect(together(`/${one}`)).toBe(alone.some((isMatch) => isMatch(`/${one}`)));
        },
      ),
    );
  });

  it("of one name matches what picomatch lets it match in a shell's syntax", () => {
    fc.assert(
      fc.property(part, fc.array(name, { minLength: 1, maxLength: 8 }), (text, names) => {
        fc.pre(!/\*\*|^\\|^\[|^\?|\\a|^\*\.\*$/.test(text));
        const isMatch = nameMatcher(text);
        const other = picomatch(text, { dot: text.startsWith("."), nobrace: true, noextglob: true });
        for (const one of names) expect([text, one, isMatch(one)]).toEqual([text, one, other(one)]);
      }),
    );
  });
});
