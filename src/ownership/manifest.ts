import { printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { isPattern, type MtreeEntry, type WrittenName } from "../mtree/index.ts";
import {
  fileMode,
  PLAIN_DIRECTORY,
  type RowAttributes,
  type TreeDraft,
  xattrProblems,
} from "../tree/index.ts";
import type { Accounts } from "./accounts.ts";
import { capabilityValue } from "./capabilities.ts";
import { NameMatching } from "./matching.ts";
import { type ModeChange, parseMode } from "./mode.ts";

const TYPE_BITS: Readonly<Record<NonNullable<MtreeEntry["type"]>, number>> = {
  file: fileMode.FILE,
  dir: fileMode.DIRECTORY,
  link: fileMode.SYMLINK,
  char: fileMode.CHARACTER_DEVICE,
  block: fileMode.BLOCK_DEVICE,
  fifo: fileMode.FIFO,
  socket: fileMode.SOCKET,
};

/**
 * Sets what a manifest says, line by line, so that later lines win: types, modes, owners, times, devices, links and
 * extended attributes. A line whose path is not there makes it, unless it is to be a file; a pattern is for all
 * that it matches, unless something has just that name. What cannot be set is noted in the problems of the draft.
 */
export function applyManifest(
  draft: TreeDraft,
  manifest: Iterable<MtreeEntry>,
  accounts: Accounts,
  warnings: string[],
): void {
  const matching = new NameMatching(draft);
  for (const entry of manifest) {
    // libarchive writes names without escapes that look like patterns: what is there is meant.
    const isLiteral = !entry.names.some(isPattern) || draft.find(pathOf(entry.names)) !== undefined;
    // A line can make something else of what has a name, and take names away with it.
    if (isLiteral && entry.type !== undefined) matching.changes++;
    if (isLiteral) applyLine(draft, entry, accounts);
    else applyPattern(draft, matching, entry, accounts, warnings);
  }
}

function applyPattern(
  draft: TreeDraft,
  matching: NameMatching,
  entry: MtreeEntry,
  accounts: Accounts,
  warnings: string[],
): void {
  let rows = [0];
  for (const name of entry.names) {
    rows = rows.flatMap((row) => [...matching.in(row, name)]);
  }
  if (rows.length === 0 && !entry.optional) {
    warnings.push(`${entry.place}: ${shownNames(entry.names)} matches nothing`);
  }
  for (const row of rows) change(draft, row, entry, accounts);
}

function applyLine(draft: TreeDraft, entry: MtreeEntry, accounts: Accounts): void {
  const path = pathOf(entry.names);
  const row = draft.find(path);
  if (row !== undefined) {
    change(draft, row, entry, accounts);
    return;
  }
  if (entry.optional || entry.nochange) return;
  const { type } = entry;
  if (type === undefined || type === "file") {
    draft.problems.push(
      `${entry.place}: ${shownNames(entry.names)} is not in the tree: put the file there, or say optional`,
    );
    return;
  }
  makeParents(draft, path);
  const permissions = type === "dir" ? 0o755 : type === "link" ? 0o777 : 0o644;
  const attributes = attributesFor(
    { ...PLAIN_DIRECTORY, mode: TYPE_BITS[type] | permissions },
    entry,
    accounts,
    draft.problems,
  );
  if (attributes !== undefined) draft.put(path, attributes);
}

function makeParents(draft: TreeDraft, path: Uint8Array): void {
  for (let slash = path.indexOf(SLASH); slash >= 0; slash = path.indexOf(SLASH, slash + 1)) {
    const parent = path.subarray(0, slash);
    if (draft.find(parent) === undefined) draft.put(parent, PLAIN_DIRECTORY);
  }
}

function change(draft: TreeDraft, row: number, entry: MtreeEntry, accounts: Accounts): void {
  if (entry.nochange) return;
  const before = draft.attributes(row);
  const bits = entry.type === undefined ? undefined : TYPE_BITS[entry.type];
  const isOther = bits !== undefined && bits !== (before.mode & fileMode.TYPE_MASK);
  if (isOther) {
    const problem = typeProblem(draft, row, before, bits);
    if (problem !== undefined) {
      draft.problems.push(`${entry.place}: ${draft.displayPath(row)} ${problem}`);
      return;
    }
  }
  const changed = isOther
    ? {
        ...before,
        mode: bits | (before.mode & fileMode.PERMISSION_MASK),
        size: undefined,
        data: undefined,
        key: 0,
      }
    : before;
  const attributes = attributesFor(changed, entry, accounts, draft.problems);
  if (attributes === undefined) return;
  const isMade = isOther && (bits === fileMode.DIRECTORY || draft.isDirectory(row));
  if (isMade) draft.put(draft.path(row), attributes);
  else draft.setAttributes(row, attributes);
}

/** Why something cannot become something else: content appears from nowhere, and children do not vanish. */
function typeProblem(draft: TreeDraft, row: number, before: RowAttributes, bits: number): string | undefined {
  if (bits === fileMode.FILE) {
    return `is a ${fileMode.typeOfMode(before.mode)} in the tree, and cannot become a file: put the file there`;
  }
  if (draft.isDirectory(row) && !draft.children(row).next().done) {
    return `is a directory with entries, and cannot become a ${fileMode.typeOfMode(bits)}`;
  }
  return row === 0 ? "is the root of the tree, which is a directory" : undefined;
}

/** The attributes with everything that a line sets; `undefined` when something is wrong, which is noted. */
function attributesFor(
  before: RowAttributes,
  entry: MtreeEntry,
  accounts: Accounts,
  problems: string[],
): RowAttributes | undefined {
  const count = problems.length;
  const problem = (text: string): undefined => {
    problems.push(`${entry.place}: ${shownNames(entry.names)}: ${text}`);
    return undefined;
  };
  const type = before.mode & fileMode.TYPE_MASK;
  const isDevice = type === fileMode.CHARACTER_DEVICE || type === fileMode.BLOCK_DEVICE;
  const device = isDevice ? (entry.device ?? before.device) : undefined;
  if (isDevice && device === undefined) problem("a device needs its number: device=native,MAJOR,MINOR");
  const target = type === fileMode.SYMLINK ? (entry.link ?? before.target) : undefined;
  if (type === fileMode.SYMLINK && target === undefined) problem("a link needs its target: link=…");
  // Written out: to copy everything and then set some of it takes twice as long, for each line.
  const { size, origin, key, data } = before;
  const attributes: RowAttributes = {
    size,
    origin,
    key,
    data,
    mode: modeFor(before.mode, entry, problem),
    uid: idFor(entry.uname, entry.uid, (name) => accounts.uid(name), "user", "passwd", problem) ?? before.uid,
    gid: idFor(entry.gname, entry.gid, (name) => accounts.gid(name), "group", "group", problem) ?? before.gid,
    mtimeSeconds: entry.time?.seconds ?? before.mtimeSeconds,
    mtimeNanoseconds: entry.time?.nanoseconds ?? before.mtimeNanoseconds,
    device,
    target,
    xattrs: xattrsFor(before.xattrs, entry, problem),
  };
  return problems.length === count ? attributes : undefined;
}

type Note = (text: string) => undefined;

/** Modes that were parsed before, by their text: the lines of a manifest have few different ones. */
const knownModes = new Map<string, ModeChange>();
const MOST_KNOWN_MODES = 256;

function modeFor(before: number, { mode }: MtreeEntry, note: Note): number {
  return mode === undefined ? before : (attempt(() => modeChange(mode)(before), note) ?? before);
}

function modeChange(text: string): ModeChange {
  const known = knownModes.get(text);
  if (known !== undefined) return known;
  const change = parseMode(text);
  if (knownModes.size >= MOST_KNOWN_MODES) knownModes.clear();
  knownModes.set(text, change);
  return change;
}

/** The id of a name in the tree's own accounts, or the number that is given beside it. */
function idFor(
  name: string | undefined,
  number: number | undefined,
  find: (name: string) => number | undefined,
  what: string,
  file: string,
  note: Note,
): number | undefined {
  if (name === undefined) return number;
  const found = find(name) ?? number;
  return (
    found ??
    note(`there is no ${what} ${printable(utf8(name))} in etc/${file} of the tree, and no number is given`)
  );
}

function xattrsFor(before: RowAttributes["xattrs"], entry: MtreeEntry, note: Note): RowAttributes["xattrs"] {
  const { xattrs, capabilities } = entry;
  if (xattrs === undefined && capabilities === undefined) return before;
  const merged = new Map([...(before ?? []), ...(xattrs ?? [])]);
  const value = capabilities === undefined ? undefined : attempt(() => capabilityValue(capabilities), note);
  if (value !== undefined) merged.set("security.capability", value);
  for (const problem of xattrProblems(merged)) note(problem);
  return merged;
}

function attempt<Result>(action: () => Result, note: Note): Result | undefined {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof DiskwrightError)) throw error;
    return note(error.message);
  }
}

const SLASH = 0x2f;

function pathOf(names: readonly WrittenName[]): Uint8Array {
  const length = names.reduce((sum, { bytes }) => sum + bytes.length + 1, -1);
  const path = new Uint8Array(Math.max(0, length));
  let end = 0;
  for (const { bytes } of names) {
    if (end > 0) path[end++] = SLASH;
    path.set(bytes, end);
    end += bytes.length;
  }
  return path;
}

function shownNames(names: readonly WrittenName[]): string {
  return `/${printable(pathOf(names))}`;
}
