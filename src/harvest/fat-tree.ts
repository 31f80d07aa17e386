import { printable, utf8, utf8Text } from "../bytes/index.ts";
import { throwProblems } from "../errors.ts";
import { type CancelSignal, eventLoopTurn } from "../extents/index.ts";
import type { FatEntry, FatVolume } from "../fat32/index.ts";
import { fileMode, type RowAttributes, TreeDraft } from "../tree/index.ts";
import { StoredContents } from "./contents.ts";
import { ENTRIES_BETWEEN_TURNS, type HarvestedTree } from "./ext4-tree.ts";
import { Mentions } from "./mentions.ts";

/** What the taking of a tree can be told. */
export interface FatTreeOptions {
  readonly signal?: CancelSignal | undefined;
}

const READ_ONLY = 0x01;
const HIDDEN = 0x02;
const SYSTEM = 0x04;

const NANOSECONDS = 1_000_000_000n;
/** Times of change come in steps of this. */
const STEP = 2n * NANOSECONDS;

const HEADING = "the FAT filesystem cannot be taken over";

/**
 * The tree of a FAT volume. FAT has no owners and no modes: everything is root's, directories are 0755, files 0644, or
 * 0444 where they are read-only.
 *
 * @throws DiskwrightError `CORRUPT` for a volume in which a check finds problems. Copies and hints that differ from what counts are
 *   warnings: they are written anew.
 */
export async function fatTree(volume: FatVolume, options: FatTreeOptions = {}): Promise<HarvestedTree> {
  await volume.check({ signal: options.signal });
  refuseProblems(volume);
  const draft = new TreeDraft();
  const contents = new StoredContents(volume.size);
  const origin = draft.addOrigin(contents);
  const problems: string[] = [];
  const flagged = new Mentions();
  let untilTurn = ENTRIES_BETWEEN_TURNS;
  for await (const entry of volume.entries()) {
    if (--untilTurn === 0) {
      untilTurn = ENTRIES_BETWEEN_TURNS;
      await eventLoopTurn(options.signal);
    }
    const path = utf8(entry.path);
    if (utf8Text(path) !== entry.path) {
      problems.push(`/${printable(path)}: the name has half a surrogate pair: rename it`);
      continue;
    }
    if (draft.find(path) !== undefined) {
      problems.push(`/${printable(path)}: the name is there twice: rename one`);
      continue;
    }
    const letters = lettersOf(entry.attributes);
    if (letters !== "") flagged.add(`/${printable(path)} (${letters})`);
    draft.put(path, await attributesOf(volume, entry, contents, origin));
    if (contents.isOverfull) problems.push("files share clusters: run fsck.fat");
    if (contents.isOverfull) break;
  }
  refuseProblems(volume);
  throwProblems("CORRUPT", HEADING, problems);
  const warnings = [
    ...volume.discrepancies,
    ...flagged.lines("the attributes read-only, hidden or system, which are not kept"),
  ];
  return { tree: draft.finish(HEADING), warnings };
}

function refuseProblems({ problems, discrepancies }: FatVolume): void {
  const known = new Set(discrepancies);
  throwProblems(
    "CORRUPT",
    `${HEADING} until fsck.fat has repaired it`,
    problems.filter((problem) => !known.has(problem)),
  );
}

function lettersOf(attributes: number): string {
  const letters = [
    [READ_ONLY, "R"],
    [HIDDEN, "H"],
    [SYSTEM, "S"],
  ] as const;
  return letters.map(([bit, letter]) => ((attributes & bit) === 0 ? "" : letter)).join("");
}

async function attributesOf(
  volume: FatVolume,
  entry: FatEntry,
  contents: StoredContents,
  origin: number,
): Promise<RowAttributes> {
  const { type, size, attributes } = entry;
  const isDirectory = type === "directory";
  const file = isDirectory ? undefined : await contents.add(size, volume.extents(entry));
  const time = timeOf(entry);
  const writable = (attributes & READ_ONLY) === 0 ? 0o200 : 0;
  return {
    mode: isDirectory ? fileMode.DIRECTORY | 0o755 : fileMode.FILE | 0o444 | writable,
    uid: 0,
    gid: 0,
    mtimeSeconds: Number(time / NANOSECONDS),
    mtimeNanoseconds: Number(time % NANOSECONDS),
    size: isDirectory ? undefined : size,
    origin,
    key: file?.key,
  };
}

/**
 * When an entry was changed. Only the time of creation has odd seconds and fractions; where both are the same, those
 * are of both.
 */
function timeOf({ mtime, crtime }: FatEntry): bigint {
  return crtime >= mtime && crtime < mtime + STEP ? crtime : mtime;
}
