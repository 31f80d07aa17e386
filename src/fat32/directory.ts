import { utf8Text } from "../bytes/index.ts";
import type { Inventory } from "./inventory.ts";
import { SHORT_NAME_SIZE, shortNameChecksum } from "./names.ts";
import { ATTRIBUTE, ENTRY_SIZE, LAST_LONG_ENTRY, UNITS_PER_ENTRY } from "./structures.ts";
import { type FatTime, fatTime } from "./time.ts";

// Directories (FAT32 File System Specification 1.03, §6 and §7), encoded by hand: there are millions of
// entries in a large tree. A property holds the result byte-equal to the records of structures.ts.

/** Encoded at once: at most so many entries, 64 KiB. */
const ENTRIES_PER_CHUNK = 2048;

/** Where the units of a long name lie in an entry: five, six and two of them. */
const UNIT_OFFSETS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] as const;

/** What a directory entry says, beside its name. */
export interface EntryValues {
  readonly attributes: number;
  /** 0 for an empty file, and for `..` of a directory whose parent is the root. */
  readonly firstCluster: number;
  /** Bytes; 0 for directories. */
  readonly size: number;
  /** Of creation, last change and last use. */
  readonly time: FatTime;
}

/** Writes an entry. Its eleven bytes of name are at `nameAt` in `names`. */
export function encodeEntry(
  view: DataView,
  at: number,
  names: Uint8Array,
  nameAt: number,
  { attributes, firstCluster, size, time }: EntryValues,
): void {
  for (let index = 0; index < SHORT_NAME_SIZE; index++) view.setUint8(at + index, names[nameAt + index]!);
  view.setUint8(at + 0xb, attributes);
  view.setUint8(at + 0xd, time.hundredths);
  view.setUint16(at + 0xe, time.time, true);
  view.setUint16(at + 0x10, time.date, true);
  view.setUint16(at + 0x12, time.date, true);
  view.setUint16(at + 0x14, firstCluster >>> 16, true);
  view.setUint16(at + 0x16, time.time, true);
  view.setUint16(at + 0x18, time.date, true);
  view.setUint16(at + 0x1a, firstCluster & 0xffff, true);
  view.setUint32(at + 0x1c, size, true);
}

/** Writes the entries of a long name, `count` of them, the last part of the name first. */
export function encodeLongName(
  view: DataView,
  at: number,
  name: string,
  count: number,
  checksum: number,
): void {
  for (let part = count, entry = at; part > 0; part--, entry += ENTRY_SIZE) {
    view.setUint8(entry, part === count ? part | LAST_LONG_ENTRY : part);
    view.setUint8(entry + 0xb, ATTRIBUTE.longName);
    view.setUint8(entry + 0xd, checksum);
    for (let index = 0; index < UNITS_PER_ENTRY; index++) {
      const unit = (part - 1) * UNITS_PER_ENTRY + index;
      // A name that ends within the entry is followed by one zero, and then by ones.
      const value = unit < name.length ? name.charCodeAt(unit) : unit === name.length ? 0 : 0xffff;
      view.setUint16(entry + UNIT_OFFSETS[index]!, value, true);
    }
  }
}

/** Where the content of a tree lies, and which times it gets. */
export interface DirectoryPlacement {
  readonly inventory: Inventory;
  /** First cluster of each row; 0 for none. */
  readonly firstCluster: Uint32Array;
  /** Eleven bytes, when the volume has a label. */
  readonly label: Uint8Array | undefined;
  /** The time of the label's entry, in seconds since 1970. Later times of others become this one. */
  readonly time: number | undefined;
}

const DOT = new Uint8Array(SHORT_NAME_SIZE).fill(0x20).fill(0x2e, 0, 1);
const DOT_DOT = new Uint8Array(SHORT_NAME_SIZE).fill(0x20).fill(0x2e, 0, 2);

/**
 * Encodes the directory in a row, chunk by chunk, up to its last entry. The zeros behind mark the end; there
 * are none when the entries fill the directory's clusters.
 */
export function* directoryChunks(placement: DirectoryPlacement, directory: number): Generator<Uint8Array> {
  const { inventory, firstCluster, label } = placement;
  const { tree, slots, shortNames } = inventory;
  const { columns } = tree;
  let remaining = inventory.directorySlots[directory]!;
  let view = new DataView(new ArrayBuffer(Math.min(remaining, ENTRIES_PER_CHUNK) * ENTRY_SIZE));
  let used = 0;

  const put = (name: Uint8Array, nameAt: number, values: EntryValues): void => {
    encodeEntry(view, used * ENTRY_SIZE, name, nameAt, values);
    used++;
  };

  if (directory !== 0) {
    const time = timeOf(placement, directory);
    const common = { attributes: ATTRIBUTE.directory, size: 0, time };
    const parent = columns.parent[directory]!;
    put(DOT, 0, { ...common, firstCluster: firstCluster[directory]! });
    // The root is 0 here even on FAT32, where it has a cluster (§6.5).
    put(DOT_DOT, 0, { ...common, firstCluster: parent === 0 ? 0 : firstCluster[parent]! });
  } else if (label !== undefined) {
    const time = fatTime(placement.time ?? 0, 0);
    put(label, 0, { attributes: ATTRIBUTE.volumeLabel, firstCluster: 0, size: 0, time });
  }

  const first = columns.firstChild[directory]!;
  const end = first + columns.childCount[directory]!;
  for (let row = first; row < end; row++) {
    const count = slots[row]!;
    if (count === 0) continue;
    if (used + count > ENTRIES_PER_CHUNK) {
      remaining -= used;
      yield new Uint8Array(view.buffer as ArrayBuffer, 0, used * ENTRY_SIZE);
      view = new DataView(new ArrayBuffer(Math.min(remaining, ENTRIES_PER_CHUNK) * ENTRY_SIZE));
      used = 0;
    }
    const nameAt = SHORT_NAME_SIZE * row;
    if (count > 1) {
      const name = utf8Text(tree.name(row))!;
      encodeLongName(view, used * ENTRY_SIZE, name, count - 1, shortNameChecksum(shortNames, nameAt));
      used += count - 1;
    }
    const isDirectory = tree.isDirectory(row);
    put(shortNames, nameAt, {
      attributes: isDirectory ? ATTRIBUTE.directory : ATTRIBUTE.archive,
      firstCluster: firstCluster[row]!,
      size: isDirectory ? 0 : columns.size[row]!,
      time: timeOf(placement, row),
    });
  }
  if (used > 0) yield new Uint8Array(view.buffer as ArrayBuffer, 0, used * ENTRY_SIZE);
}

function timeOf({ inventory, time }: DirectoryPlacement, row: number): FatTime {
  const { mtimeSeconds, mtimeNanoseconds } = inventory.tree.columns;
  const seconds = mtimeSeconds[row]!;
  if (time !== undefined && seconds >= time) return fatTime(time, 0);
  return fatTime(seconds, mtimeNanoseconds[row]!);
}
