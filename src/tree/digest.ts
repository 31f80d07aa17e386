import { compareBytes, Murmur128, utf8 } from "../bytes/index.ts";
import type { Tree } from "./tree.ts";
import type { Xattrs } from "./xattrs.ts";

/** What of a tree counts, as a filesystem stores no more of it. */
export interface DigestOptions {
  /** `names`: paths, types, sizes and times only, as on FAT. Default `all`: owners, modes, links and attributes too. */
  readonly stored?: "all" | "names" | undefined;
  /** Times later than this, in seconds since 1970, are clamped to it. Default: none are. */
  readonly time?: number | undefined;
}

/** Digests that were made before: the same tree is asked for more than once. */
const known = new WeakMap<Tree, Map<string, string>>();

/**
 * A digest of the metadata of a tree, 32 hexadecimal digits: paths, types, modes, owners, times of modification,
 * sizes, targets of symlinks, device numbers, extended attributes, and which names are hard links of one file. No
 * content is read, and where the holes of a file lie makes no difference, since not every archive says it. The order
 * of the source makes none either, as the rows of a tree are sorted.
 */
export function treeDigest(tree: Tree, { stored = "all", time }: DigestOptions = {}): string {
  const digests = known.get(tree) ?? new Map<string, string>();
  known.set(tree, digests);
  const key = `${stored} ${time}`;
  let digest = digests.get(key);
  if (digest === undefined) {
    digest = digestOf(tree, stored === "all", time ?? Number.POSITIVE_INFINITY);
    digests.set(key, digest);
  }
  return digest;
}

/** Bytes that are hashed in one call. */
const CHUNK = 32 * 1024;

/** Bytes of a row at most, without its target and attributes. */
const LONGEST_ROW = 44 + 255;

function digestOf(tree: Tree, isAll: boolean, latest: number): string {
  const hash = new Murmur128();
  const chunk = new Uint8Array(CHUNK);
  const view = new DataView(chunk.buffer);
  let at = 0;
  const flush = (): void => {
    hash.update(chunk.subarray(0, at));
    at = 0;
  };
  const number32 = (value: number): void => {
    view.setUint32(at, value, true);
    at += 4;
  };
  const number64 = (value: number): void => {
    view.setFloat64(at, value, true);
    at += 8;
  };
  const { parent, names, nameStart, nameLength, mode, uid, gid, size, primary } = tree.columns;
  const { mtimeSeconds, mtimeNanoseconds } = tree.columns;
  const attributes = new AttributeDigests();
  for (let row = 0; row < tree.length; row++) {
    if (at + LONGEST_ROW > CHUNK) flush();
    const length = nameLength[row]!;
    const start = nameStart[row]!;
    number32(parent[row]!);
    chunk[at++] = length;
    for (let index = 0; index < length; index++) chunk[at++] = names[start + index]!;
    const first = primary[row]!;
    if (isAll) number32(first);
    if (isAll && first !== row) continue;
    const isClamped = mtimeSeconds[first]! >= latest;
    number64(isClamped ? latest : mtimeSeconds[first]!);
    number64(tree.isDirectory(first) ? 0 : size[first]!);
    number32(isAll ? mode[first]! : tree.typeBits(first));
    if (!isAll) continue;
    number32(isClamped ? 0 : mtimeNanoseconds[first]!);
    number32(uid[first]!);
    number32(gid[first]!);
    if (tree.isSymlink(row)) {
      flush();
      hash.update(tree.target(row));
    }
    const device = tree.device(row);
    if (device !== undefined) {
      number32(device.major);
      number32(device.minor);
    }
    const xattrs = tree.xattrs(row);
    if (xattrs === undefined) continue;
    flush();
    hash.update(attributes.of(xattrs));
  }
  flush();
  return digits(hash);
}

function digits(hash: Murmur128): string {
  return Array.from(hash.digest(), (word) => word.toString(16).padStart(8, "0")).join("");
}

/** Digests of sets of extended attributes, which many entries share. */
class AttributeDigests {
  readonly #known = new Map<Xattrs, Uint8Array>();

  of(xattrs: Xattrs): Uint8Array {
    let digest = this.#known.get(xattrs);
    if (digest === undefined) {
      digest = digestOfAttributes(xattrs);
      this.#known.set(xattrs, digest);
    }
    return digest;
  }
}

function digestOfAttributes(xattrs: Xattrs): Uint8Array {
  const hash = new Murmur128();
  const sorted = [...xattrs].map(([name, value]) => [utf8(name), value] as const);
  for (const [name, value] of sorted.sort(([a], [b]) => compareBytes(a, b))) {
    hash.update(utf8(`${name.length} ${value.length} `));
    hash.update(name);
    hash.update(value);
  }
  return utf8(digits(hash));
}
