import fc from "fast-check";
import { utf8 } from "../../src/bytes/index.ts";
import { foldedName, longNameProblem } from "../../src/fat32/names.ts";
import type { Entry } from "../../src/tree/index.ts";

const anyName: fc.Arbitrary<string> = fc
  .oneof(
    fc.constantFrom(
      "EFI",
      "BOOT",
      "a",
      "long file name.conf",
      "LONGFI~1",
      "longfi~2.con",
      "x+y",
      ".dot",
      " s",
    ),
    fc.string({ unit: fc.constantFrom(..."abcXYZ019 ._-~+é日😀"), minLength: 1, maxLength: 40 }),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
    fc.integer({ min: 1, max: 255 }).map((length) => "n".repeat(length)),
  )
  .filter(
    (text) =>
      longNameProblem(text) === undefined && utf8(text).length <= 255 && text !== "." && text !== "..",
  )
  // Half of a surrogate pair is not UTF-8.
  .filter((text) => !/\p{Surrogate}/u.test(text));

const moment = fc.bigInt({ min: -(10n ** 18n), max: 5n * 10n ** 18n });

/** Entries below random paths; what FAT takes for the same name comes once. */
export const anyFatTree: fc.Arbitrary<Entry[]> = fc
  .array(
    fc.record({
      names: fc.array(anyName, { minLength: 1, maxLength: 6 }),
      isFile: fc.boolean(),
      content: fc.uint8Array({ maxLength: 3000 }),
      mtime: moment,
    }),
    { maxLength: 40, size: "max" },
  )
  .map((list) => {
    const taken = new Map<string, { path: string; isFile: boolean }>();
    const entries: Entry[] = [];
    for (const { names, isFile, content, mtime } of list) {
      const keys = names.map((_, at) =>
        names
          .slice(0, at + 1)
          .map(foldedName)
          .join("/"),
      );
      // A parent must not be a file, nor be known in another case of letters.
      const fits = keys.every((key, at) => {
        const other = taken.get(key);
        if (other === undefined) return true;
        return at < names.length - 1 && !other.isFile && other.path === names.slice(0, at + 1).join("/");
      });
      if (!fits) continue;
      const path = names.join("/");
      keys.forEach((key, at) => {
        const isLast = at === names.length - 1;
        if (!taken.has(key))
          taken.set(key, { path: names.slice(0, at + 1).join("/"), isFile: isLast && isFile });
      });
      entries.push(isFile ? { path, type: "file", content, mtime } : { path, type: "directory", mtime });
    }
    return entries;
  });
