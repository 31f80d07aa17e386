import { printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../errors.ts";
import { bytesContent, type Content } from "../extents/index.ts";
import type { MtreeEntry } from "../mtree/index.ts";
import { type Accounts, accountsOf, applyManifest, ownerProblem, parseMode } from "../ownership/index.ts";
import {
  climbs,
  type Device,
  fileMode,
  joinedPath,
  type LayOptions,
  ownedBy,
  PLAIN_DIRECTORY,
  type RowAttributes,
  type Tree,
  TreeDraft,
  withModes,
} from "../tree/index.ts";
import { clashes } from "./clashes.ts";
import { type LayerOptions, layLayer } from "./lay-layer.ts";
import type { Layer } from "./layer.ts";
import { Parts } from "./parts.ts";
import type { ContentsRule, DirectoryRule, FileRule, Ownership, SymlinkRule } from "./sources.ts";

/** An owner to be set when the accounts of the tree are known. */
interface PendingOwner {
  readonly rows: ArrayLike<number>;
  readonly user: string | undefined;
  readonly group: string | undefined;
  /** Who asks for it. */
  readonly name: string;
}

/** A rule of `contents` that gives its target an owner. */
interface OwningRule {
  readonly at: Uint8Array;
  /** Whether the target is a directory, to which a symlink may lead. */
  readonly isDirectory: boolean;
  readonly rule: ContentsRule;
  readonly name: string;
}

/**
 * A tree that is composed of several sources: roots over each other, then rules, then single entries, then
 * manifests. What is wrong is collected, and told all at once.
 */
export class Composition {
  readonly warnings: string[] = [];
  readonly #draft = new TreeDraft({ followsSymlinks: true });
  readonly #time: number;
  readonly #parts = new Parts();
  /** The first part that a rule of `contents` is; those before it are roots and store paths. */
  #firstRule = Number.POSITIVE_INFINITY;
  readonly #owningRules: OwningRule[] = [];
  readonly #owners: PendingOwner[] = [];
  readonly #problems: string[] = [];

  /** `time`, in seconds since 1970, is that of entries that are made here. */
  constructor(time = 0) {
    this.#time = time;
  }

  /** Lays a tree at a target, over what is there. */
  layRoot(tree: Tree, target: string, name: string): void {
    const at = this.#target(target, name);
    if (at === undefined) return;
    this.#warnOfDevices(tree.extras.devices, (row) => tree.displayPath(row), name);
    this.#draft.lay(tree, at, this.#reports(name));
  }

  /**
   * Lays the entries of an archive at a target, over what is there.
   */
  layLayer(
    layer: Layer,
    target: string,
    name: string,
    options: Pick<LayerOptions, "hasWhiteouts" | "exclude"> = {},
  ): void {
    const at = this.#target(target, name);
    if (at === undefined) return;
    this.#warnOfDevices(layer.devices, (index) => layer.displayPath(index), name);
    const known = this.#draft.problems.length;
    layLayer(this.#draft, layer, {
      ...this.#reports(name),
      target: at,
      ...options,
      onWarning: (warning) => this.warnings.push(`${name}: ${warning}`),
    });
    for (const problem of this.#draft.problems.splice(known)) this.#problems.push(`${name}: ${problem}`);
  }

  /** What is noted of all that a part lays. */
  #reports(name: string): Pick<LayOptions, "onLaid" | "onReplaced"> {
    const part = this.#parts.add(name);
    return {
      onLaid: (row) => this.#parts.note(row, part),
      onReplaced: (path, before, now) =>
        this.warnings.push(`${path}: the ${now} of ${name} replaces the ${before} that was there`),
    };
  }

  /** Says that whiteouts as overlayfs has them on a host, which are devices of the number 0:0, hide nothing. */
  #warnOfDevices(devices: ReadonlyMap<number, Device>, path: (row: number) => string, name: string): void {
    const whiteouts = [...devices].filter(([, { major, minor }]) => major === 0 && minor === 0);
    if (whiteouts.length === 0 || this.#draft.length === 1) return;
    const more = whiteouts.length === 1 ? "" : ` (and ${whiteouts.length - 1} more)`;
    this.warnings.push(
      `${path(whiteouts[0]![0])}${more} of ${name}: a device 0:0, by which overlayfs hides an entry of a lower layer, ` +
        "is stored as a device: export the layer as a tar with names .wh.NAME instead",
    );
  }

  /**
   * Lays a store path: the entry in a row of a tree, at a path that nothing has. It belongs to root. As long as the same
   * map of links is given, files that are hard links of each other stay so; see {@link LayOptions.links}.
   */
  layStorePath(tree: Tree, from: number, target: string, name: string, links: Map<string, number>): void {
    const at = this.#target(target, name);
    if (at === undefined) return;
    const existing = this.#draft.find(at);
    if (existing !== undefined) this.#refuseExisting(existing, name);
    else this.#lay(ownedBy(tree, 0, 0), from, at, this.#parts.add(name), links);
  }

  /**
   * Lays the file or directory that a rule names: the entry in a row of a tree. What is laid belongs to root until
   * {@link finishContents}. A target that ends in a slash is a directory that a file goes into. As with
   * make-disk-image.nix nothing may be at the target that an earlier rule has put there; a directory of a root is
   * completed, but none of its files is replaced.
   */
  layContents(tree: Tree, from: number, rule: ContentsRule, name: string): void {
    const goesInto = rule.target.endsWith("/") && !tree.isDirectory(from);
    const isDirectory = goesInto || tree.isDirectory(from);
    const target = this.#contentsTarget(rule, isDirectory, name);
    if (target === undefined) return;
    const { at, part } = target;
    if (!rule.replace && this.#isTaken(at, isDirectory, name)) return;
    const place = goesInto ? joinedPath(at, tree.name(from)) : at;
    const replaced = rule.replace ? [] : [...clashes(this.#draft, tree, from, place)];
    for (const { existing } of replaced) this.#refuseExisting(existing, name);
    if (replaced.length > 0) return;
    if (!this.#makeParents(place, part)) return;
    this.#lay(this.#prepared(tree, rule, name), from, place, part);
  }

  /**
   * Lays what the pattern of a rule matches into its target, a directory that is made when it is missing. There is a
   * tree for each directory with matches, the root of which is implied, or, when the pattern ends in a slash, for each
   * match. Directories are merged, everything else is replaced.
   */
  layMatches(trees: readonly Tree[], rule: ContentsRule, name: string): void {
    const target = this.#contentsTarget(rule, true, name);
    if (target === undefined) return;
    const { at, part } = target;
    const existing = this.#draft.resolve(at) ?? this.#draft.find(at);
    if (existing !== undefined && !this.#draft.isDirectory(existing)) {
      const from = this.#parts.shownOrigin(existing);
      this.#problems.push(
        `${name}: ${this.#draft.displayPath(existing)} exists already${from}, and is no directory`,
      );
      return;
    }
    if (this.#directoryAt(at, part) === undefined) return;
    const links = new Map<string, number>();
    for (const tree of trees) {
      if (!rule.replace && this.#emptiesDirectory(tree, at, name)) continue;
      this.#lay(this.#prepared(tree, rule, name), 0, at, part, links);
    }
  }

  /**
   * Ends the rules of `contents`: each that says so gives its user and group to its target and to all that is below it
   * now, whoever has put it there, in the order of the rules.
   */
  finishContents(): void {
    for (const { at, isDirectory, rule, name } of this.#owningRules) {
      const row = isDirectory ? this.#draft.resolve(at) : this.#draft.find(at);
      if (row !== undefined) this.#own(Uint32Array.from(this.#below(row)), rule, name);
    }
    this.#owningRules.length = 0;
  }

  /** Makes a directory, or changes one that is there. */
  makeDirectory(rule: DirectoryRule, name: string): void {
    const at = this.#target(rule.path, name);
    if (at === undefined) return;
    const existing = this.#draft.resolve(at);
    if (existing !== undefined && !this.#draft.isDirectory(existing)) {
      this.#problems.push(
        `${name}: ${this.#draft.displayPath(existing)} exists already, and is no directory`,
      );
      return;
    }
    const part = this.#parts.add(name);
    const row = this.#directoryAt(at, part);
    if (row === undefined) return;
    const before = this.#draft.attributes(row);
    this.#draft.setAttributes(row, { ...before, mode: this.#modeChange(rule.mode, name)(before.mode) });
    this.#own([row], rule, name);
  }

  makeSymlink(rule: SymlinkRule, name: string): void {
    const target = utf8(rule.target);
    this.#make(rule.path, { ...this.#fresh(fileMode.SYMLINK | 0o777), target }, rule, name);
  }

  /** Makes a file of text. */
  makeFile(rule: FileRule, name: string): void {
    const bytes = utf8(rule.text);
    const origin = this.#draft.addOrigin({ content: () => bytesContent(bytes) });
    const mode = this.#modeChange(rule.mode, name)(fileMode.FILE | 0o644);
    this.#make(rule.path, { ...this.#fresh(mode), size: bytes.length, origin }, rule, name);
  }

  /**
   * The composed tree. `read` gives the bytes of the accounts.
   *
   * @throws DiskwrightError `INVALID_TREE` with everything that is wrong.
   */
  async finish(
    manifests: readonly Iterable<MtreeEntry>[],
    read: (content: Content) => Promise<Uint8Array>,
  ): Promise<Tree> {
    throwProblems("INVALID_TREE", "the tree cannot be composed", [
      ...this.#problems,
      ...this.#draft.problems,
    ]);
    if (this.#owners.length > 0 || manifests.length > 0) {
      const accounts = await this.#accounts(read);
      for (const owner of this.#owners) this.#setOwner(owner, accounts);
      for (const manifest of manifests) applyManifest(this.#draft, manifest, accounts, this.warnings);
    }
    throwProblems("INVALID_TREE", "the tree cannot be composed", [
      ...this.#problems,
      ...this.#draft.problems,
    ]);
    return this.#draft.finish("the tree cannot be composed");
  }

  /** The bytes of a path of the tree; `undefined` when it is no plain path. */
  #target(path: string, name: string): Uint8Array | undefined {
    const bytes = utf8(path);
    if (path.startsWith("/") && !climbs(bytes)) return bytes;
    this.#problems.push(
      `${name}: the target ${printable(bytes)} must be a path from the root of the tree, with no ".." in it`,
    );
    return undefined;
  }

  /**
   * The target of a rule of `contents`, without the slash in front that may be missing and the one at its end that may be
   * there, and the part that the rule is. Its owner is noted.
   */
  #contentsTarget(
    rule: ContentsRule,
    isDirectory: boolean,
    name: string,
  ): { at: Uint8Array; part: number } | undefined {
    const problem = ownerProblem(rule);
    if (problem !== undefined) this.#problems.push(`${name}: ${problem}`);
    const at = this.#target(`/${rule.target.replace(/^\/+|\/+$/g, "")}`, name);
    if (at === undefined) return undefined;
    const part = this.#parts.add(name);
    this.#firstRule = Math.min(this.#firstRule, part);
    if (rule.user !== undefined) this.#owningRules.push({ at, isDirectory, rule, name });
    return { at, part };
  }

  /** Whether a rule's target is there and may not be completed, which is noted. */
  #isTaken(at: Uint8Array, isDirectory: boolean, name: string): boolean {
    const found = this.#draft.find(at);
    if (found === undefined) return false;
    const existing = (isDirectory ? this.#draft.resolve(at) : undefined) ?? found;
    const isOfRules = [found, existing].some((row) => this.#parts.of(row) >= this.#firstRule);
    if (isDirectory && this.#draft.isDirectory(existing) && existing !== 0 && !isOfRules) return false;
    this.#refuseExisting(existing, name);
    return true;
  }

  /** A tree with the modes that a rule gives it, all of it root's. */
  #prepared(tree: Tree, rule: ContentsRule, name: string): Tree {
    const owned = ownedBy(tree, 0, 0);
    return rule.mode === undefined ? owned : withModes(owned, this.#modeChange(rule.mode, name));
  }

  #lay(tree: Tree, from: number, at: Uint8Array, part: number, links?: Map<string, number>): void {
    this.#draft.lay(tree, at, {
      from,
      ...(links && { links }),
      onLaid: (row) => this.#parts.note(row, part),
    });
  }

  #refuseExisting(existing: number, name: string): void {
    const from = this.#parts.shownOrigin(existing);
    this.#problems.push(
      `${name}: ${this.#draft.displayPath(existing)} exists already${from}: leave one of them out, or say replace`,
    );
  }

  /** Whether something would replace a directory that has entries, which is noted. */
  #emptiesDirectory(tree: Tree, at: Uint8Array, name: string): boolean {
    let isRefused = false;
    for (const { existing, row } of clashes(this.#draft, tree, 0, at)) {
      if (!this.#draft.isDirectory(existing) || this.#draft.children(existing).next().done) continue;
      const kind = fileMode.typeOfMode(tree.columns.mode[row]!);
      this.#problems.push(
        `${name}: ${this.#draft.displayPath(existing)} is a directory with entries, which a ${kind} does not replace: ` +
          "leave one of them out, or say replace",
      );
      isRefused = true;
    }
    return isRefused;
  }

  *#below(top: number): Generator<number> {
    const pending = [top];
    for (let row = pending.pop(); row !== undefined; row = pending.pop()) {
      yield row;
      for (const child of this.#draft.children(row)) pending.push(child);
    }
  }

  #fresh(mode: number): RowAttributes {
    return { ...PLAIN_DIRECTORY, mode, mtimeSeconds: this.#time };
  }

  #make(path: string, attributes: RowAttributes, ownership: Ownership, name: string): void {
    const at = this.#target(path, name);
    if (at === undefined) return;
    const existing = this.#draft.find(at);
    if (existing !== undefined && this.#draft.isDirectory(existing)) {
      this.#problems.push(`${name}: ${this.#draft.displayPath(existing)} is a directory`);
      return;
    }
    const part = this.#parts.add(name);
    if (!this.#makeParents(at, part)) return;
    const row = this.#draft.put(at, attributes);
    if (row === undefined) return;
    this.#own([row], ownership, name);
    this.#parts.note(row, part);
  }

  /**
   * Makes the directories above a path, where they are missing, with a time of their own. False when something else is in
   * the way, which is noted.
   */
  #makeParents(path: Uint8Array, part: number): boolean {
    const parent = path.subarray(0, Math.max(0, path.lastIndexOf(SLASH)));
    return this.#directoryAt(parent, part, path) !== undefined;
  }

  /**
   * The directory that a path leads to, for the sake of an entry. What is missing of it is made, with a time of its own.
   * All directories on the way become the part's.
   */
  #directoryAt(path: Uint8Array, part: number, entry = path): number | undefined {
    const firstMade = this.#draft.length;
    const row = this.#draft.directoryAt(path, entry);
    for (let made = firstMade; made < this.#draft.length; made++) {
      this.#draft.setAttributes(made, this.#fresh(PLAIN_DIRECTORY.mode));
    }
    for (let end = path.length; end > 0; end = path.lastIndexOf(SLASH, end - 1)) {
      const onTheWay = this.#draft.resolve(path.subarray(0, end));
      if (onTheWay !== undefined) this.#parts.note(onTheWay, part);
    }
    return row;
  }

  #modeChange(text: string | undefined, name: string): (mode: number) => number {
    if (text === undefined) return (mode) => mode;
    try {
      return parseMode(text);
    } catch (error) {
      if (!(error instanceof DiskwrightError)) throw error;
      this.#problems.push(`${name}: ${error.message}`);
      return (mode) => mode;
    }
  }

  #own(rows: ArrayLike<number>, { user, group }: Ownership, name: string): void {
    if (user !== undefined || group !== undefined) this.#owners.push({ rows, user, group, name });
  }

  #setOwner({ rows, user, group, name }: PendingOwner, accounts: Accounts): void {
    const uid = user === undefined ? undefined : accounts.uid(user);
    const gid = group === undefined ? undefined : accounts.gid(group);
    if (user !== undefined && uid === undefined)
      this.#problems.push(`${name}: there is no user ${printable(utf8(user))} in etc/passwd of the tree`);
    if (group !== undefined && gid === undefined)
      this.#problems.push(`${name}: there is no group ${printable(utf8(group))} in etc/group of the tree`);
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index]!;
      const attributes = this.#draft.attributes(row);
      this.#draft.setAttributes(row, {
        ...attributes,
        uid: uid ?? attributes.uid,
        gid: gid ?? attributes.gid,
      });
    }
  }

  async #accounts(read: (content: Content) => Promise<Uint8Array>): Promise<Accounts> {
    const bytesOf = async (path: string): Promise<Uint8Array | undefined> => {
      const content = this.#draft.contentAt(utf8(path));
      return content === undefined ? undefined : await read(content);
    };
    return accountsOf(await bytesOf("etc/passwd"), await bytesOf("etc/group"));
  }
}

const SLASH = 0x2f;
