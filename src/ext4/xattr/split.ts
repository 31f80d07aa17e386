import { largestOf } from "../../bytes/index.ts";
import { blockXattrRoom, inodeXattrRoom, type StoredXattr, xattrEntrySize, xattrSize } from "./encode.ts";
import { isAcl, NAME_INDEX, type XattrName } from "./name.ts";

// Which attributes of an entry lie in its inode, which in its block, and which values get inodes of their own.

/** A set of attributes, divided. Both parts are sorted. */
export interface XattrSplit {
  readonly inode: readonly StoredXattr[];
  readonly block: readonly StoredXattr[];
}

/**
 * Divides a sorted set over an inode and a block. What does not fit into the inode goes to the block; what
 * does not fit there either gives, where `moveOut` is there, its largest values away, one after the other.
 * Returns `undefined` when no division fits.
 */
export function splitXattrs(
  xattrs: readonly StoredXattr[],
  inodeRoom: number,
  blockSize: number,
  moveOut: ((xattr: StoredXattr) => StoredXattr) | undefined,
): XattrSplit | undefined {
  const room = { inode: inodeXattrRoom(inodeRoom), block: blockXattrRoom(blockSize) };
  const parts = [...xattrs];
  const least = parts.reduce((sum, { name }) => sum + xattrEntrySize(name), 0);
  if (least > room.inode + room.block) return undefined;
  const largestFirst = parts
    .map((_, index) => index)
    .sort((a, b) => parts[b]!.value.length - parts[a]!.value.length || a - b);
  let split = divide(parts, room);
  for (const next of largestFirst) {
    if (split !== undefined || moveOut === undefined || parts[next]!.value.length === 0) break;
    parts[next] = moveOut(parts[next]!);
    split = divide(parts, room);
  }
  return split;
}

interface Room {
  readonly inode: number;
  readonly block: number;
}

function divide(xattrs: readonly StoredXattr[], room: Room): XattrSplit | undefined {
  const sizes = xattrs.map(xattrSize);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total <= room.inode) return { inode: xattrs, block: [] };
  if (total > room.inode + room.block) return undefined;
  for (const choose of [usefulFirst, fullest]) {
    const chosen = choose(xattrs, sizes, room.inode);
    const isInside = (_: StoredXattr, index: number): boolean => chosen.has(index);
    const taken = sizes.reduce((sum, size, index) => (chosen.has(index) ? sum + size : sum), 0);
    if (total - taken > room.block) continue;
    return {
      inode: xattrs.filter(isInside),
      block: xattrs.filter((xattr, index) => !isInside(xattr, index)),
    };
  }
  return undefined;
}

/** Into the inode first what a kernel asks for when a file is opened or run: labels, capabilities, ACLs. */
function usefulFirst(xattrs: readonly StoredXattr[], sizes: readonly number[], room: number): Set<number> {
  const rank = ({ index }: XattrName): number => (index === NAME_INDEX.security ? 0 : isAcl(index) ? 1 : 2);
  const order = xattrs
    .map((_, index) => index)
    .sort((a, b) => rank(xattrs[a]!.name) - rank(xattrs[b]!.name) || sizes[a]! - sizes[b]! || a - b);
  const chosen = new Set<number>();
  let left = room;
  for (const index of order) {
    if (sizes[index]! > left) continue;
    chosen.add(index);
    left -= sizes[index]!;
  }
  return chosen;
}

/** What fills the inode most, whatever it is, so that no set is refused that could be divided. */
function fullest(xattrs: readonly StoredXattr[], sizes: readonly number[], room: number): Set<number> {
  /** By a sum, the attribute with which it was reached first; all before it only use earlier ones. */
  const reachedWith = new Map<number, number>([[0, -1]]);
  for (let index = 0; index < xattrs.length; index++) {
    for (const sum of [...reachedWith.keys()]) {
      const next = sum + sizes[index]!;
      if (next <= room && !reachedWith.has(next)) reachedWith.set(next, index);
    }
  }
  const chosen = new Set<number>();
  for (let sum = largestOf(reachedWith.keys()); sum > 0; ) {
    const index = reachedWith.get(sum)!;
    chosen.add(index);
    sum -= sizes[index]!;
  }
  return chosen;
}
