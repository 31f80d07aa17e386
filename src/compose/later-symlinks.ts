import { lastName, NameTable, nameRanges } from "../tree/index.ts";
import type { Layer } from "./layer.ts";

/**
 * The order in which the entries of a layer are laid. It is their own, except for entries below a path that the layer
 * makes a symlink later, such as `lib/x` before `lib -> usr/lib`: they follow the symlink. Where the layer has a
 * directory of that path before, the order stays, and the symlink replaces the directory.
 */
export function* layingOrder(layer: Layer): Generator<number> {
  const followers = followersOf(layer);
  const pending: number[] = [];
  for (let index = 0; index < layer.length; index++) {
    if (followers.moved.has(index)) continue;
    pending.push(index);
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      yield next;
      const after = followers.of.get(next) ?? [];
      for (let at = after.length - 1; at >= 0; at--) pending.push(after[at]!);
    }
  }
}

interface Followers {
  /** Entries by the symlink that they follow, each list in the order of the layer. */
  readonly of: ReadonlyMap<number, readonly number[]>;
  /** All of them. */
  readonly moved: ReadonlySet<number>;
}

function followersOf(layer: Layer): Followers {
  const of = new Map<number, number[]>();
  const moved = new Set<number>();
  const symlinks = new SymlinkPaths(layer);
  for (let index = 0; index < layer.length && !symlinks.isEmpty; index++) {
    const symlink = symlinks.lastAbove(layer.path(index), index);
    if (symlink === undefined) continue;
    moved.add(index);
    const known = of.get(symlink);
    if (known === undefined) of.set(symlink, [index]);
    else known.push(index);
  }
  return { of, moved };
}

/** The paths of a layer's symlinks, each with the place of the last one, unless it is a directory before. */
class SymlinkPaths {
  readonly #names = new NameTable();
  /** The last symlink that has the path of a row. */
  readonly #symlink = new Map<number, number>();
  #lastParent: Uint8Array = NO_BYTES;
  #lastRows: readonly number[] = [];

  constructor(layer: Layer) {
    this.#names.add(0, NO_BYTES, 0, 0);
    for (let index = 0; index < layer.length; index++) {
      if (!layer.isSymlink(index)) continue;
      const row = this.#row(layer.path(index), true);
      if (row !== undefined) this.#symlink.set(row, index);
    }
    if (this.isEmpty) return;
    for (let index = 0; index < layer.length; index++) {
      if (!layer.isDirectory(index)) continue;
      const row = this.#row(layer.path(index), false);
      if (row !== undefined && index < (this.#symlink.get(row) ?? 0)) this.#symlink.delete(row);
    }
  }

  get isEmpty(): boolean {
    return this.#symlink.size === 0;
  }

  /** The last symlink after `index` that has the path of a directory above `path`. */
  lastAbove(path: Uint8Array, index: number): number | undefined {
    const { start = 0 } = lastName(path) ?? {};
    if (!isSame(this.#lastParent, path, start)) {
      this.#lastParent = path.slice(0, start);
      this.#lastRows = [...this.#symlinksOn(this.#lastParent)];
    }
    let last = index;
    for (const symlink of this.#lastRows) last = Math.max(last, symlink);
    return last > index ? last : undefined;
  }

  *#symlinksOn(path: Uint8Array): Generator<number> {
    let row = 0;
    for (const { start, end } of nameRanges(path)) {
      const next = this.#names.find(row, path, start, end);
      if (next === undefined) return;
      row = next;
      const symlink = this.#symlink.get(row);
      if (symlink !== undefined) yield symlink;
    }
  }

  /** The row of a path; where it is missing, it is made, or there is none. */
  #row(path: Uint8Array, isMade: boolean): number | undefined {
    let row = 0;
    for (const { start, end } of nameRanges(path)) {
      let next = this.#names.find(row, path, start, end);
      if (next === undefined) {
        if (!isMade || end - start > LONGEST_NAME) return undefined;
        next = this.#names.add(row, path, start, end);
      }
      row = next;
    }
    return row;
  }
}

function isSame(parent: Uint8Array, path: Uint8Array, length: number): boolean {
  if (parent.length !== length) return false;
  for (let at = length - 1; at >= 0; at--) if (parent[at] !== path[at]) return false;
  return true;
}

const NO_BYTES = new Uint8Array(0);

/** What the table of names can hold; longer names are refused when they are laid. */
const LONGEST_NAME = 255;
