import { checkArgument, iterable, type Problem } from "../arguments/index.ts";
import { blobContent, bytesContent, type Content, isBlob } from "../extents/index.ts";
import { entryProblem } from "./arguments.ts";
import type { RowAttributes } from "./builder.ts";
import { TreeDraft } from "./draft.ts";
import type { DataRange, Entry } from "./entry.ts";
import { PERMISSION_MASK, typeBits } from "./mode.ts";
import { climbs, pathBytes, shownPath } from "./path.ts";
import type { Tree } from "./tree.ts";
import { xattrProblems } from "./xattrs.ts";

/**
 * A tree of plain entries, in any order. Parents that are not given are made: 0755, root:root, 1970.
 *
 * @throws DiskwrightError `INVALID_TREE`, naming every entry that cannot be stored: a path that is given
 *   twice, that climbs out with `..`, or that leads through something that is no directory; a hard link to
 *   nothing, to a directory, or to itself; a value out of range, of another type, or of an unknown field.
 * @throws TypeError for what is no iterable of entries.
 */
export function treeOf(entries: Iterable<Entry>): Tree {
  checkArgument("entries", entries, ENTRIES);
  const draft = new TreeDraft();
  const contents: Content[] = [];
  draft.addOrigin({ content: (key) => contents[key]! });
  let index = 0;
  for (const entry of entries) {
    const problem = entryProblem(entry);
    if (problem === undefined) insert(draft, entry, contents);
    else draft.problems.push(shownProblem(entry, index, problem));
    index++;
  }
  return draft.finish();
}

const ENTRIES = iterable("an iterable of entries, such as an array");

/** What is wrong with an entry, which is named by its path where it has one. */
function shownProblem(entry: Entry, index: number, { path, message }: Problem): string {
  const named: unknown = (entry as Partial<Entry> | null | undefined)?.path;
  const isPath = typeof named === "string" || named instanceof Uint8Array;
  const who = isPath ? shownPath(named) : `entries[${index}]`;
  return path === "" ? `${who} ${message}` : `${who}: ${path.slice(1)} ${message}`;
}

function insert(draft: TreeDraft, entry: Entry, contents: Content[]): void {
  const path = encoded(entry.path);
  if (climbs(path)) {
    draft.problems.push(`${shownPath(path)}: ".." would leave the tree`);
    return;
  }
  const existing = draft.find(path);
  if (existing !== undefined && !draft.isImplied(existing)) {
    draft.problems.push(`${shownPath(path)}: given twice`);
  } else if (existing !== undefined && existing !== 0 && entry.type !== "directory") {
    draft.problems.push(`${shownPath(path)}: is a ${entry.type}, but other entries lie below it`);
  } else if (entry.type === "hardlink") {
    draft.putLink(path, pathBytes(entry.target ?? ""));
  } else {
    draft.put(path, attributes(entry, contents, draft.problems));
  }
}

const encoder = new TextEncoder();

/** Room for the path of one entry at a time: a buffer of its own for each would cost more than all else. */
let room = new Uint8Array(4096);

/** The bytes of a path, until the next call. */
function encoded(path: string | Uint8Array): Uint8Array {
  if (typeof path !== "string") return path;
  // A character of UTF-16 takes at most three bytes of UTF-8.
  if (3 * path.length > room.length) room = new Uint8Array(6 * path.length);
  return room.subarray(0, encoder.encodeInto(path, room).written);
}

const LARGEST_ID = 2 ** 32 - 1;
const NANOSECONDS = 1_000_000_000n;

function attributes(entry: Entry, contents: Content[], problems: string[]): RowAttributes {
  const type = entry.type as Exclude<Entry["type"], "hardlink">;
  const mode = entry.mode ?? (type === "directory" ? 0o755 : type === "symlink" ? 0o777 : 0o644);
  const { uid = 0, gid = 0, mtime = 0n } = entry;
  for (const problem of rangeProblems(entry, mode, uid, gid))
    problems.push(`${shownPath(entry.path)}: ${problem}`);
  const unfit = entry.xattrs === undefined ? [] : [...xattrProblems(entry.xattrs)];
  for (const problem of unfit) problems.push(`${shownPath(entry.path)}: ${problem}`);
  // Whole seconds round towards the past, so that the nanoseconds after them are never negative.
  const nanoseconds = mtime === 0n ? 0n : ((mtime % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  const content = type === "file" ? contentOf(entry) : undefined;
  if (content !== undefined && contents.at(-1) !== content) contents.push(content);
  return {
    mode: typeBits(type) | (mode & PERMISSION_MASK),
    uid,
    gid,
    mtimeSeconds: Number((mtime - nanoseconds) / NANOSECONDS),
    mtimeNanoseconds: Number(nanoseconds),
    size: content?.size,
    origin: 0,
    key: Math.max(0, contents.length - 1),
    target: type === "symlink" ? pathBytes(entry.target ?? "") : undefined,
    device: isDevice(type) ? entry.device : undefined,
    data: content === undefined ? undefined : entry.data,
    xattrs: unfit.length > 0 ? undefined : entry.xattrs,
  };
}

function isDevice(type: Entry["type"]): boolean {
  return type === "character" || type === "block";
}

function* rangeProblems(entry: Entry, mode: number, uid: number, gid: number): Generator<string> {
  if (!isWithin(mode, PERMISSION_MASK)) yield `mode ${mode} is not within 0 … 0o7777`;
  if (!isWithin(uid, LARGEST_ID)) yield `owner ${uid} is not within 0 … 4294967295`;
  if (!isWithin(gid, LARGEST_ID)) yield `group ${gid} is not within 0 … 4294967295`;
  if (isDevice(entry.type) && entry.device === undefined) yield "a device needs its number";
  if (isDevice(entry.type) && entry.device !== undefined) {
    const { major, minor } = entry.device;
    if (!isWithin(major, 0xfff) || !isWithin(minor, 0xfffff)) {
      yield `device ${major}:${minor} is not within 0 … 4095 : 0 … 1048575`;
    }
  }
  if (entry.type === "symlink") {
    const target = pathBytes(entry.target ?? "");
    if (target.length === 0) yield "a symlink needs a target";
    if (target.includes(0)) yield "the target of a symlink cannot contain a NUL byte";
  }
  if (entry.data !== undefined) yield* dataProblems(entry.data, contentOf(entry).size);
}

function* dataProblems(data: readonly DataRange[], size: number): Generator<string> {
  let end = 0;
  for (const { offset, length } of data) {
    if (
      !Number.isSafeInteger(offset) ||
      !Number.isSafeInteger(length) ||
      offset < end ||
      length <= 0 ||
      offset + length > size
    ) {
      yield `the data range of ${length} bytes at ${offset} is empty, out of order, or beyond the size of ${size}`;
      return;
    }
    end = offset + length;
  }
}

function isWithin(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= limit;
}

const EMPTY: Content = bytesContent(new Uint8Array(0));

function contentOf({ content }: Entry): Content {
  if (content === undefined) return EMPTY;
  if (content instanceof Uint8Array || typeof content === "string") return bytesContent(pathBytes(content));
  return isBlob(content) ? blobContent(content) : content;
}
