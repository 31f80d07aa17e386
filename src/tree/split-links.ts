import type { DataRange, Device } from "./entry.ts";
import { Tree } from "./tree.ts";
import { XattrTable } from "./xattrs.ts";

/**
 * The tree with at most `limit` names for each file: further names of a set of hard links become another file with the
 * same content and metadata, and so on. With a limit of 1, each name is a file of its own. A name keeps its first file
 * in the order of the tree, so that the result does not depend on the order of the source.
 */
export function splitLinks(tree: Tree, limit: number): Tree {
  const { extras } = tree;
  if (!hasMoreLinks(tree, limit)) return tree;
  const from = tree.columns;
  const columns = {
    ...from,
    mode: from.mode.slice(),
    uid: from.uid.slice(),
    gid: from.gid.slice(),
    mtimeSeconds: from.mtimeSeconds.slice(),
    mtimeNanoseconds: from.mtimeNanoseconds.slice(),
    size: from.size.slice(),
    origin: from.origin.slice(),
    key: from.key.slice(),
    primary: from.primary.slice(),
  };
  const targets = new Map<number, Uint8Array>(extras.targets);
  const devices = new Map<number, Device>(extras.devices);
  const data = new Map<number, readonly DataRange[]>(extras.data);
  const xattrs = new XattrTable(extras.xattrs);
  for (let row = 0; row < tree.length; row++) {
    const set = tree.isFurtherLink(row) ? undefined : extras.xattrs.get(row);
    if (set !== undefined) xattrs.set(row, set);
  }

  /** Makes a further name the first name of a file that is like the one whose name it was. */
  function becomeFile(row: number, before: number): void {
    columns.mode[row] = from.mode[before]!;
    columns.uid[row] = from.uid[before]!;
    columns.gid[row] = from.gid[before]!;
    columns.mtimeSeconds[row] = from.mtimeSeconds[before]!;
    columns.mtimeNanoseconds[row] = from.mtimeNanoseconds[before]!;
    columns.size[row] = from.size[before]!;
    columns.origin[row] = from.origin[before]!;
    columns.key[row] = from.key[before]!;
    columns.primary[row] = row;
    const target = extras.targets.get(before);
    if (target !== undefined) targets.set(row, target);
    const device = extras.devices.get(before);
    if (device !== undefined) devices.set(row, device);
    const ranges = extras.data.get(before);
    if (ranges !== undefined) data.set(row, ranges);
    const set = extras.xattrs.get(before);
    if (set !== undefined) xattrs.set(row, set);
  }

  const linkCounts = new Map<number, number>();
  /** The file that names go to now, by the one that they had before. */
  const current = new Map<number, number>();
  for (let row = 0; row < tree.length; row++) {
    const before = from.primary[row]!;
    if (before === row && !extras.linkCounts.has(row)) continue;
    let first = current.get(before) ?? before;
    if ((linkCounts.get(first) ?? 0) === limit) {
      first = row;
      becomeFile(row, before);
    } else columns.primary[row] = first;
    current.set(before, first);
    linkCounts.set(first, (linkCounts.get(first) ?? 0) + 1);
  }
  for (const [row, count] of linkCounts) if (count === 1) linkCounts.delete(row);
  return new Tree(
    columns,
    { targets, devices, data, xattrs, linkCounts, implied: extras.implied ?? new Set() },
    tree.origins,
  );
}

function hasMoreLinks({ extras }: Tree, limit: number): boolean {
  for (const count of extras.linkCounts.values()) if (count > limit) return true;
  return false;
}
