import { byteKey, compareBytes, printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../errors.ts";
import { bytesContent, type Content } from "../extents/index.ts";
import { PLAIN_DIRECTORY, type RowAttributes, TreeBuilder } from "./builder.ts";
import type { DataRange, Entry } from "./entry.ts";
import { PERMISSION_MASK, typeBits } from "./mode.ts";
import type { ContentOrigin, Tree } from "./tree.ts";
import { xattrProblems } from "./xattrs.ts";

/** A directory, file or link while the entries are still coming in, in any order. */
interface Node {
  readonly name: Uint8Array;
  /** `undefined` while the directory is only known from the paths of others. */
  entry: Entry | undefined;
  /** What lies in it, by the bytes of names; nearly all nodes are files, which have none. */
  children: Map<string, Node> | undefined;
  /** The row in the finished tree, once it has one. */
  row: number | undefined;
}

/**
 * A tree of plain entries, in any order. Parents that are not given are made: 0755, root:root, 1970.
 *
 * @throws DiskwrightError `INVALID_TREE`, naming every entry that cannot be stored: a path that is given
 *   twice, that climbs out with `..`, or that leads through something that is no directory; a hard link to
 *   nothing, to a directory, or to itself; a value out of range.
 */
export function treeOf(entries: Iterable<Entry>): Tree {
  const problems: string[] = [];
  const root = node(new Uint8Array(0));
  for (const entry of entries) insert(root, entry, problems);
  checkParents(root, "", problems);
  throwProblems("INVALID_TREE", "the tree cannot be stored", problems);

  const contents: Content[] = [];
  const origin: ContentOrigin = { content: (key) => contents[key]! };
  const attributesOf = (entry: Entry): RowAttributes => attributes(entry, contents, problems);
  const builder = new TreeBuilder(root.entry === undefined ? PLAIN_DIRECTORY : attributesOf(root.entry));
  root.row = 0;
  const pending = root.children === undefined ? [] : [root];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    const children = [...parent.children!.values()].sort((a, b) => compareBytes(a.name, b.name));
    for (const child of children) {
      const source = child.entry?.type === "hardlink" ? linkSource(root, child, problems) : child;
      if (source === undefined) continue;
      if (source.row !== undefined) {
        builder.addLink(parent.row!, child.name, source.row);
      } else {
        // The first name in the order of the tree holds the file, whichever entry carried it.
        source.row = builder.add(
          parent.row!,
          child.name,
          source.entry === undefined ? PLAIN_DIRECTORY : attributesOf(source.entry),
        );
      }
    }
    for (const child of children.reverse()) if (child.children !== undefined) pending.push(child);
  }
  throwProblems("INVALID_TREE", "the tree cannot be stored", problems);
  return builder.finish([origin]);
}

function node(name: Uint8Array): Node {
  return { name, entry: undefined, children: undefined, row: undefined };
}

function insert(root: Node, entry: Entry, problems: string[]): void {
  const names = splitPath(entry.path);
  if (names === undefined) {
    problems.push(`${shown(entry.path)}: ".." would leave the tree`);
    return;
  }
  let at = root;
  for (const name of names) {
    const key = byteKey(name);
    at.children ??= new Map();
    let next = at.children.get(key);
    if (next === undefined) at.children.set(key, (next = node(name)));
    at = next;
  }
  if (at.entry !== undefined) problems.push(`${shown(entry.path)}: given twice`);
  else if (at === root && entry.type !== "directory")
    problems.push(`${shown(entry.path)}: the root must be a directory`);
  else at.entry = entry;
}

const SLASH = 0x2f;
const DOT = 0x2e;

/** The names of a path from the root, or `undefined` when it holds `..`. */
function splitPath(path: string | Uint8Array): Uint8Array[] | undefined {
  const bytes = typeof path === "string" ? utf8(path) : path;
  const names: Uint8Array[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const slash = bytes.indexOf(SLASH, start);
    const end = slash < 0 ? bytes.length : slash;
    const name = bytes.subarray(start, end);
    if (name.length === 2 && name[0] === DOT && name[1] === DOT) return undefined;
    if (name.length > 1 || (name.length === 1 && name[0] !== DOT)) names.push(name);
    start = end + 1;
  }
  return names;
}

function checkParents(root: Node, rootPath: string, problems: string[]): void {
  const pending: [Node, string][] = [[root, rootPath]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [at, path] = next;
    if (at.children === undefined) continue;
    if (at.entry !== undefined && at.entry.type !== "directory") {
      problems.push(`${path}: is a ${at.entry.type}, but other entries lie below it`);
    }
    for (const child of at.children.values()) pending.push([child, `${path}/${printable(child.name)}`]);
  }
}

/** The node that a hard link leads to, over other hard links if need be. */
function linkSource(root: Node, link: Node, problems: string[]): Node | undefined {
  const seen = new Set<Node>();
  let at: Node | undefined = link;
  while (at?.entry?.type === "hardlink") {
    if (seen.has(at)) {
      problems.push(`${shown(link.entry!.path)}: the hard links lead in a circle`);
      return undefined;
    }
    seen.add(at);
    at = lookUp(root, at.entry.target ?? "");
  }
  if (at === undefined) {
    problems.push(
      `${shown(link.entry!.path)}: hard link to ${shown(link.entry!.target ?? "")}, which does not exist`,
    );
  } else if (at.entry === undefined || at.entry.type === "directory") {
    problems.push(
      `${shown(link.entry!.path)}: hard link to the directory ${shown(link.entry!.target ?? "")}`,
    );
    return undefined;
  }
  return at;
}

function lookUp(root: Node, path: string | Uint8Array): Node | undefined {
  let at: Node | undefined = root;
  for (const name of splitPath(path) ?? []) at = at?.children?.get(byteKey(name));
  return at;
}

const LARGEST_ID = 2 ** 32 - 1;
const NANOSECONDS = 1_000_000_000n;

function attributes(entry: Entry, contents: Content[], problems: string[]): RowAttributes {
  const type = entry.type as Exclude<Entry["type"], "hardlink">;
  const mode = entry.mode ?? (type === "directory" ? 0o755 : type === "symlink" ? 0o777 : 0o644);
  const { uid = 0, gid = 0, mtime = 0n } = entry;
  for (const problem of rangeProblems(entry, mode, uid, gid))
    problems.push(`${shown(entry.path)}: ${problem}`);
  const unfit = entry.xattrs === undefined ? [] : [...xattrProblems(entry.xattrs)];
  for (const problem of unfit) problems.push(`${shown(entry.path)}: ${problem}`);
  // Whole seconds round towards the past, so that the nanoseconds after them are never negative.
  const nanoseconds = ((mtime % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  const common = {
    mode: typeBits(type) | (mode & PERMISSION_MASK),
    uid,
    gid,
    mtimeSeconds: Number((mtime - nanoseconds) / NANOSECONDS),
    mtimeNanoseconds: Number(nanoseconds),
    ...(entry.xattrs === undefined || unfit.length > 0 ? {} : { xattrs: entry.xattrs }),
  };
  if (type === "file") {
    const content = contentOf(entry);
    contents.push(content);
    const row = { ...common, size: content.size, origin: 0, key: contents.length - 1 };
    return entry.data === undefined ? row : { ...row, data: entry.data };
  }
  if (type === "symlink") return { ...common, target: toBytes(entry.target ?? "") };
  if (entry.device !== undefined) return { ...common, device: entry.device };
  return common;
}

function* rangeProblems(entry: Entry, mode: number, uid: number, gid: number): Generator<string> {
  const isDevice = entry.type === "character" || entry.type === "block";
  if (!isWithin(mode, PERMISSION_MASK)) yield `mode ${mode} is not within 0 … 0o7777`;
  if (!isWithin(uid, LARGEST_ID)) yield `owner ${uid} is not within 0 … 4294967295`;
  if (!isWithin(gid, LARGEST_ID)) yield `group ${gid} is not within 0 … 4294967295`;
  if (isDevice && entry.device === undefined) yield "a device needs its number";
  if (isDevice && entry.device !== undefined) {
    const { major, minor } = entry.device;
    if (!isWithin(major, 0xfff) || !isWithin(minor, 0xfffff)) {
      yield `device ${major}:${minor} is not within 0 … 4095 : 0 … 1048575`;
    }
  }
  if (entry.type === "symlink") {
    const target = toBytes(entry.target ?? "");
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

function contentOf(entry: Entry): Content {
  const content = entry.content ?? new Uint8Array(0);
  if (content instanceof Uint8Array || typeof content === "string") return bytesContent(toBytes(content));
  if (!Number.isSafeInteger(content.size) || content.size < 0) {
    throw new DiskwrightError(
      "INVALID_TREE",
      `${shown(entry.path)}: a content of ${content.size} bytes is impossible`,
    );
  }
  return content;
}

function toBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? utf8(value) : value;
}

function shown(path: string | Uint8Array): string {
  return printable(toBytes(path));
}
