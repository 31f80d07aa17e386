import { printable, utf8 } from "../../bytes/index.ts";
import { throwProblems } from "../../errors.ts";
import { EFI_ARCHITECTURES, type EfiArchitecture } from "./architecture.ts";

/** What every entry of a boot menu has, by the keys of UAPI.1, The Boot Loader Specification. */
interface EntryCommon {
  /** Names the entry, and its file: ASCII letters, digits, `+`, `-`, `_` and `.`, 1 to 250 of them. */
  readonly id: string;
  /** What the menu shows. */
  readonly title: string;
  /** Of entries with the same title and sort key, the newest version comes first. */
  readonly version?: string | undefined;
  /** Entries are sorted by it in the first place; those without come last. */
  readonly sortKey?: string | undefined;
  /** 32 lower-case hexadecimal digits. */
  readonly machineId?: string | undefined;
  /** On other architectures the entry is hidden. */
  readonly architecture?: EfiArchitecture | undefined;
  /** The kernel command line, or what a program of UEFI is started with. */
  readonly options: string;
}

/** A kernel. Paths are those of the staged tree; symlinks are followed within it. */
export interface LinuxEntry extends EntryCommon {
  readonly linux: string;
  /** In the order in which the kernel unpacks them. */
  readonly initrds: readonly string[];
  readonly devicetree?: string | undefined;
  readonly efi?: undefined;
}

/** A program of UEFI, such as a unified kernel image or a memory test. The path is that of the staged tree. */
export interface EfiEntry extends EntryCommon {
  readonly efi: string;
  readonly linux?: undefined;
}

/** Something that can be booted, whatever loads it. */
export type BootEntry = LinuxEntry | EfiEntry;

/** The longest id: with `.conf` behind it, it has to be the name of a file. */
const LONGEST_ID = 250;

/** What a file is to an entry, by the key of UAPI.1. */
export type EntryFile = "linux" | "initrd" | "efi" | "devicetree";

/** Every path of the staged tree that an entry refers to, with the key that it stands behind. */
export function* entryPaths(entry: BootEntry): Generator<readonly [key: EntryFile, path: string]> {
  if (entry.linux === undefined) {
    yield ["efi", entry.efi];
    return;
  }
  yield ["linux", entry.linux];
  for (const path of entry.initrds) yield ["initrd", path];
  if (entry.devicetree !== undefined) yield ["devicetree", entry.devicetree];
}

/**
 * Checks entries against UAPI.1, and that no two of them have one id.
 *
 * @throws DiskwrightError `INVALID_SPEC` with everything that is wrong.
 */
export function checkEntries(entries: readonly BootEntry[]): void {
  const problems: string[] = [];
  /** Boot partitions do not tell upper from lower case. */
  const seen = new Set<string>();
  for (const entry of entries) {
    const name = `boot entry ${shown(entry.id)}`;
    for (const problem of entryProblems(entry)) problems.push(`${name}: ${problem}`);
    const folded = entry.id.toLowerCase();
    if (seen.has(folded)) problems.push(`${name}: given twice: give one of them another id`);
    seen.add(folded);
  }
  throwProblems("INVALID_SPEC", "the boot menu cannot be written", problems);
}

function* entryProblems(entry: BootEntry): Generator<string> {
  yield* idProblems(entry.id);
  const { title, version, sortKey, machineId, architecture, options } = entry;
  if (title === "") yield "the title is empty: name what is booted";
  const lines = { title, version, "sort-key": sortKey, options };
  for (const [key, value] of Object.entries(lines)) {
    if (value !== undefined) yield* lineProblems(key, value);
  }
  if (machineId !== undefined && !/^[0-9a-f]{32}$/.test(machineId)) {
    yield `the machine ID ${shown(machineId)} is not 32 lower-case hexadecimal digits`;
  }
  if (architecture !== undefined && !EFI_ARCHITECTURES.includes(architecture)) {
    yield `the architecture ${shown(architecture)} is none of ${EFI_ARCHITECTURES.join(", ")}`;
  }
  for (const [key, path] of entryPaths(entry)) yield* pathProblems(key, path);
}

function* idProblems(id: string): Generator<string> {
  if (id === "" || id.length > LONGEST_ID) {
    yield `an id has 1 to ${LONGEST_ID} characters, this one ${id.length}`;
  }
  if (!/^[A-Za-z0-9+\-_.]*$/.test(id)) {
    yield "an id consists of ASCII letters, digits, +, -, _ and . (UAPI.1)";
  }
  // systemd-boot passes over such files: the latter are what it calls its own entries.
  if (/^(\.|auto-)/i.test(id)) yield "an id cannot start with a dot or auto-, boot loaders pass over it";
}

function* lineProblems(key: string, value: string): Generator<string> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) {
    yield `${key} has to be a single line without control characters: ${shown(value)}`;
  }
  if (value !== value.trim()) yield `${key} has blanks around it, which get lost: remove them`;
  if (/\p{Surrogate}/u.test(value)) yield `${key} is no valid Unicode`;
  // systemd-boot takes a pair of them away (`line_get_key_value`).
  if (value.length > 1 && value.startsWith('"') && value.endsWith('"')) {
    yield `${key} starts and ends with a quotation mark, which boot loaders take away: put something around them`;
  }
}

function* pathProblems(key: string, path: string): Generator<string> {
  const names = path.split("/");
  const isNormal = names[0] === "" && names.slice(1).every((name) => !["", ".", ".."].includes(name));
  if (!isNormal) {
    yield `${key} ${shown(path)} has to be a path from the root, without //, . and ..: /boot/vmlinuz`;
  }
  yield* lineProblems(key, path);
}

function shown(text: string): string {
  return printable(utf8(text.length > 80 ? `${text.slice(0, 80)}…` : text));
}
