import * as v from "valibot";

// The kinds of values that fields have. Each says what it expects, and a reader adds what it found.

const SIZE_TEXT = /^\s*\d+(\.\d+)?\s*([KMGT](i?B)?|B)?\s*$/i;
const SIZE = 'a size: bytes, or text such as "512M"';

const bytes = v.pipe(v.number(SIZE), v.safeInteger(SIZE), v.minValue(0, SIZE));
const sizeText = v.pipe(v.string(SIZE), v.regex(SIZE_TEXT, SIZE));

/** Bytes, or text such as `512M`. */
export const size = v.union([bytes, sizeText], SIZE);

/** A size, or one of some words. */
export function sizeOr<const Words extends readonly string[]>(...words: Words) {
  const expected = `${SIZE}, or ${words.map((word) => `"${word}"`).join(" or ")}`;
  const sizeOrWord = v.pipe(v.string(expected), v.regex(SIZE_TEXT, expected));
  return v.union([bytes, v.picklist(words), sizeOrWord], expected);
}

export const text = v.pipe(v.string("text"), v.regex(/^[^\0]*$/, "text without a NUL"));

/** Text that is the path of a file of the host. */
export const hostPath = v.pipe(
  v.string("the path of a file"),
  v.regex(/^[^\0]+$/, "the path of a file, not empty"),
);

/** A path from the root of the tree. */
export const treePath = v.pipe(
  v.string('a path from the root of the tree, such as "/etc/hostname"'),
  v.regex(/^\/[^\0]*$/, 'a path from the root of the tree, such as "/etc/hostname"'),
);

/** A path of the tree whose slash in front may be missing. */
const TARGET = 'a path of the tree, such as "/etc/hostname"';
export const target = v.pipe(v.string(TARGET), v.regex(/^[^\0]+$/, TARGET));

export const flag = v.boolean("true or false");

const COUNT = "a whole number, 0 or more";
export const count = v.pipe(v.number(COUNT), v.safeInteger(COUNT), v.minValue(0, COUNT));

const POSITIVE = "a number above 0";
export const positive = v.pipe(v.number(POSITIVE), v.finite(POSITIVE), v.gtValue(0, POSITIVE));

const GUID = 'a GUID such as "0fc63daf-8483-4772-8e79-3d69d8477de4"';
export const guid = v.pipe(
  v.string(GUID),
  v.regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, GUID),
);

const NUMBER_32 = 'a number from 1 to 0xffffffff, or text such as "0x1234abcd"';
/** A number of 32 bits that is not 0. */
export const number32 = v.union(
  [
    v.pipe(
      v.number(NUMBER_32),
      v.integer(NUMBER_32),
      v.minValue(1, NUMBER_32),
      v.maxValue(0xffffffff, NUMBER_32),
    ),
    v.pipe(v.string(NUMBER_32), v.regex(/^(0x[0-9a-f]{1,8}|\d{1,10})$/i, NUMBER_32)),
  ],
  NUMBER_32,
);

const OWNER = 'two numbers, "UID:GID", such as "0:0"';
export const owner = v.pipe(v.string(OWNER), v.regex(/^\d+:\d+$/, OWNER));

const ID_MAP = 'ids as "INSIDE:OUTSIDE:COUNT", such as "0:100000:65536"';
const idRange = v.pipe(v.string(ID_MAP), v.regex(/^\d+:\d+:\d+$/, ID_MAP));
export const idMap = v.union([idRange, v.array(idRange, ID_MAP)], ID_MAP);

const MODE = 'a mode in quotes, such as "755" or "u=rwX,go=rX" (a number would be read in decimal)';
export const mode = v.pipe(v.string(MODE), v.regex(/^[0-7DFugoarwxXst,=+-]+$/, MODE));

/** One text, or a list of them. */
/** A level of compression. */
export const level = v.pipe(
  v.number("a number from 0 to 22"),
  v.integer("a number from 0 to 22"),
  v.minValue(0, "a number from 0 to 22"),
  v.maxValue(22, "a number from 0 to 22"),
);

export function oneOrMore(expected: string) {
  const item = v.pipe(v.string(expected), v.regex(/^[^\0]+$/, expected));
  return v.union([item, v.array(item, expected)], expected);
}

export function list<Schema extends v.GenericSchema>(item: Schema, expected: string) {
  return v.array(item, expected);
}

export function oneOf<const Words extends readonly string[]>(...words: Words) {
  return v.picklist(words, `one of ${words.join(", ")}`);
}

/** A field that may be missing, with what it means. */
export function field<Schema extends v.GenericSchema>(schema: Schema, description: string) {
  return v.optional(v.pipe(schema, v.description(description)));
}
