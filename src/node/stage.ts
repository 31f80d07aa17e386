import { isUtf8 } from "node:buffer";
import { lstatSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { checkArgument } from "../arguments/index.ts";
import { compareBytes } from "../bytes/index.ts";
import type { Composition, ContentsRule, RootSource, Sources } from "../compose/index.ts";
import { DiskwrightError } from "../errors.ts";
import { type CancelSignal, contentBytes } from "../extents/index.ts";
import type { IdMaps } from "../ownership/index.ts";
import { ownedBy, splitLinks, type Tree } from "../tree/index.ts";
import { tarArchive, tarLayer } from "./archive.ts";
import { sourcesKind, stageOptionsKind } from "./arguments.ts";
import { type DirectoryOptions, directory, entries } from "./directory.ts";
import { excluder } from "./exclude.ts";
import { FileReader } from "./file-reader.ts";
import { expand, isPattern } from "./glob.ts";
import { reasonOf } from "./host-error.ts";
import type { TarOptions, TarSource } from "./tar.ts";

/** What directories and archives are read by. */
type ReadOptions = DirectoryOptions & Pick<TarOptions, "spoolDirectory" | "holes">;

/** What {@link stage} can be told. */
export interface StageOptions {
  /** What relative paths start from. Default: the working directory. */
  readonly base?: string | undefined;
  /** The time of what is made, in seconds since 1970. Default 0. */
  readonly time?: number | undefined;
  /** Where content is kept that cannot be read twice, such as that of a compressed tar. */
  readonly spoolDirectory?: string | undefined;
  /** The files that are being written: a source that one lies in is read without it. */
  readonly outputs?: readonly string[] | undefined;
  /** Told when an output was left out of a source. */
  readonly onLeftOut?: ((path: string) => void) | undefined;
  readonly signal?: CancelSignal | undefined;
  readonly onWarning?: ((warning: string) => void) | undefined;
  /** Called with what the user may not expect, though nothing that is known to be there is lost. */
  readonly onNote?: ((note: string) => void) | undefined;
  /** Whether the filesystem stores owners. Default: it does. */
  readonly hasOwners?: boolean | undefined;
  /** Called now and then with what is being read, and the number of entries found so far. */
  readonly onProgress?: ((source: string, entries: number) => void) | undefined;
}

/**
 * Reads all sources and composes them into one tree. Nothing is copied: the tree refers to the files.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`, `INVALID_TREE` or `INVALID_SPEC`, each naming all that is wrong.
 */
export async function stage(sources: Sources, options: StageOptions = {}): Promise<Tree> {
  checkArgument("sources", sources, sourcesKind);
  checkArgument("options", options, stageOptionsKind);
  return await new Staging(sources, options).run();
}

type Owners =
  | { readonly all: { readonly uid: number; readonly gid: number }; readonly maps?: undefined }
  | { readonly all?: undefined; readonly maps: IdMaps };

/** As many names as a file of ext4 can have (EXT4_LINK_MAX). */
const MOST_LINKS = 65_000;

class Staging {
  readonly #sources: Sources;
  readonly #options: StageOptions;
  readonly #base: string;

  constructor(sources: Sources, options: StageOptions) {
    this.#sources = sources;
    this.#options = options;
    this.#base = options.base ?? ".";
  }

  async run(): Promise<Tree> {
    const { hardLinks = "keep", links = "refuse" } = this.#sources;
    const tree = await this.#compose();
    if (hardLinks === "split") return splitLinks(tree, 1);
    return links === "split" ? splitLinks(tree, MOST_LINKS) : tree;
  }

  async #compose(): Promise<Tree> {
    const { root = [], contents = [], directories = [], symlinks = [], files = [] } = this.#sources;
    const { manifest = [] } = this.#sources;
    const storePaths = this.#storePaths();
    const parts = [contents, directories, symlinks, files, manifest, storePaths];
    const isPlain = parts.every(({ length }) => length === 0);
    if (isPlain && root.length === 1 && (root[0]!.target ?? "/") === "/") return await this.#root(root[0]!);
    // What a plain directory does not need is not loaded for it.
    const { Composition } = await import("../compose/index.ts");
    const { mtreeEntries } = await import("../mtree/index.ts");
    const manifests = manifest.map((path) => mtreeEntries(this.#fileBytes(path), path));
    const composition = new Composition(this.#options.time);
    for (const source of root) await this.#layRoot(composition, source, root.length > 1);
    await this.#layStorePaths(composition, storePaths);
    for (const [index, rule] of contents.entries()) await this.#layContents(composition, rule, index);
    composition.finishContents();
    for (const [index, rule] of directories.entries()) {
      composition.makeDirectory(typeof rule === "string" ? { path: rule } : rule, `directories[${index}]`);
    }
    for (const [index, rule] of symlinks.entries()) composition.makeSymlink(rule, `symlinks[${index}]`);
    for (const [index, rule] of files.entries()) composition.makeFile(rule, `files[${index}]`);
    const reader = new FileReader();
    try {
      return await composition.finish(manifests, (content) => contentBytes(content, reader));
    } finally {
      reader.close();
      for (const warning of composition.warnings) this.#options.onWarning?.(warning);
    }
  }

  /** Lays a root source over what is there: an archive entry by entry, as a layer when there are several sources. */
  async #layRoot(composition: Composition, source: RootSource, hasWhiteouts: boolean): Promise<void> {
    const { target = "/" } = source;
    const name = `root ${source.source}`;
    if (this.#isDirectory(source.source)) {
      composition.layRoot(await this.#root(source), target, name);
      return;
    }
    const options = await this.#readOptions(source.source, target, source.exclude);
    const layer = await tarLayer(this.#archive(source.source), options);
    const owners = await this.#owners(source);
    if (owners?.all !== undefined) {
      layer.setOwners(layer.uid.fill(owners.all.uid), layer.gid.fill(owners.all.gid), layer.xattrs);
    } else if (owners !== undefined) {
      const { mapOwners } = await import("../ownership/index.ts");
      const { uid, gid, xattrs } = mapOwners(layer, owners.maps);
      layer.setOwners(uid, gid, xattrs);
    }
    composition.layLayer(layer, target, name, { hasWhiteouts, exclude: options.exclude });
  }

  /** A root source as a tree, with the owners that it is to have. */
  async #root(source: RootSource): Promise<Tree> {
    const tree = await this.#read(source);
    const owners = await this.#owners(source);
    if (owners === undefined) {
      this.#noteOwners(source.source, tree);
      return tree;
    }
    if (owners.all !== undefined) return ownedBy(tree, owners.all.uid, owners.all.gid);
    const { mapIds } = await import("../ownership/index.ts");
    return mapIds(tree, owners.maps);
  }

  /** Whom the entries of a root source are to belong to: all to one owner, or to those that ids are mapped to. */
  async #owners(source: RootSource): Promise<Owners | undefined> {
    const own = source.owner !== undefined || source.idMap || source.uidMap || source.gidMap;
    const { owner, idMap = [], uidMap = [], gidMap = [] } = own ? source : this.#sources;
    const ranges = [...idMap, ...uidMap, ...gidMap];
    if (owner === undefined && ranges.length === 0) return undefined;
    const { parseIdMap, parseOwner } = await import("../ownership/index.ts");
    if (owner !== undefined) return { all: parseOwner(owner) };
    return {
      maps: { uid: parseIdMap([...idMap, ...uidMap]), gid: parseIdMap([...idMap, ...gidMap]) },
    };
  }

  /** Whoever is not root cannot have given the files of a directory the owners that they are to have. */
  #noteOwners(source: string, tree: Tree): void {
    const { onNote, hasOwners = true } = this.#options;
    const isOwn = hasOwners && (this.#sources.manifest ?? []).length === 0 && this.#isDirectory(source);
    if (onNote === undefined || !isOwn || process.geteuid === undefined || process.geteuid() === 0) return;
    const owners = ownersOf(tree);
    if (owners.length === 1 && owners[0] === "0:0") return;
    const rest = owners.length - NAMED_OWNERS;
    const named = owners.slice(0, NAMED_OWNERS).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
    onNote(
      `${source}: its files belong to ${named} in the image, as on this host: --owner 0:0 gives them to root`,
    );
  }

  async #read({ source, target = "/", exclude }: RootSource): Promise<Tree> {
    if (source === "") throw new DiskwrightError("INVALID_SPEC", "a source has an empty name");
    const options = await this.#readOptions(source, target, exclude);
    if (this.#isDirectory(source)) return await directory(this.#path(source), options);
    return await tarArchive(this.#archive(source), options);
  }

  #archive(source: string): TarSource {
    return source === "-" ? { descriptor: 0, name: "standard input" } : this.#path(source);
  }

  /** How a source is read whose entries go below a path of the tree, or to where `targetOf` says. */
  async #readOptions(
    source: string,
    target: string,
    exclude?: readonly string[],
    targetOf = (path: string): string => target.replace(/\/+$/, "") + path,
  ): Promise<ReadOptions> {
    const { xattrs, holes } = this.#sources;
    const { signal, onWarning, onNote, onProgress, spoolDirectory, outputs = [], onLeftOut } = this.#options;
    const everywhere = await excluder(this.#sources.exclude);
    const own = await excluder(exclude);
    /** The outputs that lie in the source, by their paths from its root. */
    const inside = new Map<string, string>();
    for (const output of source === "-" ? [] : outputs) {
      const found = outputInside(this.#path(source), output);
      if (found !== undefined) inside.set(found, output);
    }
    const isLeftOut = (path: string): boolean => {
      if ((everywhere?.(targetOf(path)) ?? false) || (own?.(path) ?? false)) return true;
      const output = inside.get(path);
      if (output !== undefined) onLeftOut?.(output);
      return output !== undefined;
    };
    return {
      ...(everywhere || own || inside.size > 0 ? { exclude: isLeftOut } : {}),
      xattrs,
      holes,
      spoolDirectory,
      signal,
      onWarning,
      onNote,
      onProgress: (entries) => onProgress?.(source, entries),
    };
  }

  #storePaths(): readonly string[] {
    const { storePaths = [] } = this.#sources;
    if (typeof storePaths !== "string") return storePaths;
    const lines = new TextDecoder().decode(this.#fileBytes(storePaths)).split("\n");
    return [...new Set(lines.map((line) => line.trim()).filter((line) => line !== ""))];
  }

  /** Lays each store path where it lies, or at the root; they belong to root, as in every Nix store. */
  async #layStorePaths(composition: Composition, paths: readonly string[]): Promise<void> {
    const links = new Map<string, number>();
    for (const path of paths) {
      const target = this.#sources.onlyNixStore ? `/${basename(path)}` : path;
      const found = await this.#entry(path, target);
      if (found !== undefined) {
        composition.layStorePath(found.tree, found.row, target, `store path ${path}`, links);
      }
    }
  }

  async #layContents(composition: Composition, rule: ContentsRule, index: number): Promise<void> {
    const { source } = rule;
    const name = `contents[${index}] ${source}`;
    const target = rule.target.startsWith("/") ? rule.target : `/${rule.target}`;
    // As in make-disk-image.nix an asterisk always makes a pattern; other characters of patterns occur in names.
    if (source.includes("*") || (isPattern(source) && !this.#exists(source))) {
      composition.layMatches(await this.#matches(source, target), rule, name);
    } else if (this.#isDirectory(source)) {
      // A directory's contents go to the target; a link to one stands for it.
      const tree = await directory(this.#path(source), await this.#readOptions(source, target));
      composition.layContents(tree, 0, rule, name);
    } else {
      const place = target.endsWith("/") ? `${target}${basename(source)}` : target;
      const found = await this.#entry(this.#path(source), place);
      if (found !== undefined) composition.layContents(found.tree, found.row, rule, name);
    }
  }

  /** What a pattern matches, as trees that go into one directory. After a slash at its end it is for directories only. */
  async #matches(source: string, target: string): Promise<Tree[]> {
    const trees: Tree[] = [];
    for (const { parent, names } of await expand(this.#path(source))) {
      if (!source.endsWith("/")) {
        trees.push(await entries(parent, names, await this.#readOptions(parent, target)));
        continue;
      }
      for (const name of [...names].sort((a, b) => compareBytes(slashed(a), slashed(b)))) {
        const path = join(parent, name.toString());
        if (!isUtf8(name))
          throw unreadable(path, "a directory that a pattern matches has a name that is not UTF-8");
        if (!this.#isDirectory(path)) continue;
        // As rsync has it: the slash is for what is in the directory.
        trees.push(await directory(path, await this.#readOptions(path, target)));
      }
    }
    if (trees.length === 0) throw unreadable(source, "the pattern matches nothing");
    return trees;
  }

  /** One entry of the host that gets a path of the tree: a tree and its row in it, unless it is left out. */
  async #entry(path: string, target: string): Promise<{ tree: Tree; row: number } | undefined> {
    const parent = dirname(path);
    const name = basename(path);
    // Patterns of what is left out are for where things go; the tree has the entry under the name of its source.
    const options = await this.#readOptions(
      parent,
      target,
      undefined,
      (at) => target + at.slice(name.length + 1),
    );
    const tree = await entries(parent, [Buffer.from(name)], options);
    return tree.columns.childCount[0] === 0 ? undefined : { tree, row: tree.columns.firstChild[0]! };
  }

  #path(source: string): string {
    return resolve(this.#base, source);
  }

  #exists(source: string): boolean {
    return lstatSync(this.#path(source), { throwIfNoEntry: false }) !== undefined;
  }

  #isDirectory(source: string): boolean {
    if (source === "-") return false;
    try {
      return statSync(this.#path(source)).isDirectory();
    } catch (error) {
      // A link that leads nowhere can still be copied as a link.
      if (
        (error as NodeJS.ErrnoException).code === "ENOENT" ||
        (error as NodeJS.ErrnoException).code === "ELOOP"
      )
        return false;
      throw unreadable(source, reasonOf(error), error);
    }
  }

  #fileBytes(path: string): Uint8Array {
    try {
      return readFileSync(this.#path(path));
    } catch (error) {
      throw unreadable(path, reasonOf(error), error);
    }
  }
}

/** How many owners a note names. */
const NAMED_OWNERS = 3;

/** The owners of the entries of a tree, `UID:GID`; the one of its root first. */
function ownersOf({ columns, length }: Tree): string[] {
  const owners = new Set<string>();
  for (let row = 0; row < length; row++) {
    if (row > 0 && columns.uid[row] === columns.uid[row - 1] && columns.gid[row] === columns.gid[row - 1])
      continue;
    owners.add(`${columns.uid[row]}:${columns.gid[row]}`);
  }
  return [...owners];
}

/** A name as a pattern that ends in a slash has it, and is sorted by. */
function slashed(name: Buffer): Buffer {
  return Buffer.concat([name, Buffer.from("/")]);
}

/** The path of an existing output within a directory, from its root. */
function outputInside(source: string, output: string): string | undefined {
  try {
    const inside = relative(realpathSync(source), realpathSync(resolve(output)));
    return inside === "" || inside === ".." || inside.startsWith(`..${sep}`)
      ? undefined
      : `/${inside.split(sep).join("/")}`;
  } catch {
    // What does not exist yet cannot be found by the scan, or is reported by it.
    return undefined;
  }
}

function unreadable(path: string, reason: string, cause?: unknown): DiskwrightError {
  return new DiskwrightError("SOURCE_UNREADABLE", `${path}: ${reason}`, { path, cause });
}
