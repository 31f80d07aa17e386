import { throwProblems } from "../../errors.ts";
import type { LinuxEntry } from "../entries/index.ts";
import type { BootVolume } from "../installation.ts";
import { kernelOptions } from "./kernel-options.ts";
import { hasControlCharacters, quotedWord } from "./quote.ts";
import type { SerialConsole } from "./serial.ts";
import { onVolume, type VolumePath } from "./volumes.ts";

/** The directory of the staged tree in which the menu and the modules lie. */
export const MENU_DIRECTORY = "/boot/grub";

/** What the menu says. */
export interface MenuOptions {
  /** The entries, in the order of the menu. */
  readonly entries: readonly LinuxEntry[];
  /** The id of the entry that starts by itself. Default: the first one. */
  readonly defaultEntry?: string | undefined;
  /** Seconds until that entry starts, or `"never"`. */
  readonly timeout: number | "never";
}

/** GRUB's longest wait, in seconds: a day, which fits into all of its numbers. */
const LONGEST_TIMEOUT = 86_400;

/** What the modules that read a filesystem are called. */
const FILESYSTEM_MODULES: Readonly<Record<BootVolume["type"], string>> = { ext4: "ext2", fat: "fat" };

/** The module that reads a filesystem. */
export function filesystemModule({ type }: BootVolume): string {
  return FILESYSTEM_MODULES[type];
}

/**
 * The commands in a core image, for the parser that works before any module is loaded: it finds the filesystem
 * in which GRUB's directory lies, whatever number its disk and partition have.
 */
export function embeddedConfiguration(home: VolumePath, serial: SerialConsole | undefined): string {
  const console =
    serial === undefined
      ? []
      : [
          `serial --unit=${serial.unit} --speed=${serial.speed}`,
          // Both, so that a machine without the port has a console as well.
          "terminal_input console serial",
          "terminal_output console serial",
        ];
  return lines([...console, `search.fs_uuid ${home.volume.uuid} root`, `set prefix=($root)${home.path}`]);
}

/**
 * The `grub.cfg` for a GRUB that looks for it in a place of its own: it goes on with the one in GRUB's directory.
 */
export function forwardingConfiguration(home: VolumePath): string {
  return lines([
    searching(home.volume),
    `set prefix=($root)${quotedWord(home.path)}`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is GRUB that puts the variable in
    "configfile ${prefix}/grub.cfg",
  ]);
}

/**
 * The `grub.cfg` with the menu.
 *
 * @param home where GRUB's directory lies.
 * @throws DiskwrightError `INVALID_SPEC`, naming all that GRUB cannot be told.
 */
export function menuConfiguration(
  options: MenuOptions,
  volumes: readonly BootVolume[],
  home: VolumePath,
): string {
  throwProblems("INVALID_SPEC", "GRUB's menu cannot be written", [...menuProblems(options)]);
  const { entries, defaultEntry, timeout } = options;
  const filesystems = new Set(
    entries.flatMap((entry) => pathsOf(entry).map((path) => onVolume(volumes, path).volume)),
  );
  filesystems.delete(home.volume);
  const modules = [...new Set([...filesystems].map(filesystemModule))].filter(
    (module) => module !== filesystemModule(home.volume),
  );
  return lines([
    ...modules.map((module) => `insmod ${module}`),
    // By number: an id that starts with a digit would be taken for one.
    `set default=${defaultEntry === undefined ? 0 : entries.findIndex(({ id }) => id === defaultEntry)}`,
    `set timeout=${timeout === "never" ? -1 : timeout}`,
    ...entries.flatMap((entry) => menuEntry(entry, volumes)),
  ]);
}

function menuEntry(entry: LinuxEntry, volumes: readonly BootVolume[]): string[] {
  const { linux, initrds, devicetree, options } = entry;
  // GRUB looks for a path on the filesystem `$root`, unless it names another one.
  const names = new Map([[onVolume(volumes, linux).volume, "root"]]);
  const place = (path: string): string => {
    const { volume, path: inside } = onVolume(volumes, path);
    const name = names.get(volume)!;
    return name === "root" ? quotedWord(inside) : `($${name})${quotedWord(inside)}`;
  };
  for (const path of pathsOf(entry)) {
    const { volume } = onVolume(volumes, path);
    if (!names.has(volume)) names.set(volume, `volume${names.size}`);
  }
  const commands = [
    ...[...names].map(([volume, name]) => searching(volume, name)),
    ["linux", place(linux), ...kernelOptions(options).words.map(quotedWord)].join(" "),
    ...(initrds.length === 0 ? [] : [["initrd", ...initrds.map(place)].join(" ")]),
    ...(devicetree === undefined ? [] : [`devicetree ${place(devicetree)}`]),
  ];
  return [
    "",
    // Behind `--` a title is a title, even when it starts with a dash.
    `menuentry --id ${quotedWord(entry.id)} -- ${quotedWord(entry.title)} {`,
    ...commands.map((command) => `  ${command}`),
    "}",
  ];
}

function* menuProblems({ entries, defaultEntry, timeout }: MenuOptions): Generator<string> {
  if (entries.length === 0)
    yield "there is no entry to start: give one, or put a kernel in /boot of the tree";
  const ids = entries.map(({ id }) => id);
  for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) {
    yield `two entries have the id ${JSON.stringify(id)}: give each its own`;
  }
  for (const entry of entries) {
    const name = `entry ${JSON.stringify(entry.id)}`;
    for (const problem of entryProblems(entry)) yield `${name}: ${problem}`;
  }
  if (defaultEntry !== undefined && !ids.includes(defaultEntry)) {
    yield `the default entry ${JSON.stringify(defaultEntry)} is none of ${ids.map((id) => JSON.stringify(id)).join(", ")}`;
  }
  if (timeout !== "never" && !(Number.isInteger(timeout) && timeout >= 0 && timeout <= LONGEST_TIMEOUT)) {
    yield `the timeout ${timeout} is not within 0 … ${LONGEST_TIMEOUT} seconds`;
  }
}

function* entryProblems(entry: LinuxEntry): Generator<string> {
  const { id, title, options } = entry;
  if (id === "") yield "its id is empty";
  if (title === "") yield "its title is empty";
  for (const text of [id, title, ...pathsOf(entry)]) {
    if (hasControlCharacters(text)) yield `${JSON.stringify(text)} has control characters`;
  }
  yield* kernelOptions(options).problems;
}

/** Sets a variable of GRUB's to the partition that has the filesystem. */
function searching({ uuid }: BootVolume, variable = "root"): string {
  return `search --no-floppy --fs-uuid --set=${variable} ${uuid}`;
}

function pathsOf({ linux, initrds, devicetree }: LinuxEntry): string[] {
  return [linux, ...initrds, ...(devicetree === undefined ? [] : [devicetree])];
}

function lines(all: readonly string[]): string {
  return `${all.join("\n")}\n`;
}
