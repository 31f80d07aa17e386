import { checkArgument } from "../arguments/index.ts";
import { ownerId, treeKind } from "./arguments.ts";
import { TreeDraft } from "./draft.ts";
import type { DataRange, Device } from "./entry.ts";
import { SYMLINK, TYPE_MASK } from "./mode.ts";
import { Tree, type TreeColumns } from "./tree.ts";
import { XattrTable } from "./xattrs.ts";

/**
 * What lies below the directory in row `top`, as a tree of its own whose root is that directory. A hard link
 * whose first name lies elsewhere becomes a file of its own.
 */
export function subtree(tree: Tree, top: number): Tree {
  const { start, end } = tree.descendants(top);
  return select(tree, [
    { start: top, end: top + 1 },
    { start, end },
  ]);
}

/** The tree without what lies below the directory in row `top`, which stays as an empty directory. */
export function emptied(tree: Tree, top: number): Tree {
  const { start, end } = tree.descendants(top);
  return select(tree, [
    { start: 0, end: start },
    { start: end, end: tree.length },
  ]);
}

/** The tree without some rows, and without what lies below them. */
export function without(tree: Tree, rows: ReadonlySet<number>): Tree {
  const draft = new TreeDraft();
  draft.lay(tree, new Uint8Array(0), { skip: (row) => rows.has(row) });
  return draft.finish();
}

/** The same tree with one owner and group for every entry. */
export function ownedBy(tree: Tree, uid: number, gid: number): Tree {
  checkArgument("tree", tree, treeKind);
  checkArgument("uid", uid, ownerId);
  checkArgument("gid", gid, ownerId);
  const columns: TreeColumns = {
    ...tree.columns,
    uid: new Uint32Array(tree.columns.uid.length).fill(uid),
    gid: new Uint32Array(tree.columns.gid.length).fill(gid),
  };
  return new Tree(columns, tree.extras, tree.origins);
}

/**
 * The same tree with what `change` makes of each mode, symlinks excepted: Linux gives them all the same one. Access control
 * lists, which would allow something else than the new modes, are left out; default ones of directories stay.
 */
export function withModes(tree: Tree, change: (mode: number) => number): Tree {
  const mode = tree.columns.mode.map((before) =>
    (before & TYPE_MASK) === SYMLINK ? before : change(before),
  );
  const xattrs = tree.extras.xattrs.mapped((set) => {
    if (!set.has(ACCESS_LIST)) return set;
    return new Map([...set].filter(([name]) => name !== ACCESS_LIST));
  });
  return new Tree({ ...tree.columns, mode }, { ...tree.extras, xattrs }, tree.origins);
}

const ACCESS_LIST = "system.posix_acl_access";

interface RowRange {
  readonly start: number;
  readonly end: number;
}

const NOT_SELECTED = 0xffffffff;

/** The rows of some ranges, renumbered. The first row selected becomes the root. */
function select(tree: Tree, ranges: readonly RowRange[]): Tree {
  const from = tree.columns;
  const length = ranges.reduce((sum, { start, end }) => sum + Math.max(0, end - start), 0);
  const rowOf = new Uint32Array(tree.length).fill(NOT_SELECTED);
  const rows = new Uint32Array(length);
  let next = 0;
  for (const { start, end } of ranges) {
    for (let row = start; row < end; row++) {
      rows[next] = row;
      rowOf[row] = next++;
    }
  }

  const pick = <Column extends Uint8Array | Uint16Array | Uint32Array | Float64Array>(
    column: Column,
  ): Column => {
    const Type = column.constructor as new (length: number) => Column;
    const picked = new Type(length);
    for (let row = 0; row < length; row++) picked[row] = column[rows[row]!]!;
    return picked;
  };
  const columns: TreeColumns = {
    length,
    parent: pick(from.parent),
    nameStart: pick(from.nameStart),
    nameLength: pick(from.nameLength),
    mode: pick(from.mode),
    uid: pick(from.uid),
    gid: pick(from.gid),
    mtimeSeconds: pick(from.mtimeSeconds),
    mtimeNanoseconds: pick(from.mtimeNanoseconds),
    size: pick(from.size),
    firstChild: pick(from.firstChild),
    childCount: pick(from.childCount),
    primary: pick(from.primary),
    origin: pick(from.origin),
    key: pick(from.key),
    names: from.names,
  };

  const targets = new Map<number, Uint8Array>();
  const devices = new Map<number, Device>();
  const data = new Map<number, readonly DataRange[]>();
  const xattrs = new XattrTable(tree.extras.xattrs);
  const linkCounts = new Map<number, number>();
  /** The first selected row of each set of hard links, by the row of its first name before. */
  const primaryOf = new Map<number, number>();
  for (let row = 0; row < length; row++) {
    const before = rows[row]!;
    const parent = rowOf[from.parent[before]!]!;
    columns.parent[row] = parent === NOT_SELECTED ? 0 : parent;
    const firstChild = from.childCount[before] === 0 ? NOT_SELECTED : rowOf[from.firstChild[before]!]!;
    columns.firstChild[row] = firstChild === NOT_SELECTED ? 0 : firstChild;
    if (firstChild === NOT_SELECTED) columns.childCount[row] = 0;

    const primaryBefore = from.primary[before]!;
    const isLinked = primaryBefore !== before || tree.extras.linkCounts.has(before);
    const primary = isLinked ? (primaryOf.get(primaryBefore) ?? row) : row;
    columns.primary[row] = primary;
    if (isLinked) {
      primaryOf.set(primaryBefore, primary);
      linkCounts.set(primary, (linkCounts.get(primary) ?? 0) + 1);
    }
    if (primary !== row) continue;
    carry(tree.extras.targets, primaryBefore, targets, row);
    carry(tree.extras.devices, primaryBefore, devices, row);
    carry(tree.extras.data, primaryBefore, data, row);
    carry(tree.extras.xattrs, primaryBefore, xattrs, row);
  }
  for (const [row, count] of linkCounts) if (count === 1) linkCounts.delete(row);
  columns.nameLength[0] = 0;
  return new Tree(columns, { targets, devices, data, xattrs, linkCounts }, tree.origins);
}

function carry<Value>(
  from: { get(row: number): Value | undefined },
  before: number,
  to: { set(row: number, value: Value): unknown },
  row: number,
): void {
  const value = from.get(before);
  if (value !== undefined) to.set(row, value);
}
