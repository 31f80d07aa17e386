import { parseGuid, roundUp } from "../../bytes/index.ts";
import { DiskwrightError, DoesNotFitError } from "../../errors.ts";
import { findStore, hex, type StoreFormat, type StorePlace } from "./firmware-volume.ts";
import { type EfiVariable, newRecord, readRecords, roomOf, type StoredVariable } from "./records.ts";
import {
  EFI_GLOBAL_VARIABLE,
  ERASED,
  VARIABLE_ALIGNMENT,
  VARIABLE_ATTRIBUTES,
  VARIABLE_STATE_OFFSET,
  VARIABLE_STATES,
} from "./structures.ts";

/** What is said of a variable beside its name and its data. */
export interface SetOptions {
  /** The GUID of whoever defines the name. Default: that of the UEFI specification. */
  readonly vendor?: string | undefined;
  /** 7 (default), or 3 for a variable that an operating system cannot see. */
  readonly attributes?: number | undefined;
}

const { nonVolatile, bootServices, runTime } = VARIABLE_ATTRIBUTES;
const BOOT_ONLY = nonVolatile | bootServices;
const ALWAYS = BOOT_ONLY | runTime;
const AUTHENTICATED =
  VARIABLE_ATTRIBUTES.authenticatedWrite |
  VARIABLE_ATTRIBUTES.timeBasedAuthenticatedWrite |
  VARIABLE_ATTRIBUTES.enhancedAuthenticatedAccess;

/**
 * The variables in the flash memory of a machine's firmware. Names belong to a vendor; without one, those of the
 * UEFI specification are meant (`BootOrder`). Variables of which each write is signed, such as the keys of Secure
 * Boot, can be read, and stay what they are.
 */
export class EfiVariables {
  /** The format of the store. */
  readonly format: StoreFormat;
  /** Bytes that records may take. */
  readonly capacity: number;
  readonly #flash: Uint8Array;
  readonly #place: StorePlace;
  readonly #start: number;
  readonly #variables = new Map<string, StoredVariable>();

  /** @internal Use {@link openVariables}. */
  constructor(flash: Uint8Array) {
    this.#flash = Uint8Array.from(flash);
    this.#place = findStore(this.#flash);
    this.format = this.#place.format;
    this.#start = roundUp(this.#place.start, VARIABLE_ALIGNMENT);
    this.capacity = Math.max(0, this.#place.end - this.#start);
    for (const variable of readRecords(this.#flash, this.#place)) {
      const key = keyOf(variable.name, variable.vendor);
      const known = this.#variables.get(key);
      // Of several, firmware takes the first complete one, and one that is about to be replaced only without it.
      if (known === undefined || (known.isAboutToBeDeleted && !variable.isAboutToBeDeleted)) {
        this.#variables.set(key, variable);
      }
    }
  }

  /** Bytes that the records take. */
  get used(): number {
    let used = 0;
    for (const { record } of this.#variables.values()) used += roomOf(record);
    return used;
  }

  /** All variables, in the order in which they are stored. */
  *entries(): Generator<EfiVariable> {
    for (const { name, vendor, attributes, data } of this.#variables.values()) {
      yield { name, vendor, attributes, data };
    }
  }

  /** The variable of a name; `undefined` when there is none. */
  get(name: string, vendor: string = EFI_GLOBAL_VARIABLE): EfiVariable | undefined {
    const found = this.#variables.get(keyOf(name, vendor));
    if (found === undefined) return undefined;
    return { name, vendor: found.vendor, attributes: found.attributes, data: found.data };
  }

  /**
   * Sets a variable, in place of one of the same name and vendor.
   *
   * @throws DiskwrightError `INVALID_SPEC` for a name, attributes or data that no variable can have, and for a
   * variable of which each write is signed; `DOES_NOT_FIT` when the store is full. Nothing is changed then.
   */
  set(name: string, data: Uint8Array, options: SetOptions = {}): void {
    const { attributes = ALWAYS } = options;
    const vendor = parseGuid(options.vendor ?? EFI_GLOBAL_VARIABLE);
    checkVariable(name, data, attributes);
    const known = this.#writable(name, vendor);
    const record = newRecord(this.format, { name, vendor, attributes, data });
    const others = this.used - (known === undefined ? 0 : roomOf(known.record));
    this.#checkRoom(name, roomOf(record), others);
    this.#variables.set(keyOf(name, vendor), {
      name,
      vendor,
      attributes,
      data: record.subarray(record.length - data.length),
      record,
      isAboutToBeDeleted: false,
    });
  }

  /**
   * Deletes a variable; false when there is none.
   *
   * @throws DiskwrightError `INVALID_SPEC` for a variable of which each write is signed.
   */
  delete(name: string, vendor: string = EFI_GLOBAL_VARIABLE): boolean {
    this.#writable(name, vendor);
    return this.#variables.delete(keyOf(name, vendor));
  }

  /**
   * The flash memory with these variables. Nothing is left of what was replaced or deleted, so that the bytes
   * follow from the variables and a store that is used often does not fill up; what lies outside of the store is
   * as it was.
   */
  toBytes(): Uint8Array {
    const flash = Uint8Array.from(this.#flash);
    flash.fill(ERASED, this.#start, Math.max(this.#start, this.#place.end));
    let at = this.#start;
    for (const { record } of this.#variables.values()) {
      flash.set(record, at);
      flash[at + VARIABLE_STATE_OFFSET] = VARIABLE_STATES.added;
      at += roomOf(record);
    }
    return flash;
  }

  /** The variable that is to be changed, if it is there. */
  #writable(name: string, vendor: string): StoredVariable | undefined {
    const known = this.#variables.get(keyOf(name, vendor));
    if (known === undefined || (known.attributes & AUTHENTICATED) === 0) return known;
    throw invalid(name, "each write of it is signed, so it can only be changed in the running machine");
  }

  #checkRoom(name: string, needed: number, others: number): void {
    const missing = others + needed - this.capacity;
    if (missing <= 0) return;
    throw new DoesNotFitError(
      `the EFI variable "${name}" does not fit: it takes ${needed} bytes, the others take ${others} of ${this.capacity}. ` +
        "Delete some, or use a larger store, such as OVMF_VARS_4M.fd with the firmware of that size",
      missing,
    );
  }
}

/**
 * Opens the flash memory in which firmware keeps its variables, such as a copy of `OVMF_VARS_4M.fd`. The bytes are
 * copied.
 *
 * @throws DiskwrightError `UNSUPPORTED_IMAGE` when it is something else, `CORRUPT` when it breaks the rules.
 */
export function openVariables(bytes: Uint8Array): EfiVariables {
  return new EfiVariables(bytes);
}

/** A GUID has a fixed length, so that no two pairs have the same key. */
function keyOf(name: string, vendor: string): string {
  return `${parseGuid(vendor)}${name}`;
}

function checkVariable(name: string, data: Uint8Array, attributes: number): void {
  if (name === "" || name.includes("\0")) throw invalid(name, "a name has characters, and no NUL among them");
  if (data.length === 0) throw invalid(name, "a variable without data is none: delete it");
  if (attributes !== ALWAYS && attributes !== BOOT_ONLY) {
    throw invalid(
      name,
      `attributes ${hex(attributes)}: use ${hex(ALWAYS)}, or ${hex(BOOT_ONLY)} to hide it from systems`,
    );
  }
}

function invalid(name: string, reason: string): DiskwrightError {
  return new DiskwrightError("INVALID_SPEC", `EFI variable ${JSON.stringify(name)}: ${reason}`);
}
