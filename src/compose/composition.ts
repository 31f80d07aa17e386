import { printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../errors.ts";
import { bytesContent, type Content } from "../extents/index.ts";
import type { MtreeEntry } from "../mtree/index.ts";
import { type Accounts, accountsOf, applyManifest, parseMode } from "../ownership/index.ts";
import {
  climbs,
  fileMode,
  PLAIN_DIRECTORY,
  type RowAttributes,
  type Tree,
  TreeDraft,
} from "../tree/index.ts";
import type { ContentsRule, DirectoryRule, FileRule, Ownership, SymlinkRule } from "./sources.ts";
import { applyWhiteouts, isWhiteout } from "./whiteouts.ts";

/** An owner to be set when the accounts of the tree are known. */
interface PendingOwner {
  readonly rows: readonly number[];
  readonly user: string | undefined;
  readonly group: string | undefined;
  /** Who asks for it. */
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
  /** What laid something, for messages about what comes later: `root base.tar`, `contents[2] ./etc`. */
  readonly #parts: string[] = [""];
  /** Which part laid each row of the draft last. */
  #partOf = new Uint16Array(1024);
  readonly #owners: PendingOwner[] = [];
  readonly #problems: string[] = [];

  /** `time`, in seconds since 1970, is that of entries that are made here. */
  constructor(time = 0) {
    this.#time = time;
  }

  /**
   * Lays a tree at a target, over what is there. With `hasWhiteouts`, names that begin with `.wh.` say what
   * the layers below lose.
   */
  layRoot(tree: Tree, target: string, name: string, hasWhiteouts = false): void {
    const at = this.#target(target, name);
    if (at === undefined) return;
    if (hasWhiteouts) applyWhiteouts(this.#draft, tree, at);
    const part = this.#newPart(name);
    this.#draft.lay(tree, at, {
      ...(hasWhiteouts ? { skip: (row) => isWhiteout(tree.name(row)) } : {}),
      onLaid: (row) => this.#note(row, part),
      onReplaced: (path, before, now) =>
        this.warnings.push(`${path}: the ${now} of ${name} replaces the ${before} that was there`),
    });
  }

  /**
   * Lays what a rule names: the entry in a row of a tree, at a target. Owners default to root, as those of
   * make-disk-image.nix.
   */
  layContents(
    tree: Tree,
    from: number,
    target: string,
    rule: ContentsRule,
    name: string,
    links: Map<string, number>,
  ): void {
    const at = this.#target(target, name);
    if (at === undefined) return;
    const existing = this.#draft.find(at);
    if (existing !== undefined && rule.replace !== true) {
      const owner = this.#parts[this.#partOf[existing] ?? 0]!;
      this.#problems.push(
        `${name}: ${this.#draft.displayPath(existing)} exists already${owner === "" ? "" : `, from ${owner}`}: ` +
          "leave one of them out, or say replace",
      );
      return;
    }
    this.#makeParents(at);
    const change = this.#modeChange(rule.mode, name);
    const rows: number[] = [];
    this.#draft.lay(tree, at, { from, links, onLaid: (row) => void rows.push(row) });
    for (const row of rows) {
      const attributes = this.#draft.attributes(row);
      const mode =
        (attributes.mode & fileMode.TYPE_MASK) === fileMode.SYMLINK
          ? attributes.mode
          : change(attributes.mode);
      this.#draft.setAttributes(row, { ...attributes, mode, uid: 0, gid: 0 });
    }
    this.#own(rows, rule, name);
    const part = this.#newPart(name);
    for (const row of rows) this.#note(row, part);
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
    const row = this.#directoryAt(at);
    if (row === undefined) return;
    const before = this.#draft.attributes(row);
    this.#draft.setAttributes(row, { ...before, mode: this.#modeChange(rule.mode, name)(before.mode) });
    this.#own([row], rule, name);
    this.#note(row, this.#newPart(name));
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
    manifests: readonly (readonly MtreeEntry[])[],
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

  #newPart(name: string): number {
    return Math.min(this.#parts.push(name) - 1, MOST_PARTS);
  }

  #note(row: number, part: number): void {
    if (row >= this.#partOf.length) {
      const larger = new Uint16Array(2 * Math.max(row, this.#partOf.length));
      larger.set(this.#partOf);
      this.#partOf = larger;
    }
    this.#partOf[row] = part;
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
    this.#makeParents(at);
    this.#put(at, attributes, ownership, name);
  }

  #put(at: Uint8Array, attributes: RowAttributes, ownership: Ownership, name: string): void {
    const row = this.#draft.put(at, attributes);
    if (row === undefined) return;
    this.#own([row], ownership, name);
    this.#note(row, this.#newPart(name));
  }

  /** Makes the directories above a path, where they are missing, with a time of their own. */
  #makeParents(path: Uint8Array): void {
    this.#directoryAt(path.subarray(0, path.lastIndexOf(SLASH)));
  }

  /** The directory that a path leads to. What is missing of it is made, with a time of its own. */
  #directoryAt(path: Uint8Array): number | undefined {
    const firstMade = this.#draft.length;
    const row = this.#draft.directoryAt(path);
    for (let made = firstMade; made < this.#draft.length; made++) {
      this.#draft.setAttributes(made, this.#fresh(PLAIN_DIRECTORY.mode));
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

  #own(rows: readonly number[], { user, group }: Ownership, name: string): void {
    if (user !== undefined || group !== undefined) this.#owners.push({ rows, user, group, name });
  }

  #setOwner({ rows, user, group, name }: PendingOwner, accounts: Accounts): void {
    const uid = user === undefined ? undefined : accounts.uid(user);
    const gid = group === undefined ? undefined : accounts.gid(group);
    if (user !== undefined && uid === undefined)
      this.#problems.push(`${name}: there is no user ${printable(utf8(user))} in etc/passwd of the tree`);
    if (group !== undefined && gid === undefined)
      this.#problems.push(`${name}: there is no group ${printable(utf8(group))} in etc/group of the tree`);
    for (const row of rows) {
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

/** More parts than these are not told apart in messages. */
const MOST_PARTS = 0xffff;
