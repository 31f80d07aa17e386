import { codeUnitText, utf8 } from "../bytes/index.ts";
import { shortNameChecksum } from "./names.ts";
import {
  ATTRIBUTE,
  type DirectoryEntry,
  directoryEntry,
  ENTRY_SIZE,
  LAST_LONG_ENTRY,
  longNameEntry,
  UNITS_PER_ENTRY,
} from "./structures.ts";
import { secondsOf } from "./time.ts";

// What the bytes of a directory say (FAT32 File System Specification 1.03, §6 and §7). They come from
// anywhere, so nothing in them is trusted.

/** One name in a directory. */
export interface ListedEntry {
  /** The long name, or the short one where there is no sound long one. */
  readonly name: string;
  readonly shortName: string;
  readonly attributes: number;
  readonly firstCluster: number;
  /** Bytes. */
  readonly size: number;
  /** Seconds since 1970: of the last change. */
  readonly seconds: number;
  /** Nanoseconds since 1970: when it was made, to a hundredth of a second. */
  readonly created: bigint;
}

/** What a directory holds. */
export interface Listing {
  /** In the order of the directory, without `.` and `..`. */
  readonly entries: readonly ListedEntry[];
  /** Of a volume's label, when the directory has one. */
  readonly label: string | undefined;
  /** The first clusters that `.` and `..` state, where they are there. */
  readonly dot: number | undefined;
  readonly dotDot: number | undefined;
  readonly problems: readonly string[];
}

const END = 0x00;
const DELETED = 0xe5;
/** Stands for a first byte of 0xe5, which would mark the entry as deleted. */
const ESCAPED_DELETED = 0x05;

const NAME_IS_LOWER = 0x08;
const EXTENSION_IS_LOWER = 0x10;

/** The upper half of code page 437, in which DOS wrote short names. */
const CODE_PAGE_437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** A long name whose parts are still coming in. */
interface PendingName {
  readonly checksum: number;
  readonly units: Uint16Array;
  /** The order that the next part has; 0 when all are there. */
  next: number;
}

/** Takes the bytes of a directory apart. */
export function listDirectory(bytes: Uint8Array): Listing {
  const entries: ListedEntry[] = [];
  const problems: string[] = [];
  let label: string | undefined;
  let dot: number | undefined;
  let dotDot: number | undefined;
  let pending: PendingName | undefined;
  let hasOrphan = false;
  for (let at = 0; at + ENTRY_SIZE <= bytes.length; at += ENTRY_SIZE) {
    const first = bytes[at]!;
    if (first === END || first === DELETED) {
      if (pending !== undefined || hasOrphan) problems.push("a long name belongs to no entry");
      pending = undefined;
      hasOrphan = false;
      if (first === DELETED) continue;
      if (hasEntries(bytes, at)) problems.push("entries lie behind its end, which some systems read");
      break;
    }
    const attributes = bytes[at + 0xb]!;
    if ((attributes & ATTRIBUTE.longNameMask) === ATTRIBUTE.longName) {
      const before = pending;
      if (longNameEntry.fromBytes(bytes, at).cluster !== 0) {
        problems.push("a part of a long name leads to a cluster");
      }
      pending = continued(pending, bytes, at);
      if (pending === undefined || (before !== undefined && pending !== before)) hasOrphan = true;
      continue;
    }
    const values = directoryEntry.fromBytes(bytes, at);
    const firstCluster = values.clusterHigh * 2 ** 16 + values.clusterLow;
    const shortName = shortNameText(values.shortName, values.caseFlags);
    if ((attributes & ATTRIBUTE.volumeLabel) !== 0) {
      label ??= labelText(values.shortName);
      if (firstCluster !== 0 || values.size !== 0) problems.push("its label has content");
    } else if (shortName === ".") {
      dot = firstCluster;
      noteSize(problems, shortName, values);
    } else if (shortName === "..") {
      dotDot = firstCluster;
      noteSize(problems, shortName, values);
    } else {
      const longName = pending === undefined ? undefined : finished(pending, bytes, at);
      if (longName === undefined && (pending !== undefined || hasOrphan)) {
        problems.push(`${shown(shortName)}: the long name before it does not belong to it`);
      }
      const name = [longName, shortName].find((text) => text !== undefined && isSafe(text));
      if (name === undefined || name !== (longName ?? shortName)) {
        problems.push(`${shown(longName ?? shortName)}: this cannot be a name`);
      }
      if (name !== undefined) {
        const seconds = secondsOf(values.writeDate, values.writeTime);
        const created = createdAt(values);
        noteEntry(problems, name, values);
        entries.push({ name, shortName, attributes, firstCluster, size: values.size, seconds, created });
      }
    }
    pending = undefined;
    hasOrphan = false;
  }
  return { entries, label, dot, dotDot, problems };
}

/** Takes one more part of a long name. `undefined` when it does not go on from the parts before. */
function continued(pending: PendingName | undefined, bytes: Uint8Array, at: number): PendingName | undefined {
  const { order, checksum, name1, name2, name3 } = longNameEntry.fromBytes(bytes, at);
  const part = order & ~LAST_LONG_ENTRY;
  let name = pending;
  if ((order & LAST_LONG_ENTRY) !== 0) {
    if (part < 1 || part > 20) return undefined;
    name = { checksum, units: new Uint16Array(part * UNITS_PER_ENTRY), next: part };
  }
  if (name === undefined || part !== name.next || checksum !== name.checksum || part < 1) return undefined;
  let unit = (part - 1) * UNITS_PER_ENTRY;
  for (const field of [name1, name2, name3]) {
    for (let index = 0; index < field.length; index += 2) {
      name.units[unit++] = field[index]! | (field[index + 1]! << 8);
    }
  }
  name.next--;
  return name;
}

/** The long name, when it is complete and made for the short name that follows it. */
function finished({ checksum, units, next }: PendingName, bytes: Uint8Array, at: number): string | undefined {
  if (next !== 0 || shortNameChecksum(bytes, at) !== checksum) return undefined;
  const end = units.indexOf(0);
  return codeUnitText(end < 0 ? units : units.subarray(0, end));
}

/** Notes what an entry says that cannot be so. Lower case and letters of any code page are met in sound volumes. */
function noteEntry(problems: string[], name: string, values: DirectoryEntry): void {
  noteSize(problems, name, values);
  const { shortName } = values;
  const isSound = shortName.every(
    (byte, index) =>
      (byte >= 0x20 || (index === 0 && byte === ESCAPED_DELETED)) && !IMPOSSIBLE_IN_SHORT_NAMES.has(byte),
  );
  if (!isSound || shortName[0] === SPACE) {
    problems.push(`${shown(name)}: its short name has characters that it must not have`);
  }
}

/** Directories have the size 0: their chain of clusters says how long they are. */
function noteSize(problems: string[], name: string, { attributes, size }: DirectoryEntry): void {
  if ((attributes & ATTRIBUTE.directory) === 0 || size === 0) return;
  problems.push(`${shown(name)}: it is a directory, but has the size ${size}`);
}

/** Whether there are entries from `start` on that are neither free nor deleted. */
function hasEntries(bytes: Uint8Array, start: number): boolean {
  for (let at = start; at + ENTRY_SIZE <= bytes.length; at += ENTRY_SIZE) {
    if (bytes[at] !== END && bytes[at] !== DELETED) return true;
  }
  return false;
}

const SPACE = 0x20;
/** FAT32 File System Specification 1.03, §6.1. */
const IMPOSSIBLE_IN_SHORT_NAMES: ReadonlySet<number> = new Set(utf8('"*+,./:;<=>?[\\]|\x7f'));

function createdAt({ creationDate, creationTime, creationHundredths }: DirectoryEntry): bigint {
  const hundredths = Math.min(creationHundredths, 199);
  return BigInt(secondsOf(creationDate, creationTime)) * 1_000_000_000n + BigInt(hundredths) * 10_000_000n;
}

/** Whether a name can be part of a path without leading elsewhere. */
function isSafe(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
}

function shortNameText(bytes: Uint8Array, caseFlags: number): string {
  const base = oemText(bytes.subarray(0, 8)).trimEnd();
  const extension = oemText(bytes.subarray(8)).trimEnd();
  const shownBase = (caseFlags & NAME_IS_LOWER) === 0 ? base : base.toLowerCase();
  const shownExtension = (caseFlags & EXTENSION_IS_LOWER) === 0 ? extension : extension.toLowerCase();
  return extension === "" ? shownBase : `${shownBase}.${shownExtension}`;
}

/** The text of a label's eleven bytes. */
export function labelText(bytes: Uint8Array): string {
  return oemText(bytes).trimEnd();
}

function oemText(bytes: Uint8Array): string {
  let text = "";
  bytes.forEach((byte, index) => {
    const value = byte === ESCAPED_DELETED && index === 0 ? DELETED : byte;
    text += value < 0x80 ? String.fromCharCode(value) : CODE_PAGE_437[value - 0x80]!;
  });
  return text;
}

/** A name for messages: a hostile one must not steer a terminal. */
export function shown(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return name.replace(/[\x00-\x1f\x7f\u0080-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
