/** How much of a text a message shows, in UTF-16 code units. */
const LONGEST = 64;

/** A value of any type as a message shows it, on one line. */
export function shownValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return shownText(value);
    case "bigint":
      return `${value}n`;
    case "function":
      return "a function";
    case "symbol":
      return "a symbol";
    case "object":
      return value === null ? "null" : shownObject(value);
    default:
      return String(value);
  }
}

function shownText(text: string): string {
  const start = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  // JSON escapes control characters; the rest of what deceives a reader is escaped the same way.
  return JSON.stringify(start).replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

function shownObject(value: object): string {
  if (Array.isArray(value)) return "an array";
  const name: unknown = value.constructor?.name;
  if (typeof name !== "string" || !/^[\w$]+$/.test(name) || name === "Object") return "an object";
  return `${/^[AEIOU]/.test(name) && !name.startsWith("Ui") ? "an" : "a"} ${name}`;
}
