import { crc32 } from "../bytes/index.ts";
import type { ByteSource } from "../extents/index.ts";
import {
  ENTRY_LIMIT,
  GPT_REVISION,
  GPT_SIGNATURE,
  type GptHeader,
  gptEntry,
  gptHeader,
} from "./structures.ts";

/** What was found where one of the two copies of a table should be. */
export interface FoundCopy {
  /** "primary" or "backup", for messages. */
  readonly role: string;
  /** Whether the sector starts with "EFI PART", sound or not. */
  readonly hasSignature: boolean;
  /** The copy, when its checksums are right and its values can be used. */
  readonly table: VerifiedCopy | undefined;
  /** Why it cannot be used, when it cannot. */
  readonly problem: string | undefined;
}

/** A copy whose checksums are right. Its own place is on the disk; what it says of others need not be. */
export interface VerifiedCopy {
  readonly header: GptHeader;
  readonly headerLba: number;
  readonly entriesLba: number;
  readonly entriesSectors: number;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
  /** The bytes of all entries. */
  readonly array: Uint8Array;
}

/** A disk as it is looked at: with sectors of one size. */
export interface SectoredDisk {
  readonly source: ByteSource;
  readonly sectorSize: number;
  readonly sectors: number;
}

/** The largest entry that is read; there is no revision with more than 128 bytes. */
const ENTRY_SIZE_LIMIT = 4096;

/** Reads the copy whose header should lie at `lba`, and verifies it. Never reads outside the disk. */
export async function readCopy(disk: SectoredDisk, lba: number, role: string): Promise<FoundCopy> {
  if (lba < 1 || lba >= disk.sectors) {
    return unusable(role, false, `should lie at LBA ${lba}, but the disk has ${disk.sectors} sectors`);
  }
  const sector = await disk.source.read(lba * disk.sectorSize, disk.sectorSize);
  const header = gptHeader.fromBytes(sector);
  if (!GPT_SIGNATURE.every((byte, index) => sector[index] === byte)) {
    return unusable(role, false, `is missing: LBA ${lba} does not start with "EFI PART"`);
  }
  const wrong = headerProblem(disk, header, sector, lba);
  if (wrong !== undefined) return unusable(role, true, wrong);

  const { entryCount, entrySize } = header;
  const entriesLba = Number(header.entriesLba);
  const length = entryCount * entrySize;
  const array = await disk.source.read(entriesLba * disk.sectorSize, length);
  const crc = crc32(array);
  if (crc !== header.entriesCrc) {
    const written = hex(header.entriesCrc);
    return unusable(role, true, `has entries with the CRC ${hex(crc)}, but says ${written}`);
  }
  const table: VerifiedCopy = {
    header,
    headerLba: lba,
    entriesLba,
    entriesSectors: Math.ceil(length / disk.sectorSize),
    firstUsableLba: Number(header.firstUsableLba),
    lastUsableLba: Number(header.lastUsableLba),
    array,
  };
  return { role, hasSignature: true, table, problem: undefined };
}

/** What keeps a header from being used, checked in an order that trusts no value before its check. */
function headerProblem(
  { sectorSize, sectors }: SectoredDisk,
  header: GptHeader,
  sector: Uint8Array,
  lba: number,
): string | undefined {
  const { revision, headerSize, headerCrc, entryCount, entrySize, entriesLba } = header;
  if (revision !== GPT_REVISION) return `has the unknown revision ${hex(revision)}`;
  if (headerSize < gptHeader.span || headerSize > sectorSize) {
    return `has a header size of ${headerSize}: it should be ${gptHeader.span} to ${sectorSize}`;
  }
  // Not slice(): that of a Buffer would be a view, and zero the source's own bytes.
  const covered = new Uint8Array(sector.subarray(0, headerSize));
  covered.fill(0, gptHeader.offsetOf("headerCrc"), gptHeader.offsetOf("headerCrc") + 4);
  const crc = crc32(covered);
  if (crc !== headerCrc) return `has a header with the CRC ${hex(crc)}, but says ${hex(headerCrc)}`;
  if (header.myLba !== BigInt(lba)) return `says that it lies at LBA ${header.myLba}, but lies at ${lba}`;
  if (entryCount < 1 || entryCount > ENTRY_LIMIT) {
    return `has ${entryCount} entries: 1 to ${ENTRY_LIMIT} are read`;
  }
  // UEFI 2.10 §5.3.2: 128 × 2^n.
  if (entrySize < gptEntry.span || entrySize > ENTRY_SIZE_LIMIT || (entrySize & (entrySize - 1)) !== 0) {
    return `has entries of ${entrySize} bytes: ${gptEntry.span} times a power of two up to ${ENTRY_SIZE_LIMIT} is read`;
  }
  const entriesEnd = entriesLba + BigInt(Math.ceil((entryCount * entrySize) / sectorSize));
  if (entriesLba < 1n || entriesEnd > BigInt(sectors)) {
    return `has its entries at LBA ${entriesLba}, outside of the disk of ${sectors} sectors`;
  }
  for (const lba of [header.firstUsableLba, header.lastUsableLba]) {
    if (lba > BigInt(Number.MAX_SAFE_INTEGER)) return `lets partitions use LBA ${lba}, beyond 2^53`;
  }
  return undefined;
}

function unusable(role: string, hasSignature: boolean, why: string): FoundCopy {
  return { role, hasSignature, table: undefined, problem: `the ${role} table ${why}` };
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
