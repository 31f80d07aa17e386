import { byteKey } from "../bytes/index.ts";
import { decimalNumber } from "./numbers.ts";

/** The records of an extended header by keyword, the bytes of each value as they are. */
export type PaxRecords = ReadonlyMap<string, Uint8Array>;

/** A record with the same keyword more than once, in order: the numbers of GNU tar's sparse format 0.0. */
export interface PaxRecord {
  readonly keyword: string;
  readonly value: Uint8Array;
}

/**
 * The records of an extended header (IEEE 1003.1 "pax Extended Header"): each is its own length in decimal, a
 * blank, a keyword, an equals sign, the value, and a newline. Values are bytes: they can hold newlines, NULs and
 * equals signs. A keyword has one character for each byte. `undefined` when the records do not fit together.
 */
export function paxRecords(bytes: Uint8Array): PaxRecord[] | undefined {
  const records: PaxRecord[] = [];
  for (let start = 0; start < bytes.length; ) {
    // Some programs pad what they write.
    if (bytes[start] === 0) return records;
    const blank = bytes.indexOf(BLANK, start);
    if (blank < 0 || blank - start > MOST_DIGITS) return undefined;
    const length = decimalNumber(byteKey(bytes.subarray(start, blank)));
    if (length === undefined) return undefined;
    const end = start + length;
    if (end > bytes.length || end < blank + 3 || bytes[end - 1] !== NEWLINE) return undefined;
    const equals = bytes.indexOf(EQUALS, blank);
    if (equals < 0 || equals >= end) return undefined;
    records.push({
      keyword: byteKey(bytes.subarray(blank + 1, equals)),
      value: bytes.slice(equals + 1, end - 1),
    });
    start = end;
  }
  return records;
}

/** Of the length of a record. */
const MOST_DIGITS = 10;
const BLANK = 0x20;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;
