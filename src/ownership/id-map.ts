import { DiskwrightError, throwProblems } from "../errors.ts";
import { Tree, type Xattrs, type XattrTable } from "../tree/index.ts";

/** A range of ids: `count` of them from `outside` on in the source become those from `inside` on. */
interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** Ranges of ids, none of which overlap. */
export type IdMap = readonly IdRange[];

const MOST_IDS = 2 ** 32;

/**
 * Ranges as `INSIDE:OUTSIDE:COUNT`, in the order that newuidmap(1) and /proc/PID/uid_map have: with `0:100000:65536`
 * the id 100000 of the source, which is root in its container, becomes 0.
 *
 * @throws DiskwrightError `INVALID_SPEC`.
 */
export function parseIdMap(texts: readonly string[]): IdMap {
  const ranges = texts.map(parseRange);
  for (const [index, range] of ranges.entries()) {
    const other = ranges.slice(0, index).find((before) => overlap(before, range));
    if (other === undefined) continue;
    throw new DiskwrightError(
      "INVALID_SPEC",
      `the id maps ${texts[ranges.indexOf(other)]} and ${texts[index]} overlap: an id can become one other only`,
    );
  }
  return ranges;
}

function parseRange(text: string): IdRange {
  const match = /^(\d+):(\d+):(\d+)$/.exec(text);
  const [inside, outside, count] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3])];
  if (match === null || count < 1 || inside + count > MOST_IDS || outside + count > MOST_IDS) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `id map "${text}": use INSIDE:OUTSIDE:COUNT, such as 0:100000:65536, with ids below 4294967296`,
    );
  }
  return { inside, outside, count };
}

function overlap(a: IdRange, b: IdRange): boolean {
  const meet = (aStart: number, bStart: number): boolean =>
    aStart < bStart + b.count && bStart < aStart + a.count;
  return meet(a.outside, b.outside) || meet(a.inside, b.inside);
}

function mapped(id: number, map: IdMap): number | undefined {
  const range = map.find(({ outside, count }) => id >= outside && id < outside + count);
  return range === undefined ? undefined : range.inside + id - range.outside;
}

/** How many paths a message names of those that no range has. */
const NAMED_PATHS = 5;

/**
 * The same tree with its owners and groups mapped, those in access control lists among them. A map without ranges
 * changes nothing.
 *
 * @throws DiskwrightError `INVALID_TREE` when ids lie outside of all ranges.
 */
export function mapIds(tree: Tree, maps: IdMaps): Tree {
  const { uid, gid, xattrs } = mapOwners(
    {
      length: tree.length,
      uid: tree.columns.uid,
      gid: tree.columns.gid,
      xattrs: tree.extras.xattrs,
      displayPath: (row) => tree.displayPath(row),
    },
    maps,
  );
  return new Tree({ ...tree.columns, uid, gid }, { ...tree.extras, xattrs }, tree.origins);
}

/** Ranges for users, and for groups. */
export interface IdMaps {
  readonly uid: IdMap;
  readonly gid: IdMap;
}

/** Whom entries belong to, by their numbers. */
interface Owners {
  readonly uid: Uint32Array;
  readonly gid: Uint32Array;
  readonly xattrs: XattrTable;
}

/** Entries that belong to somebody. */
interface OwnedEntries extends Owners {
  readonly length: number;
  displayPath(entry: number): string;
  /** Whether an entry is a further name of another one, and has no owner of its own. */
  isLink?(entry: number): boolean;
}

/**
 * The owners of entries, mapped as {@link mapIds} does.
 *
 * @throws DiskwrightError `INVALID_TREE` when ids lie outside of all ranges.
 */
export function mapOwners(entries: OwnedEntries, maps: IdMaps): Owners {
  const unmapped: string[] = [];
  let count = 0;
  const column = (ids: Uint32Array, map: IdMap, what: string): Uint32Array => {
    if (map.length === 0) return ids;
    const found = new Uint32Array(ids.length);
    let last = -1;
    let lastMapped = 0;
    for (let row = 0; row < entries.length; row++) {
      if (entries.isLink?.(row)) continue;
      const id = ids[row]!;
      if (id !== last) {
        const inside = mapped(id, map);
        if (inside === undefined) {
          if (count++ < NAMED_PATHS)
            unmapped.push(`${entries.displayPath(row)}: its ${what} ${id} is in no range`);
          continue;
        }
        last = id;
        lastMapped = inside;
      }
      found[row] = lastMapped;
    }
    return found;
  };
  const uid = column(entries.uid, maps.uid, "owner");
  const gid = column(entries.gid, maps.gid, "group");
  if (count > unmapped.length) unmapped.push(`… and ${count - unmapped.length} more`);
  throwProblems(
    "INVALID_TREE",
    "the id maps do not have all ids of the tree: add a range for them, or give all files one owner",
    unmapped,
  );
  return { uid, gid, xattrs: mapLists(entries.xattrs, maps) };
}

const LISTS: readonly string[] = ["system.posix_acl_access", "system.posix_acl_default"];
const USER = 0x02;
const GROUP = 0x08;

/** The attributes with ids in access control lists mapped, each set once. */
function mapLists(table: XattrTable, maps: IdMaps): XattrTable {
  return table.mapped((xattrs) => {
    if (!LISTS.some((name) => xattrs.has(name))) return xattrs;
    const changed = new Map(xattrs);
    for (const name of LISTS) {
      const value = xattrs.get(name);
      if (value !== undefined) changed.set(name, mapList(value, maps, name));
    }
    return changed satisfies Xattrs;
  });
}

function mapList(value: Uint8Array, maps: IdMaps, name: string): Uint8Array {
  const bytes = value.slice();
  const view = new DataView(bytes.buffer);
  for (let at = 4; at + 8 <= bytes.length; at += 8) {
    const tag = view.getUint16(at, true);
    const map = tag === USER ? maps.uid : tag === GROUP ? maps.gid : [];
    if (map.length === 0) continue;
    const id = view.getUint32(at + 4, true);
    const inside = mapped(id, map);
    if (inside === undefined) {
      throw new DiskwrightError(
        "INVALID_TREE",
        `${name} has the id ${id}, which is in no range of the id maps`,
      );
    }
    view.setUint32(at + 4, inside, true);
  }
  return bytes;
}
