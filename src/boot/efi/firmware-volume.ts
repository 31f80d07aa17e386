import { compareBytes } from "../../bytes/index.ts";
import { DiskwrightError } from "../../errors.ts";
import {
  AUTHENTICATED_STORE,
  authenticatedVariableHeader,
  ERASED_BITS_ARE_ONES,
  firmwareVolumeHeader,
  PLAIN_STORE,
  plainVariableHeader,
  STORE_FORMATTED,
  STORE_HEALTHY,
  VARIABLES_VOLUME,
  VOLUME_SIGNATURE,
  variableStoreHeader,
} from "./structures.ts";

/** The two formats of records, and the headers that they have. */
export const STORE_FORMATS = {
  authenticated: authenticatedVariableHeader,
  plain: plainVariableHeader,
} as const;
export type StoreFormat = keyof typeof STORE_FORMATS;

/** Where the records of a variable store lie, in bytes from the start of the flash memory. */
export interface StorePlace {
  readonly format: StoreFormat;
  readonly start: number;
  readonly end: number;
}

/**
 * Finds the variable store in flash memory that starts with the firmware volume of variables.
 *
 * @throws DiskwrightError `UNSUPPORTED_IMAGE` for something else, `CORRUPT` for damage.
 */
export function findStore(flash: Uint8Array): StorePlace {
  const { storeStart, volumeSize } = checkVolume(flash);
  const start = storeStart + variableStoreHeader.span;
  if (start > volumeSize) damaged(`it has ${volumeSize} bytes, which have no room for a variable store`);
  const { format, size, formatted, healthy } = variableStoreHeader.fromBytes(flash, storeStart);
  const known =
    format === AUTHENTICATED_STORE ? "authenticated" : format === PLAIN_STORE ? "plain" : undefined;
  if (known === undefined) {
    unsupported(
      `its variable store has the format ${format}; ${AUTHENTICATED_STORE} (authenticated) and ${PLAIN_STORE} (plain) are read`,
    );
  }
  if (formatted !== STORE_FORMATTED || healthy !== STORE_HEALTHY) {
    damaged(`its variable store is marked ${hex(formatted)}, ${hex(healthy)} in place of 0x5a, 0xfe`);
  }
  const end = storeStart + size;
  if (end > volumeSize)
    damaged(`its variable store ends at byte ${end}, the firmware volume at ${volumeSize}`);
  if (end < start) damaged(`its variable store has ${size} bytes, less than its header`);
  return { format: known, start, end };
}

/** Checks the header of the volume. The store starts behind it. */
function checkVolume(flash: Uint8Array): { storeStart: number; volumeSize: number } {
  const found = flash.length < firmwareVolumeHeader.span ? undefined : firmwareVolumeHeader.fromBytes(flash);
  if (found === undefined || compareBytes(found.signature, VOLUME_SIGNATURE) !== 0) {
    unsupported("it does not start with a firmware volume");
  }
  const { filesystem, size, attributes, headerSize } = found;
  if (filesystem !== VARIABLES_VOLUME) {
    unsupported(
      `its first firmware volume (${filesystem}) holds no variables: it may be the firmware itself`,
    );
  }
  if ((attributes & ERASED_BITS_ARE_ONES) === 0) unsupported("its memory is erased to zeros");
  if (size > BigInt(flash.length)) {
    damaged(`its firmware volume has ${size} bytes, the file ${flash.length}: it was cut off`);
  }
  if (headerSize < firmwareVolumeHeader.span || headerSize % 2 !== 0 || BigInt(headerSize) > size) {
    damaged(`the header of its firmware volume has ${headerSize} bytes`);
  }
  const sum = wordSum(flash.subarray(0, headerSize));
  if (sum !== 0) damaged(`the words of its firmware volume's header add up to ${hex(sum)} in place of 0`);
  return { storeStart: headerSize, volumeSize: Number(size) };
}

/** The sum of little-endian 16-bit words, modulo 2^16. */
function wordSum(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum = (sum + view.getUint16(at, true)) & 0xffff;
  return sum;
}

/** A number of a message in hexadecimal. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export function damaged(reason: string): never {
  throw new DiskwrightError(
    "CORRUPT",
    `the EFI variables are damaged: ${reason}. Start from the firmware's own file, such as OVMF_VARS_4M.fd`,
  );
}

function unsupported(reason: string): never {
  throw new DiskwrightError(
    "UNSUPPORTED_IMAGE",
    `the EFI variables cannot be read: ${reason}. Give the raw bytes of a file such as OVMF_VARS_4M.fd`,
  );
}
