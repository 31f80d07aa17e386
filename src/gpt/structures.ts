import {
  array,
  bytes,
  guid,
  type RecordType,
  record,
  reserved,
  u16,
  u32,
  u64,
  utf8,
} from "../bytes/index.ts";
import { NAME_UNITS } from "./name.ts";

/** The header of one copy of the table. Addresses are in sectors of the disk. */
export interface GptHeader {
  readonly signature: Uint8Array;
  readonly revision: number;
  /** Bytes that the checksum covers. */
  readonly headerSize: number;
  /** CRC-32 of the header with this field as zero. */
  readonly headerCrc: number;
  /** Where this header lies. */
  readonly myLba: bigint;
  /** Where the header of the other copy lies. */
  readonly alternateLba: bigint;
  readonly firstUsableLba: bigint;
  /** Inclusive. */
  readonly lastUsableLba: bigint;
  readonly diskGuid: string;
  /** Where the entries of this copy start. */
  readonly entriesLba: bigint;
  readonly entryCount: number;
  /** Bytes of one entry. */
  readonly entrySize: number;
  /** CRC-32 of all entries, without the rest of their last sector. */
  readonly entriesCrc: number;
}

/** The 92 bytes of UEFI 2.10 §5.3.2, table 5-5. The rest of the sector is zero. */
export const gptHeader: RecordType<GptHeader> = record({
  signature: bytes(8), // 0x0
  revision: u32, // 0x8
  headerSize: u32, // 0xc
  headerCrc: u32, // 0x10
  reserved: reserved(4), // 0x14
  myLba: u64, // 0x18
  alternateLba: u64, // 0x20
  firstUsableLba: u64, // 0x28
  lastUsableLba: u64, // 0x30
  diskGuid: guid, // 0x38
  entriesLba: u64, // 0x48
  entryCount: u32, // 0x50
  entrySize: u32, // 0x54
  entriesCrc: u32, // 0x58
});

/** One entry of the array of partitions. */
export interface GptEntry {
  /** What the partition is for; nil marks an entry that is not used. */
  readonly type: string;
  readonly guid: string;
  readonly firstLba: bigint;
  /** Inclusive. */
  readonly lastLba: bigint;
  readonly attributes: bigint;
  /** UTF-16 code units, zeros after the last. */
  readonly name: readonly number[];
}

/** The 128 bytes of UEFI 2.10 §5.3.3, table 5-6. */
export const gptEntry: RecordType<GptEntry> = record({
  type: guid, // 0x0
  guid: guid, // 0x10
  firstLba: u64, // 0x20
  lastLba: u64, // 0x28
  attributes: u64, // 0x30
  name: array(u16, NAME_UNITS), // 0x38
});

/** What a header starts with. */
export const GPT_SIGNATURE: Uint8Array = utf8("EFI PART");

/** Revision 1.0, the only one there is. */
export const GPT_REVISION = 0x00010000;

/** The largest array that is written or read: 2 MiB. Nothing is known to use more than 128 entries. */
export const ENTRY_LIMIT = 16_384;

/** Bytes that are kept for the array, however few entries it has (UEFI 2.10 §5.3.1). */
export const SMALLEST_ARRAY = 16_384;

/** Sectors that the array of `entryCount` entries takes. */
export function entryArraySectors(entryCount: number, sectorSize: number): number {
  return Math.ceil(Math.max(entryCount * gptEntry.span, SMALLEST_ARRAY) / sectorSize);
}
