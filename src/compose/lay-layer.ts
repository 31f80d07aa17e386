import { compareBytes } from "../bytes/index.ts";
import { joinedPath, lastName, nameRanges, type TreeDraft } from "../tree/index.ts";
import { layingOrder } from "./later-symlinks.ts";
import type { Layer } from "./layer.ts";
import { applyWhiteouts, roleOf } from "./whiteouts.ts";

/** How a layer is laid over what is there. */
export interface LayerOptions {
  /** Where its root goes. Default: the root of the tree. */
  readonly target?: Uint8Array | undefined;
  /** Whether names that begin with `.wh.` say what the layers below lose. Otherwise they are plain names. */
  readonly hasWhiteouts?: boolean | undefined;
  /**
   * Leaves an entry out, and all that is below it. The path starts at the root of the layer: `/etc/x`. Hard links to
   * what is left out stay.
   */
  readonly exclude?: ((path: string) => boolean) | undefined;
  /** Called with each row that was put or merged. */
  readonly onLaid?: ((row: number) => void) | undefined;
  /** Called when a directory takes the place of something else, or the other way round. */
  readonly onReplaced?: ((path: string, before: string, now: string) => void) | undefined;
  readonly onWarning?: ((warning: string) => void) | undefined;
}

/**
 * Lays the entries of an archive over what is there, in their order, as programs that unpack archives do: a later
 * entry replaces an earlier one, directories are merged, paths go through symlinks to directories, and a hard link
 * leads to what its target names at that moment. That is an earlier entry of the layer, or one below it, also one
 * that a whiteout of the layer hides; else a later entry of the layer.
 *
 * What cannot be laid is noted in the problems of the draft.
 */
export function layLayer(draft: TreeDraft, layer: Layer, options: LayerOptions = {}): void {
  new Laying(draft, layer, options).run();
}

/** No row, in a column of rows. */
const NONE = 0xffffffff;

class Laying {
  readonly #draft: TreeDraft;
  readonly #layer: Layer;
  readonly #options: LayerOptions;
  readonly #origin: number;
  readonly #excluded: ExcludedPaths | undefined;
  /** Where the root of the layer goes, with no symlink on the way; empty for the root. */
  #base: Uint8Array = NO_BYTES;
  /** Entries that were left out and that hard links name, by path. */
  readonly #leftOut = new Map<string, number>();
  #linkTargets: ReadonlySet<string> | undefined;
  /** The directory whose place was asked for last, and that place. */
  #lastParent: Uint8Array | undefined;
  #lastStored: Uint8Array | undefined;

  constructor(draft: TreeDraft, layer: Layer, options: LayerOptions) {
    this.#draft = draft;
    this.#layer = layer;
    this.#options = options;
    this.#origin = draft.addOrigin(layer.origin);
    this.#excluded = options.exclude && new ExcludedPaths(options.exclude);
  }

  run(): void {
    const { target = NO_BYTES, hasWhiteouts = false } = this.#options;
    for (const problem of this.#layer.problems) this.#draft.problems.push(problem);
    const root = this.#draft.directoryAt(target);
    if (root === undefined) return;
    if (root !== 0) this.#base = this.#draft.path(root);
    const below = this.#targetsBelow();
    const isSkipped = hasWhiteouts ? this.#applyWhiteouts() : undefined;
    for (const index of layingOrder(this.#layer)) {
      if (isSkipped?.[index] === 1) continue;
      if (this.#layer.isLink(index)) this.#layLink(index, below?.[index]);
      else this.#layEntry(index);
    }
    this.#draft.bindLinks((path) => this.#leftOutAt(path));
  }

  #leftOutAt(path: Uint8Array): number | undefined {
    return this.#leftOut.size === 0 ? undefined : this.#leftOut.get(keyOf(path));
  }

  /** For each hard link: the row of the layers below that it names, before anything is hidden or replaced. */
  #targetsBelow(): Uint32Array | undefined {
    if (this.#layer.links === 0 || this.#draft.length === 1) return undefined;
    const below = new Uint32Array(this.#layer.length).fill(NONE);
    for (let index = 0; index < this.#layer.length; index++) {
      if (!this.#layer.isLink(index)) continue;
      const row = this.#draft.find(this.#placed(this.#layer.linkTarget(index)));
      if (row !== undefined && !this.#draft.isDirectory(row)) below[index] = row;
    }
    return below;
  }

  /** Hides what the whiteouts name, and says by entry which are no entries of the tree. */
  #applyWhiteouts(): Uint8Array | undefined {
    const whiteouts: number[] = [];
    let isSkipped: Uint8Array | undefined;
    let lost = 0;
    for (let index = 0; index < this.#layer.length; index++) {
      const path = this.#layer.path(index);
      const role = roleOf(path);
      if (role === "entry") continue;
      isSkipped ??= new Uint8Array(this.#layer.length);
      isSkipped[index] = 1;
      if (role === "whiteout" && this.#excluded?.has(path) !== true) whiteouts.push(index);
      if (role === "below a whiteout" && !isMetadata(path)) lost++;
    }
    if (whiteouts.length > 0) applyWhiteouts(this.#draft, this.#layer, whiteouts, this.#base);
    if (lost > 0) {
      this.#options.onWarning?.(
        `${lost} ${lost === 1 ? "entry lies" : "entries lie"} below the name of a whiteout (.wh.NAME), and ${lost === 1 ? "is" : "are"} left out`,
      );
    }
    return isSkipped;
  }

  #layEntry(index: number): void {
    const path = this.#layer.path(index);
    const attributes = this.#layer.attributes(index, this.#origin);
    if (this.#isLeftOut(path)) {
      const isNamed = this.#layer.links > 0 && this.#targetsOfLinks().has(keyOf(this.#placed(path)));
      if (isNamed && !this.#layer.isDirectory(index)) {
        this.#leftOut.set(keyOf(this.#placed(path)), this.#draft.putNameless(attributes));
      }
      return;
    }
    const row = this.#draft.put(this.#placed(path), attributes, this.#options.onReplaced);
    if (row !== undefined) this.#options.onLaid?.(row);
  }

  #layLink(index: number, below: number | undefined): void {
    const path = this.#layer.path(index);
    if (this.#isLeftOut(path)) return;
    const target = this.#placed(this.#layer.linkTarget(index));
    const source =
      this.#leftOutAt(target) ??
      this.#draft.find(target) ??
      (below === NONE || below === undefined ? undefined : below);
    const row = this.#draft.putLink(this.#placed(path), target, {
      source,
      onReplaced: this.#options.onReplaced,
    });
    if (row !== undefined) this.#options.onLaid?.(row);
  }

  /** Whether an entry is left out, by its own path or by the one that it is stored at. */
  #isLeftOut(path: Uint8Array): boolean {
    if (this.#excluded === undefined) return false;
    if (this.#excluded.has(path)) return true;
    const last = lastName(path);
    if (last === undefined) return false;
    const stored = this.#storedElsewhere(path.subarray(0, last.start));
    return (
      stored !== undefined && this.#excluded.has(joinedPath(stored, path.subarray(last.start, last.end)))
    );
  }

  /** Where a directory of the layer is stored when symlinks lead to another place than its path says. */
  #storedElsewhere(parent: Uint8Array): Uint8Array | undefined {
    if (this.#lastParent !== undefined && compareBytes(this.#lastParent, parent) === 0)
      return this.#lastStored;
    this.#lastParent = parent.slice();
    const row = this.#draft.resolve(this.#placed(parent));
    const stored = row === undefined || row === 0 ? NO_BYTES : this.#draft.path(row);
    const isElsewhere =
      row !== undefined && isWithin(stored, this.#base) && keyOf(stored) !== keyOf(this.#placed(parent));
    this.#lastStored = isElsewhere ? stored.slice(this.#base.length) : undefined;
    return this.#lastStored;
  }

  #targetsOfLinks(): ReadonlySet<string> {
    if (this.#linkTargets !== undefined) return this.#linkTargets;
    const targets = new Set<string>();
    for (let index = 0; index < this.#layer.length; index++) {
      if (this.#layer.isLink(index)) targets.add(keyOf(this.#placed(this.#layer.linkTarget(index))));
    }
    this.#linkTargets = targets;
    return targets;
  }

  /** A path of the layer as one of the tree. */
  #placed(path: Uint8Array): Uint8Array {
    return this.#base.length === 0 ? path : joinedPath(this.#base, path);
  }
}

/** Which paths are left out, by themselves or by a directory above them. */
class ExcludedPaths {
  readonly #exclude: (path: string) => boolean;
  readonly #decoder = new TextDecoder();
  /** The directory that was asked for last: entries mostly come directory by directory. */
  #lastParent = "";
  #isParentExcluded = false;

  constructor(exclude: (path: string) => boolean) {
    this.#exclude = exclude;
  }

  has(path: Uint8Array): boolean {
    const text = this.#textOf(path);
    if (text === "") return false;
    const parent = text.slice(0, text.lastIndexOf("/"));
    if (parent !== this.#lastParent) {
      this.#isParentExcluded = this.#isAnyExcluded(parent);
      this.#lastParent = parent;
    }
    return this.#isParentExcluded || this.#exclude(text);
  }

  #isAnyExcluded(path: string): boolean {
    for (let end = path.indexOf("/", 1); end >= 0; end = path.indexOf("/", end + 1)) {
      if (this.#exclude(path.slice(0, end))) return true;
    }
    return path !== "" && this.#exclude(path);
  }

  /** `/etc/x`; the root is empty. */
  #textOf(path: Uint8Array): string {
    let text = "";
    for (const { start, end } of nameRanges(path))
      text += `/${this.#decoder.decode(path.subarray(start, end))}`;
    return text;
  }
}

/** Entries that AUFS keeps for itself lie below names that begin with `.wh..wh.`. */
function isMetadata(path: Uint8Array): boolean {
  return keyOf(path).includes("\0.wh..wh.");
}

/** A path as a key: the bytes of its names, each after a NUL. */
function keyOf(path: Uint8Array): string {
  let key = "";
  for (const { start, end } of nameRanges(path)) {
    key += "\0";
    for (let at = start; at < end; at++) key += String.fromCharCode(path[at]!);
  }
  return key;
}

function isWithin(path: Uint8Array, directory: Uint8Array): boolean {
  if (path.length < directory.length) return false;
  for (let at = 0; at < directory.length; at++) if (path[at] !== directory[at]) return false;
  return directory.length === 0 || path.length === directory.length || path[directory.length] === SLASH;
}

const SLASH = 0x2f;
const NO_BYTES = new Uint8Array(0);
