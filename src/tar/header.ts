import { byteKey } from "../bytes/index.ts";
import type { Device } from "../tree/index.ts";
import { decimalNumber, fieldNumber, paxTime, type TarTime } from "./numbers.ts";
import type { PaxRecords } from "./pax.ts";
import { BLOCK, headerField, tarHeader } from "./structures.ts";

// What one header says, together with the records before it that count in place of its fields.

const CHECKSUM: number = tarHeader.offsetOf("checksum");
const CHECKSUM_SIZE = 8;
const TYPEFLAG: number = tarHeader.offsetOf("typeflag");
const MAGIC: number = tarHeader.offsetOf("magic");

const SLASH = 0x2f;
const SPACE = 0x20;

/** Whether the sum of a header is right: of bytes, or of signed bytes, as some old programs have it. */
export function hasRightSum(block: Uint8Array): boolean {
  // The field itself counts as blanks.
  let sum = CHECKSUM_SIZE * SPACE;
  for (let index = 0; index < BLOCK; index++) sum += block[index]!;
  for (let index = CHECKSUM; index < CHECKSUM + CHECKSUM_SIZE; index++) sum -= block[index]!;
  const stored = fieldNumber(headerField(block, "checksum"));
  return stored === sum || stored === sum - 256 * negativeBytes(block);
}

function negativeBytes(block: Uint8Array): number {
  let count = 0;
  for (let index = 0; index < BLOCK; index++) {
    if (block[index]! > 127 && (index < CHECKSUM || index >= CHECKSUM + CHECKSUM_SIZE)) count++;
  }
  return count;
}

export function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

export function typeflag(header: Uint8Array): number {
  return header[TYPEFLAG]!;
}

const POSIX_MAGIC = Uint8Array.of(0x75, 0x73, 0x74, 0x61, 0x72, 0); // ustar and NUL; GNU tar has blanks behind it

/** Whether a header is one of POSIX: only those have a prefix. */
export function isPosixHeader(header: Uint8Array): boolean {
  return POSIX_MAGIC.every((byte, index) => header[MAGIC + index] === byte);
}

/** The path in a header's own fields. */
export function headerPath(header: Uint8Array): Uint8Array {
  const last = untilNul(headerField(header, "name"));
  const first = isPosixHeader(header) ? untilNul(headerField(header, "prefix")) : NO_BYTES;
  if (first.length === 0) return last;
  const path = new Uint8Array(first.length + 1 + last.length);
  path.set(first);
  path[first.length] = SLASH;
  path.set(last, first.length + 1);
  return path;
}

const NO_BYTES = new Uint8Array(0);

/** A copy of the bytes before the first NUL. */
export function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes.slice() : bytes.slice(0, end);
}

/** A number of an extended header, or else that of the field. */
export function numberOf(record: Uint8Array | undefined, field: Uint8Array): number | undefined {
  return record === undefined ? fieldNumber(field) : decimalNumber(byteKey(record));
}

export function timeOf(record: Uint8Array | undefined, field: Uint8Array): TarTime | undefined {
  if (record !== undefined) return paxTime(byteKey(record));
  const seconds = fieldNumber(field);
  return seconds === undefined ? undefined : { seconds, nanoseconds: 0 };
}

/** The numbers of a device; `undefined` when Linux has no such device. */
export function deviceOf(header: Uint8Array, records: PaxRecords): Device | undefined {
  const major = numberOf(records.get("SCHILY.devmajor"), headerField(header, "major")) ?? -1;
  const minor = numberOf(records.get("SCHILY.devminor"), headerField(header, "minor")) ?? -1;
  const isPossible = major >= 0 && major <= 0xfff && minor >= 0 && minor <= 0xfffff;
  return isPossible ? { major, minor } : undefined;
}
