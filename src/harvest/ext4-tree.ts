import { printable, utf8 } from "../bytes/index.ts";
import { throwProblems } from "../errors.ts";
import type { Ext4Entry, Ext4Volume } from "../ext4/index.ts";
import { type CancelSignal, eventLoopTurn } from "../extents/index.ts";
import { fileMode, type RowAttributes, type Tree, TreeDraft } from "../tree/index.ts";
import { StoredContents } from "./contents.ts";
import { Mentions } from "./mentions.ts";

/** A tree that was taken out of a filesystem. Its content is read from there when it is needed. */
export interface HarvestedTree {
  readonly tree: Tree;
  /** What the filesystem says beyond what a tree can hold. */
  readonly warnings: readonly string[];
}

/** What the taking of a tree can be told. */
export interface Ext4TreeOptions {
  /**
   * Whether an empty lost+found of root's alone is an entry like others. Default false: the writer makes just such a
   * one where the tree has none.
   */
  readonly keepLostAndFound?: boolean | undefined;
  readonly signal?: CancelSignal | undefined;
}

/** Entries between two turns of the event loop: some tens of milliseconds. */
export const ENTRIES_BETWEEN_TURNS = 2048;

const NANOSECONDS = 1_000_000_000n;
const LOST_AND_FOUND = utf8("lost+found");
const ENCRYPTED = 0x800;

/**
 * Attributes that chattr(1) sets and a tree cannot hold, by the letters of lsattr(1); i_flags of inodes.rst. Those
 * that say how an inode is stored are left to whoever stores it again.
 */
const CHATTR: readonly (readonly [flag: number, letter: string])[] = [
  [0x1, "s"],
  [0x2, "u"],
  [0x4, "c"],
  [0x8, "S"],
  [0x10, "i"],
  [0x20, "a"],
  [0x40, "d"],
  [0x80, "A"],
  [0x400, "m"],
  [0x4000, "j"],
  [0x8000, "t"],
  [0x10000, "D"],
  [0x20000, "T"],
  [0x100000, "V"],
  [0x2000000, "x"],
  [0x20000000, "P"],
  [0x40000000, "F"],
];

/**
 * The tree of an ext4 filesystem: every entry with its owner, mode, time of change, attributes and links. What is not
 * data in a file is a hole.
 *
 * @throws DiskwrightError `CORRUPT` for a filesystem in which a check finds problems, or whose journal has to be
 *   replayed, and `SOURCE_UNREADABLE` for what cannot be read: encrypted files, features.
 */
export async function ext4Tree(volume: Ext4Volume, options: Ext4TreeOptions = {}): Promise<HarvestedTree> {
  refuseProblems(await volume.check({ signal: options.signal }));
  const draft = new TreeDraft();
  const contents = new StoredContents(volume.size);
  const origin = draft.addOrigin(contents);
  const encrypted: string[] = [];
  const flagged = new Mentions();
  /** The first names of inodes that have several. */
  const names = new Map<number, Uint8Array>();
  let untilTurn = ENTRIES_BETWEEN_TURNS;
  for await (const entry of volume.entries()) {
    const { path, inode, type, flags, links } = entry;
    if (--untilTurn === 0) {
      untilTurn = ENTRIES_BETWEEN_TURNS;
      await eventLoopTurn(options.signal);
    }
    if ((flags & ENCRYPTED) !== 0) encrypted.push(`/${printable(path)}`);
    const first = names.get(inode);
    if (first !== undefined) {
      draft.putLink(path, first);
      continue;
    }
    if (type !== "directory" && links > 1) names.set(inode, path);
    const letters = lettersOf(flags);
    if (letters !== "") flagged.add(`/${printable(path)} (${letters})`);
    if (encrypted.length === 0) draft.put(path, await attributesOf(volume, entry, contents, origin));
    if (contents.isOverfull) refuseProblems(["files share blocks"]);
  }
  refuseProblems(volume.problems);
  throwProblems("SOURCE_UNREADABLE", "what is encrypted cannot be read without its key", encrypted);
  if (options.keepLostAndFound !== true) leaveLostAndFound(draft);
  const tree = draft.finish(HEADING);
  return { tree, warnings: flagged.lines("attributes of chattr, which are not kept") };
}

const HEADING = "the ext4 filesystem cannot be taken over";

function refuseProblems(problems: readonly string[]): void {
  throwProblems("CORRUPT", `${HEADING} until e2fsck has repaired it`, problems);
}

function lettersOf(flags: number): string {
  let letters = "";
  for (const [flag, letter] of CHATTR) if ((flags & flag) !== 0) letters += letter;
  return letters;
}

async function attributesOf(
  volume: Ext4Volume,
  entry: Ext4Entry,
  contents: StoredContents,
  origin: number,
): Promise<RowAttributes> {
  const { inode, type, mode, uid, gid, size, mtime, target, device } = entry;
  // Whole seconds round towards the past, so that the nanoseconds after them are never negative.
  const nanoseconds = ((mtime % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  const file = type === "file" ? await contents.add(size, volume.extents(inode)) : undefined;
  const xattrs = await volume.xattrs(inode);
  return {
    mode: fileMode.typeBits(type) | mode,
    uid,
    gid,
    mtimeSeconds: Number((mtime - nanoseconds) / NANOSECONDS),
    mtimeNanoseconds: Number(nanoseconds),
    size: type === "file" ? size : undefined,
    origin,
    key: file?.key,
    target,
    device,
    data: file?.data,
    xattrs: xattrs.size === 0 ? undefined : xattrs,
  };
}

/** Takes out a lost+found that is as the writer of filesystems makes it. */
function leaveLostAndFound(draft: TreeDraft): void {
  const row = draft.find(LOST_AND_FOUND);
  if (row === undefined || !draft.isDirectory(row) || !draft.children(row).next().done) return;
  const { mode, uid, gid, xattrs } = draft.attributes(row);
  const isPlain = mode === (fileMode.DIRECTORY | 0o700) && uid === 0 && gid === 0 && xattrs === undefined;
  if (isPlain) draft.remove(row);
}
