import { compareBytes } from "../../bytes/index.ts";
import { DiskwrightError } from "../../errors.ts";
import type { EfiPartition } from "./device-path.ts";
import { decodeLoadOption, encodeLoadOption, type LoadOption } from "./load-option.ts";
import { EFI_GLOBAL_VARIABLE, LOAD_OPTION_ACTIVE } from "./structures.ts";
import { utf16Bytes } from "./utf16.ts";
import type { EfiVariables } from "./variable-store.ts";

/** An entry of the firmware's boot menu that is to be made. */
export interface NewBootEntry {
  /** What menus show. */
  readonly title: string;
  /** The program, from the root of its partition: `/EFI/systemd/systemd-bootx64.efi`. */
  readonly path: string;
  /** The partition that holds it. */
  readonly partition: EfiPartition;
  /** What the program is given as its command line. */
  readonly commandLine?: string | undefined;
  /** Before all other entries (default), or behind them. */
  readonly first?: boolean | undefined;
}

/** An entry of the firmware's boot menu. */
export interface BootEntry {
  /** Of its variable: 1 for `Boot0001`. */
  readonly number: number;
  /** Whether firmware tries it in its turn: entries that are in no order can only be chosen by hand. */
  readonly isOrdered: boolean;
  readonly option: LoadOption;
}

const BOOT_ORDER = "BootOrder";
const BOOT_ENTRY = /^Boot([0-9A-F]{4})$/;
const ENTRIES = 0x10000;

/**
 * All boot entries, those first that firmware tries, in its order (UEFI 2.10 §3.1.2).
 *
 * @throws DiskwrightError `CORRUPT` for an entry or an order that breaks the rules.
 */
export function bootEntries(variables: EfiVariables): BootEntry[] {
  const unordered = entryData(variables);
  const entries: BootEntry[] = [];
  for (const number of bootOrder(variables)) {
    const data = unordered.get(number);
    // Firmware passes over what it does not find.
    if (data === undefined) continue;
    unordered.delete(number);
    entries.push({ number, isOrdered: true, option: decodeLoadOption(data) });
  }
  for (const [number, data] of unordered) {
    entries.push({ number, isOrdered: false, option: decodeLoadOption(data) });
  }
  return entries;
}

/**
 * Adds an entry to the firmware's boot menu, under the lowest number that is free, and gives its number. An entry
 * that is there already is not doubled, but takes the place in the order that is asked for.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a path or a title that cannot be stored, `DOES_NOT_FIT` when the
 * store is full: the variables may then have the entry, but not in the order.
 */
export function addBootEntry(variables: EfiVariables, entry: NewBootEntry): number {
  const { title, path, partition, commandLine = "", first = true } = entry;
  const data = encodeLoadOption({
    attributes: LOAD_OPTION_ACTIVE,
    description: title,
    paths: [
      [
        { type: "partition", partition },
        { type: "file", path: firmwarePath(path) },
      ],
    ],
    data: utf16Bytes(commandLine),
  });
  const number = numberFor(variables, data);
  variables.set(variableName(number), data);
  const others = bootOrder(variables).filter((other) => other !== number);
  setBootOrder(variables, first ? [number, ...others] : [...others, number]);
  return number;
}

/**
 * Deletes an entry, from the order too; false when there is none of that number.
 *
 * @throws DiskwrightError `CORRUPT` for an order that breaks the rules.
 */
export function deleteBootEntry(variables: EfiVariables, number: number): boolean {
  const order = bootOrder(variables);
  if (order.includes(number)) {
    setBootOrder(
      variables,
      order.filter((other) => other !== number),
    );
  }
  return variables.delete(variableName(number));
}

function variableName(number: number): string {
  return `Boot${number.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The data of all entries by their numbers, which ascend. */
function entryData(variables: EfiVariables): Map<number, Uint8Array> {
  const found: [number, Uint8Array][] = [];
  for (const { name, vendor, data } of variables.entries()) {
    const digits = vendor === EFI_GLOBAL_VARIABLE ? BOOT_ENTRY.exec(name)?.[1] : undefined;
    if (digits !== undefined) found.push([Number.parseInt(digits, 16), data]);
  }
  return new Map(found.sort(([first], [second]) => first - second));
}

/** The number of an equal entry, or the lowest that is free. */
function numberFor(variables: EfiVariables, data: Uint8Array): number {
  const entries = entryData(variables);
  for (const [number, other] of entries) if (compareBytes(other, data) === 0) return number;
  let free = 0;
  while (entries.has(free)) free++;
  if (free < ENTRIES) return free;
  throw new DiskwrightError("INVALID_SPEC", `all ${ENTRIES} boot entries are in use: delete one`);
}

function bootOrder(variables: EfiVariables): number[] {
  const data = variables.get(BOOT_ORDER)?.data ?? new Uint8Array(0);
  if (data.length % 2 !== 0) {
    throw new DiskwrightError(
      "CORRUPT",
      `the EFI variable BootOrder has ${data.length} bytes, which are no whole numbers of 16 bits: delete it`,
    );
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: data.length / 2 }, (_, index) => view.getUint16(2 * index, true));
}

function setBootOrder(variables: EfiVariables, order: readonly number[]): void {
  if (order.length === 0) {
    variables.delete(BOOT_ORDER);
    return;
  }
  const data = new Uint8Array(2 * order.length);
  const view = new DataView(data.buffer);
  order.forEach((number, index) => void view.setUint16(2 * index, number, true));
  variables.set(BOOT_ORDER, data);
}

/** The path as firmware writes it (UEFI 2.10 §10.3.5.4). */
function firmwarePath(path: string): string {
  if (path.startsWith("/") && !path.endsWith("/") && !/[\\\0]/.test(path)) return path.replaceAll("/", "\\");
  throw new DiskwrightError(
    "INVALID_SPEC",
    `EFI boot entry: the path ${JSON.stringify(path)} is no file from the root of its partition, such as /EFI/BOOT/BOOTX64.EFI`,
  );
}
