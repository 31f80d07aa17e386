import {
  bytes,
  fields,
  iterable,
  type Kind,
  kindOf,
  list,
  number,
  oneOf,
  optional,
  type Required,
  routine,
  shownValue,
  withMethods,
} from "../arguments/index.ts";
import type {
  BytesContent,
  Content,
  FileContent,
  FileStamp,
  FunctionContent,
  JoinedContent,
  StoredRange,
} from "./content.ts";

// What the types of this room look like at run time.

/** A whole number of bytes, 0 or more. */
export const byteCount: Required = kindOf(
  "a whole number of bytes",
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
);

const storedRange = fields<StoredRange>("a stored range", { offset: byteCount, length: byteCount });

const wideInteger = kindOf("a bigint", (value) => typeof value === "bigint");

const fileStamp = fields<FileStamp>("a stamp of a file", {
  device: wideInteger,
  inode: wideInteger,
  size: byteCount,
  mtimeSeconds: number,
  mtimeNanoseconds: number,
});

const CONTENT_KINDS: Readonly<Record<Content["type"], Kind>> = {
  bytes: fields<BytesContent>("content of the type bytes", { type: oneOf("bytes"), size: byteCount, bytes }),
  file: fields<FileContent>("content of the type file", {
    type: oneOf("file"),
    size: byteCount,
    path: bytes,
    descriptor: optional(number),
    start: optional(byteCount),
    stored: optional(list(storedRange)),
    stamp: optional(fileStamp),
  }),
  // A reader may keep what it needs in the object itself.
  function: fields<FunctionContent>(
    "content of the type function",
    { type: oneOf("function"), size: byteCount, read: routine },
    { isOpen: true },
  ),
  joined: fields<JoinedContent>("content of the type joined", {
    type: oneOf("joined"),
    size: byteCount,
    parts: list(kindOf("content", (value) => contentKind.problem(value) === undefined)),
  }),
};

const TYPES = ["bytes", "file", "function", "joined"] as const;
const contentType = oneOf(...TYPES);

/** A reference to content. */
export const contentKind: Required = {
  isOptional: false,
  expected: "content, such as bytesContent(…) gives",
  problem(value) {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) {
      return { path: "", message: `is ${shownValue(value)}: give ${contentKind.expected}` };
    }
    const { type, size } = value as { readonly type?: unknown; readonly size?: unknown };
    const unknown = contentType.problem(type);
    if (unknown !== undefined) {
      const isPlain = typeof type === "string" || Object.getPrototypeOf(value) === Object.prototype;
      return isPlain
        ? { path: `.type${unknown.path}`, message: unknown.message }
        : { path: "", message: `is ${shownValue(value)}: give ${contentKind.expected}` };
    }
    const problem = CONTENT_KINDS[type as Content["type"]].problem(value);
    if (problem !== undefined || type !== "bytes") return problem;
    const { length } = (value as BytesContent).bytes;
    return size === length
      ? undefined
      : { path: ".size", message: `is ${shownValue(size)}, but there are ${length} bytes` };
  },
};

/** What stops work: an AbortSignal, or something like it. */
export const signalKind: Required = {
  isOptional: false,
  expected: "an AbortSignal",
  problem(value) {
    const isSignal =
      typeof value === "object" && value !== null && typeof Reflect.get(value, "aborted") === "boolean";
    return isSignal ? undefined : { path: "", message: `is ${shownValue(value)}: give an AbortSignal` };
  },
};

/** What opens host files. */
export const readerKind: Required = withMethods("a ContentReader", "read", "verify", "close");

/** Where an image goes. */
export const targetKind: Required = withMethods(
  "a Target, such as fileTarget(path) or memoryTarget() gives",
  "begin",
  "write",
  "commit",
  "abort",
);

/** What holds bytes. */
export const sourceKind: Required = {
  isOptional: false,
  expected: "a ByteSource, such as bytesSource(bytes) or fileSource(path) gives",
  problem(value) {
    const problem = withMethods(sourceKind.expected, "read").problem(value);
    if (problem !== undefined) return problem;
    const wrong = byteCount.problem((value as { readonly size?: unknown }).size);
    return wrong && { ...wrong, path: ".size" };
  },
};

export const extentsKind: Required = iterable("extents in ascending order");
