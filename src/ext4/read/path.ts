import { appendAll, byteKey, printable, utf8, utf8Text } from "../../bytes/index.ts";
import { fileMode } from "../../tree/index.ts";
import { ROOT_INODE } from "../structures.ts";
import type { DirectoryListing } from "./directory.ts";
import { READ_FLAG, type StoredInode } from "./inode.ts";
import { unreadable } from "./problems.ts";

/** What a path is looked up in. */
export interface Names {
  inode(number: number): Promise<StoredInode>;
  directory(inode: StoredInode): Promise<DirectoryListing>;
  target(inode: StoredInode): Promise<Uint8Array>;
}

/** Where a path leads. */
export interface Resolved {
  /** The names from the root to it, behind all links, with slashes between them. */
  readonly path: Uint8Array;
  readonly inode: StoredInode;
}

/** As many symlinks as Linux follows for one path (path_resolution(7)). */
const MOST_SYMLINKS = 40;
const SLASH = 0x2f;
/** No path that a system takes is so long; it keeps a hostile filesystem from nesting without end. */
const LONGEST_PATH = 65536;

/**
 * Looks a path up as a kernel does for which the filesystem is all there is: symlinks are followed inside of
 * it, absolute ones from its root, and ".." of the root is the root. A last component that is a symlink is
 * followed only when `follow` says so, or when a slash comes behind it.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE` when there is no such path, `CORRUPT`.
 */
export async function resolvePath(
  names: Names,
  path: string | Uint8Array,
  follow: boolean,
): Promise<Resolved> {
  const bytes = typeof path === "string" ? utf8(path) : path;
  const asked = printable(bytes);
  const fail = (reason: string): never => {
    throw unreadable(`${asked}: ${reason}`, asked);
  };
  const way: { readonly name: Uint8Array; readonly inode: StoredInode }[] = [];
  const root = await names.inode(ROOT_INODE);
  /** What is still to be gone through, the next component last. */
  const left = components(bytes).reverse();
  let links = 0;
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    const here = way.at(-1)?.inode ?? root;
    if (!isType(here, fileMode.DIRECTORY)) fail("not a directory");
    if (isDots(name, 1)) continue;
    if (isDots(name, 2)) {
      way.pop();
      continue;
    }
    const child = await lookUp(names, here, name);
    if (child === undefined) return fail("no such file or directory");
    const inode = await names.inode(child.inode);
    if (isType(inode, fileMode.SYMLINK) && (follow || left.length > 0)) {
      if (++links > MOST_SYMLINKS) fail(`more than ${MOST_SYMLINKS} symlinks, which may lead in a circle`);
      const target = await names.target(inode);
      if (target.length === 0) fail("a symlink leads nowhere");
      if (target[0] === SLASH) way.length = 0;
      appendAll(left, components(target).reverse());
    } else way.push({ name: child.name, inode });
  }
  const resolved = way.reduce((parent, { name }) => joinPath(parent, name), new Uint8Array(0));
  return { path: resolved, inode: way.at(-1)?.inode ?? root };
}

/** A path below another one. */
export function joinPath(parent: Uint8Array, name: Uint8Array): Uint8Array<ArrayBuffer> {
  const start = parent.length === 0 ? 0 : parent.length + 1;
  if (start + name.length > LONGEST_PATH) {
    throw unreadable(`a path has more than ${LONGEST_PATH} bytes: the directories are nested too deeply`);
  }
  const path = new Uint8Array(start + name.length);
  if (start > 0) {
    path.set(parent);
    path[parent.length] = SLASH;
  }
  path.set(name, start);
  return path;
}

/** The bytes of a name that a directory listing has as a key. */
export function nameOfKey(key: string): Uint8Array<ArrayBuffer> {
  const name = new Uint8Array(key.length);
  for (let index = 0; index < key.length; index++) name[index] = key.charCodeAt(index);
  return name;
}

/** The names between slashes; behind a last slash "." stands, which only a directory has. */
function components(path: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at <= path.length; at++) {
    if (at < path.length && path[at] !== SLASH) continue;
    if (at > start) parts.push(path.subarray(start, at));
    start = at + 1;
  }
  if (parts.length > 0 && path.at(-1) === SLASH) parts.push(Uint8Array.of(0x2e));
  return parts;
}

function isDots(name: Uint8Array, count: number): boolean {
  return name.length === count && name.every((byte) => byte === 0x2e);
}

function isType(inode: StoredInode, type: number): boolean {
  return (inode.mode & fileMode.TYPE_MASK) === type;
}

async function lookUp(
  names: Names,
  directory: StoredInode,
  name: Uint8Array,
): Promise<{ readonly name: Uint8Array; readonly inode: number } | undefined> {
  const { children } = await names.directory(directory);
  const child = children.get(byteKey(name));
  if (child !== undefined) return { name, inode: child.inode };
  const wanted = (directory.flags & READ_FLAG.casefolded) === 0 ? undefined : folded(name);
  if (wanted === undefined) return undefined;
  for (const [key, { inode }] of children) {
    const stored = nameOfKey(key);
    if (folded(stored) === wanted) return { name: stored, inode };
  }
  return undefined;
}

/**
 * What two names have in common that a casefolded directory does not tell apart. The host's Unicode stands in
 * for that of the filesystem (12.1): they differ in letters that are newer than it.
 */
function folded(name: Uint8Array): string | undefined {
  return utf8Text(name)?.normalize("NFD").toUpperCase().toLowerCase().normalize("NFD");
}
