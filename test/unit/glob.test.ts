import { describe, expect, it } from "vitest";
import { nameMatcher, pathMatcher } from "../../src/glob/index.ts";

function matching(pattern: string, paths: readonly string[]): string[] {
  const isMatch = pathMatcher([pattern]);
  return paths.filter((path) => isMatch(path));
}

describe("patterns of paths", () => {
  it.each<[pattern: string, matched: string[], others: string[]]>([
    ["*.pyc", ["/a.pyc", "/x/y/a.pyc", "/.pyc"], ["/a.pyc/b", "/a.py"]],
    ["cache", ["/cache", "/var/cache"], ["/caches", "/var/cache/x"]],
    ["/cache", ["/cache"], ["/var/cache"]],
    ["cache/", ["/cache", "/var/cache"], []],
    ["var/cache", ["/var/cache"], ["/x/var/cache"]],
    ["var//cache///", ["/var/cache"], []],
    ["./var/*", ["/var/x"], ["/var", "/var/x/y"]],
    ["**", ["/a", "/a/b"], []],
    ["**/b", ["/b", "/a/b", "/a/x/b"], ["/ab"]],
    ["a/**", ["/a", "/a/b", "/a/b/c"], ["/ab", "/b"]],
    ["a*/**", ["/ab/c", "/a/b/c"], ["/a", "/ab"]],
    ["a/**/b", ["/a/b", "/a/x/y/b"], ["/b", "/a/bb"]],
    ["a**b", ["/ab", "/axb", "/x/axb"], ["/a/b"]],
    ["[!a]", ["/b", "/ä", "/😀"], ["/a", "/bb"]],
    ["[a-c]x", ["/bx"], ["/dx", "/-x"]],
    ["[]x]", ["/]", "/x"], ["/a"]],
    ["[[:upper:][:digit:]_]", ["/A", "/7", "/_"], ["/a", "/:"]],
    ["[a", ["/[a"], ["/a"]],
    ["[a/b]", ["/[a/b]"], ["/a", "/b"]],
    ["[z-a]", ["/[z-a]"], ["/x"]],
    ["x[1].txt", ["/x1.txt", "/x[1].txt"], ["/x[1]"]],
    ["?", ["/a", "/😀"], ["/ab"]],
    ["\\*\\?\\[a]\\{b,c}", ["/*?[a]{b,c}"], ["/xx"]],
    ["a\\", ["/a\\"], []],
    ["*.{js,ts}", ["/a.js", "/x/a.ts"], ["/a.jsx", "/a."]],
    ["{a,b/{c,d}}/e", ["/a/e", "/b/c/e", "/b/d/e"], ["/x/a/e"]],
    ["x{,.old}", ["/x", "/x.old"], ["/xold"]],
    ["{a}", ["/{a}"], ["/a"]],
    ["{a,b", ["/{a,b"], ["/a"]],
    ["v{9..11}", ["/v9", "/v10", "/v11"], ["/v1", "/v12"]],
    ["v{01..10}", ["/v01", "/v10"], ["/v1"]],
    ["{c..a}", ["/a", "/b", "/c"], ["/d"]],
    ["(a|b)", ["/a", "/b"], ["/(a|b"]],
    ["copy (1)", ["/copy (1)"], ["/copy 1"]],
    ["!(a)", ["/b", "/aa", "/x/b"], ["/a"]],
    ["!(*.keep|b)", ["/x"], ["/a.keep", "/b"]],
    ["a+(b|c)", ["/ab", "/acbc"], ["/a", "/abd"]],
    ["!a", ["/b", "/ab"], ["/a", "/x/a"]],
    ["!!a", ["/a"], ["/b"]],
  ])("%s", (pattern, matched, others) => {
    expect(matching(pattern, [...matched, ...others])).toEqual(matched);
  });

  it("of many, one that excepts leaves the others as they are", () => {
    const isMatch = pathMatcher(["a", "!a*"]);
    expect(["/a", "/ab", "/b"].filter(isMatch)).toEqual(["/a", "/b"]);
  });

  it.each([
    ["*x".repeat(32_769), /more than 65536 characters/],
    ["{1..1000000}", /stands for 1000000 names, 10000 are the limit/],
    ["{a/,b/}".repeat(20), /its groups stand for more than 10000 patterns/],
    ["+(a/b)", /a slash cannot be in/],
    [`${"{a,".repeat(60)}b${"}".repeat(60)}`, /nested more than 50 deep/],
  ])("are refused with a reason: %#", (pattern, message) => {
    expect(() => pathMatcher([pattern])).toThrow(
      expect.objectContaining({ code: "INVALID_SPEC", message: expect.stringMatching(message) }),
    );
  });

  it.each([
    ["*a".repeat(5000), "a".repeat(2000)],
    [`${"*a".repeat(40)}b`, "a".repeat(20_000)],
    [`${"?(a)".repeat(200)}${"a".repeat(200)}`, "a".repeat(250)],
    [`${"{a,aa}".repeat(200)}b`, "a".repeat(250)],
    [`${"*(a)".repeat(100)}b`, "a".repeat(250)],
    ["+(+(+(+(+(a)))))b", "a".repeat(2000)],
    ["!(*a*a*a*a*a*a*a*a*b)x", "a".repeat(250)],
    [`${"!(".repeat(30)}a${")".repeat(30)}`, "a".repeat(250)],
    [`${"**/a/".repeat(500)}b`, "a/".repeat(2000).slice(0, -1)],
    ["(".repeat(60_000), "a"],
    ["[".repeat(60_000), "a"],
    ["[a".repeat(20_000).concat("/"), "a"],
    ["{(".repeat(30_000), "a"],
    ["/".repeat(60_000).concat("x"), "x"],
    ["[[:".repeat(20_000), "a"],
    ["!".repeat(60_000), "a"],
  ])("takes no longer for one that is made to take long: %#", (pattern, name) => {
    const from = performance.now();
    pathMatcher([pattern])(`/${name}`);
    expect(performance.now() - from).toBeLessThan(2000);
  });

  it.each<[what: string, paths: number, pattern: (index: number) => string]>([
    ["suffixes", 50_000, (index) => `*.x${index}`],
    ["prefixes", 50_000, (index) => `/usr/share/x${index}*`],
    ["names", 50_000, (index) => `/usr/share/x${index}`],
    ["parts of names", 50_000, (index) => `*x${index}*`],
    ["words", 50_000, (index) => `*ab${index}*c*`],
    ["groups", 50_000, (index) => `f*(a|b)${index}!(c)`],
    ["depths", 50_000, (index) => `**/x${index}/**/*.o`],
    // Too many sets of bits come of these to keep them.
    ["letters", 5000, (index) => `*${letter(index)}*${index % 10}*${index % 7}?[!${index % 9}]x`],
    [
      "letters that match",
      10_000,
      (index) => `*${letter(index)}*${index % 10}*${index % 7}?[!${index % 9}]*`,
    ],
  ])("takes two thousand of %s on %i paths", (_, paths, pattern) => {
    const isMatch = pathMatcher(Array.from({ length: 2000 }, (_, index) => pattern(index)));
    const from = performance.now();
    for (let index = 0; index < paths; index++) {
      const name = `${(index * 7919).toString(36)}-file name ${index}.txt`;
      isMatch(`/usr/share/doc/${index % 500}/${name}`);
    }
    // A tenth of it on a machine that is idle.
    expect(performance.now() - from).toBeLessThan(5000);
  });

  it("says the same of a name whether sets of bits are kept or not", () => {
    const patterns = Array.from(
      { length: 300 },
      (_, index) => `*${letter(index)}*${letter(7 * index)}?[!${index % 9}]*`,
    );
    const alone = patterns.map((pattern) => pathMatcher([pattern]));
    const names = Array.from({ length: 3000 }, (_, index) => `${(index * 7_919_777).toString(36)}${index}`);
    const isMatch = pathMatcher(patterns);
    const found = names.filter((name) => isMatch(`/${name}`));
    expect(found.length).toBeGreaterThan(0);
    expect(found).toEqual(names.filter((name) => alone.some((isMatch) => isMatch(`/${name}`))));
  });
});

function letter(index: number): string {
  return String.fromCharCode(97 + (index % 26));
}

describe("patterns of names", () => {
  it("are a shell's own wildcards, and leave out names that begin with a dot", () => {
    const names = ["a", "ab", ".a", "{a,b}", "a(b)", "[a]"];
    expect(names.filter(nameMatcher("*"))).toEqual(["a", "ab", "{a,b}", "a(b)", "[a]"]);
    expect(names.filter(nameMatcher(".*"))).toEqual([".a"]);
    expect(names.filter(nameMatcher("{a,?}"))).toEqual(["{a,b}"]);
    expect(names.filter(nameMatcher("a(?)"))).toEqual(["a(b)"]);
  });
});
