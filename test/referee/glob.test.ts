import fc from "fast-check";
import { expect, it } from "vitest";
import { pathMatcher } from "../../src/glob/index.ts";
import { describeWith, run } from "../support/referee.ts";

// bash says what groups mean: @(a|b), ?(a), *(a), +(a) and !(a), within each other too.

const literal = fc.constantFrom("a", "b", "c", "-");
const wildcard = fc.constantFrom("*", "?", "[ab]", "[!a]", "[^b-c]", "[]a]", "[[:digit:]a]", "\\*", "\\(");
const { items } = fc.letrec<{ items: string; item: string }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 3 },
    { weight: 4, arbitrary: literal },
    { weight: 2, arbitrary: wildcard },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom("@", "?", "*", "+"), fc.array(tie("items"), { minLength: 1, maxLength: 3 }))
        .map(([kind, choices]) => `${kind}(${choices.join("|")})`),
    },
  ),
  items: fc.array(tie("item"), { minLength: 1, maxLength: 4 }).map((parts) => parts.join("")),
}));
const excepting = fc
  .tuple(fc.constantFrom("", "a", "-"), fc.array(items, { minLength: 1, maxLength: 2 }), items)
  .map(([before, choices, behind]) => `${before}!(${choices.join("|")})${behind}`);
const pattern = fc
  .oneof(items, excepting)
  // Behind an asterisk, bash does not let a group be empty that may be.
  .filter((text) => !/\*[@?*+!]\(|^\**$|\*\*/.test(text));
const name = fc.string({
  unit: fc.constantFrom("a", "b", "c", "-", "]", "1", "(", "*"),
  minLength: 1,
  maxLength: 6,
});

describeWith(["bash"], "a pattern with groups", () => {
  it("matches what it matches in bash", () => {
    const cases = fc.sample(fc.tuple(pattern, name), 4000);
    const script =
      "shopt -s extglob; while IFS= read -r pattern && IFS= read -r name; do [[ $name == $pattern ]] && echo true || echo false; done";
    const input = cases.map(([text, one]) => `${text}\n${one}\n`).join("");
    const verdicts = run("bash", ["-c", script], input).stdout.trim().split("\n");
    expect(verdicts).toHaveLength(cases.length);
    for (const [index, [text, one]] of cases.entries()) {
      // A name that is written like the pattern is matched by it, whatever the pattern means.
      const expected = text === one || verdicts[index] === "true";
      const found = pathMatcher([text])(`/${one}`);
      expect(`${text} ${one} ${found}`).toBe(`${text} ${one} ${expected}`);
    }
  });
});
