import {
  bytes,
  either,
  fields,
  instanceOf,
  type Kind,
  kindOf,
  list,
  number,
  oneOf,
  optional,
  type Problem,
  type Required,
  shownValue,
  text,
} from "../arguments/index.ts";
import { contentKind, isBlob } from "../extents/index.ts";
import type { DataRange, Device, Entry, EntryType } from "./entry.ts";
import { Tree } from "./tree.ts";

// What the types of this room look like at run time.

/** A tree. */
export const treeKind: Required = instanceOf("a Tree, such as treeOf([…]) gives", Tree);

/** The id of a user or a group. */
export const ownerId: Required = kindOf(
  "a whole number from 0 to 4294967295",
  (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 2 ** 32 - 1,
);

const TYPES: readonly EntryType[] = [
  "file",
  "directory",
  "symlink",
  "hardlink",
  "character",
  "block",
  "fifo",
  "socket",
];

const textOrBytes = either(text, bytes);

/** What a file holds. What is none of what is simple is looked at as a reference. */
const fileContent: Kind = {
  expected: "a Uint8Array, text, a Blob or content such as bytesContent(…) gives",
  problem(value) {
    if (typeof value === "string" || value instanceof Uint8Array || isBlob(value)) return undefined;
    const problem = contentKind.problem(value);
    if (problem === undefined || problem.path !== "") return problem;
    return { path: "", message: `is ${shownValue(value)}: give ${fileContent.expected}` };
  },
};

const time: Kind = {
  expected: "nanoseconds since 1970 as a BigInt",
  problem(value) {
    if (typeof value === "bigint") return undefined;
    const remedy =
      typeof value === "number"
        ? `give nanoseconds since 1970 as a BigInt, of seconds BigInt(seconds) * 1_000_000_000n`
        : `give ${time.expected}`;
    return { path: "", message: `is ${shownValue(value)}: ${remedy}` };
  },
};

const attributes: Kind = {
  expected: "a Map of names to bytes",
  problem(value) {
    const isMap =
      typeof value === "object" &&
      value !== null &&
      Symbol.iterator in value &&
      typeof Reflect.get(value, "get") === "function";
    return isMap
      ? undefined
      : { path: "", message: `must be ${attributes.expected}, and is ${shownValue(value)}` };
  },
};

const entryKind = fields<Entry>("an entry", {
  path: textOrBytes,
  type: oneOf(...TYPES),
  mode: optional(number),
  uid: optional(number),
  gid: optional(number),
  mtime: optional(time),
  content: optional(fileContent),
  data: optional(list(fields<DataRange>("a data range", { offset: number, length: number }))),
  target: optional(textOrBytes),
  device: optional(fields<Device>("a device number", { major: number, minor: number })),
  xattrs: optional(attributes),
});

/** What makes a value no entry; `undefined` when it is one. */
export function entryProblem(value: Entry): Problem | undefined {
  const problem = entryKind.problem(value);
  if (problem !== undefined) return problem;
  const field = strayField(value);
  if (field === undefined) return undefined;
  return { path: "", message: `is of the type ${value.type}, which has no ${field}: remove it` };
}

/** A field that entries of the type do not have: what it says would be lost. Written out: a tree has a million entries. */
function strayField({ type, content, data, target, device }: Entry): keyof Entry | undefined {
  if (type !== "file") {
    if (content !== undefined) return "content";
    if (data !== undefined) return "data";
  }
  if (target !== undefined && type !== "symlink" && type !== "hardlink") return "target";
  if (device !== undefined && type !== "character" && type !== "block") return "device";
  return undefined;
}
