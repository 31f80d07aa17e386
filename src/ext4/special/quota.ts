import type { Tree } from "../../tree/index.ts";
import type { FeatureSet } from "../features.ts";
import { FIRST_INODE, quotaEntriesHeader, quotaEntry, quotaHeader } from "../structures.ts";

// Quota files (vfsv1, Documentation/admin-guide/quota.rst): how much each user, group and project uses. A file
// is a tree of blocks of 1 KiB: a header, nodes that take one byte of the identifier each, and blocks of
// entries. No limits are set.

const BLOCK = 1024;
const LEVELS = 4;
const VERSION = 1;
const ROOT = 1;
/** Seconds after which a soft limit becomes a hard one: a week. */
const GRACE = 604_800;
const USER_INODE = 3;
const GROUP_INODE = 4;

const ENTRIES_PER_BLOCK = Math.floor((BLOCK - quotaEntriesHeader.span) / quotaEntry.span);

/** Whose usage a file tells. */
export type QuotaKind = "user" | "group" | "project";

const MAGIC: Readonly<Record<QuotaKind, number>> = {
  user: 0xd9c01f11,
  group: 0xd9c01927,
  project: 0xd9c03f14,
};

/** A quota file before its numbers are known. */
export interface QuotaFile {
  readonly kind: QuotaKind;
  readonly inode: number;
  /** Everybody who owns something, ascending. */
  readonly ids: Uint32Array;
  /** Bytes of the file. */
  readonly size: number;
}

/** The quota files that a tree needs. The one of projects gets an inode behind lost+found, the others have theirs. */
export function quotaFiles(
  tree: Tree,
  features: FeatureSet,
  rootOwner: { readonly uid: number; readonly gid: number } | undefined,
): readonly QuotaFile[] {
  if (!features.has("quota")) return [];
  const file = (kind: QuotaKind, inode: number, ids: Iterable<number>): QuotaFile => {
    const sorted = Uint32Array.from(new Set(ids)).sort();
    return { kind, inode, ids: sorted, size: new QuotaTree(sorted).blocks * BLOCK };
  };
  const owners = (column: Uint32Array, ofRoot: number | undefined): number[] => {
    // What the filesystem has for itself belongs to user 0.
    const ids = new Set([0, ofRoot ?? column[0]!]);
    for (let row = 1; row < tree.length; row++) ids.add(column[row]!);
    return [...ids];
  };
  const { uid, gid } = tree.columns;
  const files = [
    file("user", USER_INODE, owners(uid, rootOwner?.uid)),
    file("group", GROUP_INODE, owners(gid, rootOwner?.gid)),
  ];
  if (features.has("project")) files.push(file("project", projectQuotaInode(features), [0]));
  return files;
}

/** The inode of the quota file of projects: behind lost+found, and behind the orphan file. */
function projectQuotaInode(features: FeatureSet): number {
  return FIRST_INODE + (features.has("orphan_file") ? 2 : 1);
}

/** How much one user, group or project uses. */
export interface QuotaUsage {
  readonly bytes: number;
  readonly inodes: number;
}

/** Encodes a quota file. */
export function encodeQuotaFile(file: QuotaFile, usageOf: (id: number) => QuotaUsage): Uint8Array {
  const { kind, ids, size } = file;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const blocks = new QuotaTree(ids, (at, pointer) => view.setUint32(at, pointer, true));
  const isLastFull = ids.length % ENTRIES_PER_BLOCK === 0;
  quotaHeader.encode(
    {
      magic: MAGIC[kind],
      version: VERSION,
      blockGrace: GRACE,
      inodeGrace: GRACE,
      flags: 0,
      blocks: size / BLOCK,
      freeBlock: 0,
      freeEntry: isLastFull ? 0 : blocks.entryBlocks.at(-1)!,
    },
    bytes,
    0,
    "quota header",
  );
  blocks.entryBlocks.forEach((block, index) => {
    const own = ids.subarray(index * ENTRIES_PER_BLOCK, (index + 1) * ENTRIES_PER_BLOCK);
    const at = block * BLOCK;
    const header = { nextFree: 0, previousFree: 0, entries: own.length };
    quotaEntriesHeader.encode(header, bytes, at, "quota entries");
    own.forEach((id, entry) => {
      const usage = usageOf(id);
      const values = {
        id,
        inodeHardLimit: 0n,
        inodeSoftLimit: 0n,
        inodes: BigInt(usage.inodes),
        blockHardLimit: 0n,
        blockSoftLimit: 0n,
        bytes: BigInt(usage.bytes),
        blockGraceEnd: 0n,
        inodeGraceEnd: 0n,
      };
      quotaEntry.encode(
        values,
        bytes,
        at + quotaEntriesHeader.span + entry * quotaEntry.span,
        `quota of ${id}`,
      );
    });
  });
  return bytes;
}

/** Where the nodes and entries of a quota file lie: each node in the first free block when it is needed. */
class QuotaTree {
  /** Blocks of 1 KiB. */
  blocks = ROOT + 1;
  readonly entryBlocks: number[] = [];

  /** `point` is told where, in bytes, a pointer to which block lies. */
  constructor(ids: Uint32Array, point: (at: number, block: number) => void = () => {}) {
    const path: number[] = [];
    let previous: number | undefined;
    ids.forEach((id, index) => {
      if (index % ENTRIES_PER_BLOCK === 0) this.entryBlocks.push(this.blocks++);
      let node = ROOT;
      for (let level = 0; level < LEVELS; level++) {
        const shift = 8 * (LEVELS - 1 - level);
        const at = node * BLOCK + 4 * ((id >>> shift) & 0xff);
        if (level === LEVELS - 1) point(at, this.entryBlocks.at(-1)!);
        else {
          const isShared = previous !== undefined && previous >>> shift === id >>> shift;
          if (!isShared) {
            path[level] = this.blocks++;
            point(at, path[level]!);
          }
          node = path[level]!;
        }
      }
      previous = id;
    });
  }
}
