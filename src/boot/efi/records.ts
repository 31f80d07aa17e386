import { roundUp } from "../../bytes/index.ts";
import { damaged, hex, STORE_FORMATS, type StoreFormat, type StorePlace } from "./firmware-volume.ts";
import {
  ERASED,
  VARIABLE_ALIGNMENT,
  VARIABLE_START,
  VARIABLE_STATES,
  type VariableHeader,
} from "./structures.ts";
import { terminatedUtf16Bytes, terminatedUtf16Text } from "./utf16.ts";

/** A variable that keeps its value when the machine is off. */
export interface EfiVariable {
  readonly name: string;
  /** The GUID of whoever defines the name. */
  readonly vendor: string;
  /** UEFI 2.10 §8.2.1: 7 for most, 3 for those that an operating system cannot see. */
  readonly attributes: number;
  readonly data: Uint8Array;
}

/** A variable with the record that holds it, which keeps what {@link EfiVariable} does not tell. */
export interface StoredVariable extends EfiVariable {
  readonly record: Uint8Array;
  /** A record that is about to be replaced counts for as long as the new one is not complete. */
  readonly isAboutToBeDeleted: boolean;
}

/** The room that a record takes in a store, in bytes. */
export function roomOf(record: Uint8Array): number {
  return roundUp(record.length, VARIABLE_ALIGNMENT);
}

/**
 * The variables of a store that count, in the order of their records: what was deleted or never completed is
 * passed over.
 *
 * @throws DiskwrightError `CORRUPT` for a record that breaks the rules.
 */
export function* readRecords(flash: Uint8Array, place: StorePlace): Generator<StoredVariable> {
  const header = STORE_FORMATS[place.format];
  let at = roundUp(place.start, VARIABLE_ALIGNMENT);
  while (at + header.span <= place.end) {
    const found = header.fromBytes(flash, at);
    if (found.startId !== VARIABLE_START) break;
    const { nameSize, dataSize } = sizesOf(found);
    const end = at + header.span + nameSize + dataSize;
    if (end > place.end) {
      damaged(`the record at byte ${hex(at)} ends at ${hex(end)}, its variable store at ${hex(place.end)}`);
    }
    if (isLive(found.state)) yield variableOf(flash.subarray(at, end), header.span, found, at);
    at = roundUp(end, VARIABLE_ALIGNMENT);
  }
  checkErased(flash, Math.min(at, place.end), place.end);
}

/** The record of a variable that nobody has to sign. */
export function newRecord(format: StoreFormat, variable: EfiVariable): Uint8Array {
  const header = STORE_FORMATS[format];
  const { attributes, data, vendor } = variable;
  const name = terminatedUtf16Bytes(variable.name);
  const record = new Uint8Array(header.span + name.length + data.length);
  header.encode(
    {
      startId: VARIABLE_START,
      state: VARIABLE_STATES.added,
      attributes,
      nameSize: name.length,
      dataSize: data.length,
      vendor,
    },
    record,
    0,
    "",
  );
  record.set(name, header.span);
  record.set(data, header.span + name.length);
  return record;
}

/** Where a header was begun but its state was never written, nothing follows it. */
function sizesOf({ state, nameSize, dataSize }: VariableHeader): { nameSize: number; dataSize: number } {
  return state === VARIABLE_STATES.erased ? { nameSize: 0, dataSize: 0 } : { nameSize, dataSize };
}

function isLive(state: number): boolean {
  return state === VARIABLE_STATES.added || state === VARIABLE_STATES.aboutToBeDeleted;
}

function variableOf(
  record: Uint8Array,
  headerSize: number,
  { state, attributes, vendor, nameSize }: VariableHeader,
  at: number,
): StoredVariable {
  const name = terminatedUtf16Text(record.subarray(headerSize, headerSize + nameSize));
  if (name === undefined || name === "" || nameSize !== 2 * (name.length + 1)) {
    damaged(`the name of the record at byte ${hex(at)} is empty, or is not one text with a NUL at its end`);
  }
  return {
    name,
    vendor,
    attributes,
    data: record.subarray(headerSize + nameSize),
    record,
    isAboutToBeDeleted: state === VARIABLE_STATES.aboutToBeDeleted,
  };
}

/** Behind the last record all is erased: something else means that a record in between was damaged. */
function checkErased(flash: Uint8Array, start: number, end: number): void {
  const at = flash.subarray(start, end).findIndex((byte) => byte !== ERASED);
  if (at < 0) return;
  damaged(`its records end at byte ${hex(start)}, but the byte at ${hex(start + at)} is not erased`);
}
