import { utf8 } from "../bytes/index.ts";
import { LONGEST_UNITS, UNITS_PER_ENTRY } from "./structures.ts";

// Names (FAT32 File System Specification 1.03, §7 "FAT Long Directory Entries", "Name Limits and Character
// Sets", "The Basis-Name Generation Algorithm", "The Numeric-Tail Generation Algorithm").

const LONG_ILLEGAL = new Set('"*/:<>?\\|');
const SHORT_ILLEGAL = new Set('"*/:<>?\\|+,;=[] .\x7f');

/** Why a long name cannot be stored, or `undefined` when it can. */
export function longNameProblem(name: string): string | undefined {
  if (name.length === 0) return "a name cannot be empty";
  if (name.length > LONGEST_UNITS) {
    return `the name has ${name.length} UTF-16 units, the limit is ${LONGEST_UNITS}: shorten it`;
  }
  for (let index = 0; index < name.length; index++) {
    const character = name[index]!;
    if (character < " ") return "control characters cannot be in a name: rename it";
    if (LONG_ILLEGAL.has(character)) return `the character ${character} cannot be in a name: rename it`;
  }
  // Windows drops them when it opens a file, so that the entry could never be reached.
  const last = name.at(-1)!;
  if (last === "." || last === " ") {
    return `a name cannot end in a ${last === "." ? "dot" : "space"}: rename it`;
  }
  return undefined;
}

const DEVICE_NAME = /^(CON|PRN|AUX|NUL|CLOCK\$|COM[0-9¹²³]|LPT[0-9¹²³]) *(\.|$)/i;

/** Whether DOS and Windows take the name for one of their devices, whatever its extension. */
export function isDeviceName(name: string): boolean {
  return DEVICE_NAME.test(name);
}

/**
 * The form of a name in which two names of one directory must differ: composed (NFC), and each character in
 * upper case where that is a single character, as the tables of Windows have it.
 */
export function foldedName(name: string): string {
  if (isAscii(name)) return name.toUpperCase();
  let folded = "";
  for (const character of name.normalize("NFC")) {
    const upper = character.toUpperCase();
    const isSingle = upper.length === (upper.codePointAt(0)! > 0xffff ? 2 : 1);
    folded += isSingle ? upper : character;
  }
  return folded;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}

/** What the short name of a long one is made from. */
export interface ShortNameBasis {
  /** Up to eight characters. */
  readonly base: string;
  /** Up to three characters. */
  readonly extension: string;
  /** Whether base and extension are the whole name, apart from lower case: no tail is needed. */
  readonly isWhole: boolean;
}

/**
 * What the short name of a legal long name is made from: upper case, without spaces and dots, `_` for every
 * character that a short name cannot hold. No byte above 0x7f is used, whose meaning depends on a code page.
 */
export function shortNameBasis(name: string): ShortNameBasis {
  let start = 0;
  while (name[start] === "." || name[start] === " ") start++;
  const dot = name.lastIndexOf(".");
  const hasExtension = dot > start;
  const base = shortCharacters(name.slice(start, hasExtension ? dot : undefined));
  const extension = hasExtension ? shortCharacters(name.slice(dot + 1)) : "";
  const isWhole =
    base.length <= 8 && extension.length <= 3 && joinShort(base, extension) === name.toUpperCase();
  return { base: base.slice(0, 8), extension: extension.slice(0, 3), isWhole };
}

function shortCharacters(text: string): string {
  let short = "";
  for (const character of text) {
    if (character === " " || character === ".") continue;
    const isLegal = character > " " && character < "\x80" && !SHORT_ILLEGAL.has(character);
    short += isLegal ? character.toUpperCase() : "_";
  }
  return short;
}

/** A short name as people write it: `BOOTX64.EFI`. */
export function joinShort(base: string, extension: string): string {
  return extension === "" ? base : `${base}.${extension}`;
}

/**
 * The names of one directory: each name, folded, and each short name that was made up belongs to one entry.
 * However many names share a start, giving them tails takes time in proportion to their number: for each
 * start and number of digits it is remembered how far the tails have got.
 */
export class NameRegister {
  readonly #owners = new Map<string, number>();
  readonly #nextTail = new Map<string, number>();

  /** Notes that an entry has a folded name. Returns the entry that has it already, if one does. */
  claim(folded: string, entry: number): number | undefined {
    const owner = this.#owners.get(folded);
    if (owner === undefined) this.#owners.set(folded, entry);
    return owner;
  }

  /** Makes a short name with a tail, `ABCDEF~1` to `A~999999`, that is neither given nor claimed. */
  tailed({ base, extension }: ShortNameBasis, entry: number): string {
    for (let digits = 1; ; digits++) {
      const stem = base.slice(0, 7 - digits);
      const counter = joinShort(`${stem}~${digits}`, extension);
      const end = 10 ** digits;
      for (let tail = this.#nextTail.get(counter) ?? end / 10; tail < end; tail++) {
        const candidate = joinShort(`${stem}~${tail}`, extension);
        if (this.#owners.has(candidate)) continue;
        this.#owners.set(candidate, entry);
        this.#nextTail.set(counter, tail + 1);
        return candidate;
      }
      this.#nextTail.set(counter, end);
    }
  }
}

/** Bytes of a short name on disk. */
export const SHORT_NAME_SIZE = 11;

/** Writes a short name such as `BOOTX64.EFI` as its eleven bytes. ASCII. */
export function encodeShortName(name: string, into: Uint8Array, at: number): void {
  into.fill(0x20, at, at + SHORT_NAME_SIZE);
  const dot = name.indexOf(".");
  const end = dot < 0 ? name.length : dot;
  for (let index = 0; index < end; index++) into[at + index] = name.charCodeAt(index);
  for (let index = end + 1; index < name.length; index++) {
    into[at + 8 + index - end - 1] = name.charCodeAt(index);
  }
}

/** The checksum that ties long-name entries to the short name that follows them (§7.2). */
export function shortNameChecksum(bytes: Uint8Array, at: number): number {
  let sum = 0;
  for (let index = at; index < at + SHORT_NAME_SIZE; index++) {
    sum = (((sum & 1) << 7) + (sum >> 1) + bytes[index]!) & 0xff;
  }
  return sum;
}

/** Entries of a directory that a long name takes, without the one of the short name. */
export function longNameEntries(units: number): number {
  return Math.ceil(units / UNITS_PER_ENTRY);
}

/** A label as it is stored. Only ASCII has an upper case here: "ß" must not become "SS" in silence. */
export function upperCaseLabel(label: string): string {
  return label.replace(/[a-z]/g, (letter) => letter.toUpperCase());
}

const LABEL_ILLEGAL = new Set('"*?.,;:/\\|+=<>[]');

/** Why a text, in upper case already, cannot be the label of a volume; `undefined` when it can. */
export function labelProblem(label: string): string | undefined {
  if (label.length > SHORT_NAME_SIZE) return `it has ${label.length} characters, the limit is 11`;
  if (label.startsWith(" ")) return "it cannot start with a space";
  if (label.endsWith(" ")) return "it cannot end with a space";
  if (label === "NO NAME") return "this is what a volume without a label has";
  for (const character of label) {
    if (character < " " || character > "~" || LABEL_ILLEGAL.has(character)) {
      const shown = character < " " ? "a control character" : character;
      return `${shown} cannot be in it: use A to Z, 0 to 9, spaces and !#$%&'()-@^_\`{}~`;
    }
  }
  return undefined;
}

/** The label as the boot sector and the root directory have it, or `undefined` when there is none. */
export function labelBytes(label: string): Uint8Array | undefined {
  return label === "" ? undefined : utf8(label.padEnd(SHORT_NAME_SIZE));
}

/** A serial number as Windows and blkid show it: `ABCD-1234`. */
export function formatSerial(serial: number): string {
  const digits = serial.toString(16).toUpperCase().padStart(8, "0");
  return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}
