import { appendAll, NIL_GUID } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { ByteSource } from "../extents/index.ts";
import {
  hybridEntries,
  type ProtectiveEntry,
  protectiveEntryOf,
  protectiveMbrProblems,
} from "../mbr/index.ts";
import { overlaps, type SectorSize } from "../tables/index.ts";
import { attributesProblem } from "./attributes.ts";
import { type FoundCopy, readCopy, type SectoredDisk, type VerifiedCopy } from "./copy.ts";
import { type FoundHybrid, matchHybrid } from "./hybrid.ts";
import { hasLoneSurrogate, nameFromUnits } from "./name.ts";
import { type GptHeader, gptEntry } from "./structures.ts";
import { partitionTypeName } from "./types.ts";

/** A partition as the table has it. */
export interface GptPartition {
  /** Its entry, from 1. Entries need not be in the order in which partitions lie. */
  readonly number: number;
  /** The type GUID, in lower case. */
  readonly type: string;
  /** Its name in {@link PARTITION_TYPES}, when it has one. */
  readonly typeName: string | undefined;
  readonly guid: string;
  readonly firstLba: number;
  /** Inclusive. */
  readonly lastLba: number;
  /** As written: it can hold anything that a hostile image wants to print. */
  readonly name: string;
  readonly attributes: bigint;
}

/** What a GPT says. */
export interface GptTable {
  readonly sectorSize: SectorSize;
  readonly diskGuid: string;
  /** 0x00010000: revision 1.0. */
  readonly revision: number;
  readonly firstUsableLba: number;
  /** Inclusive. */
  readonly lastUsableLba: number;
  readonly entryCount: number;
  /** Where the primary entries start; `undefined` when only the backup could be read, which does not know. */
  readonly entriesLba: number | undefined;
  /** By number. */
  readonly partitions: readonly GptPartition[];
  /** Which of them the MBR has as well, beside its protective partition. */
  readonly hybrid: readonly FoundHybrid[];
  /** Which entry of the MBR the protective partition has; `undefined` where nothing is beside it. */
  readonly protectiveMbrEntry: ProtectiveEntry | undefined;
  /** One line for each thing that is wrong. The partitions are what the table says all the same. */
  readonly problems: readonly string[];
  /** Whether the primary copy was unusable, and the backup was read in its place. */
  readonly usedBackup: boolean;
}

/** What the reader can be told. */
export interface ReadGptOptions {
  /** Bytes of a sector, which the table does not say. By default 512 is tried, and then 4096. */
  readonly sectorSize?: SectorSize;
}

/** Both copies, as far as they were found. */
interface FoundTable {
  readonly disk: SectoredDisk & { readonly sectorSize: SectorSize };
  readonly primary: FoundCopy;
  readonly backup: FoundCopy;
  /** What the search for the backup met. */
  readonly problems: readonly string[];
}

/**
 * Reads the GPT of a disk. Both copies are verified, and compared; the backup stands in for a primary copy
 * that is damaged. The result is `undefined` when neither place has the signature of a GPT.
 *
 * @throws DiskwrightError `CORRUPT` when there is a GPT but no copy of it can be trusted.
 */
export async function readGpt(
  source: ByteSource,
  options: ReadGptOptions = {},
): Promise<GptTable | undefined> {
  const sizes: readonly SectorSize[] = options.sectorSize === undefined ? [512, 4096] : [options.sectorSize];
  const found: FoundTable[] = [];
  for (const sectorSize of sizes) {
    const table = await findTable(source, sectorSize);
    if (table.primary.table !== undefined) return await describeTable(table, table.primary.table);
    found.push(table);
  }
  for (const table of found) {
    if (table.backup.table !== undefined) return await describeTable(table, table.backup.table);
  }
  const damaged = found.find(({ primary, backup }) => primary.hasSignature || backup.hasSignature);
  if (damaged === undefined) return undefined;
  const problems = [damaged.primary.problem, damaged.backup.problem].filter((line) => line !== undefined);
  throw new DiskwrightError("CORRUPT", `no copy of the GPT can be used: ${problems.join("; ")}`, {
    problems,
  });
}

async function findTable(source: ByteSource, sectorSize: SectorSize): Promise<FoundTable> {
  const sectors = Math.floor(source.size / sectorSize);
  const disk = { source, sectorSize, sectors };
  const last = sectors - 1;
  const primary = await readCopy(disk, 1, "primary");
  // The backup is not at the end of an image that was put on a larger disk; only the primary copy knows where.
  const announced = primary.table === undefined ? last : Number(primary.table.header.alternateLba);
  const problems: string[] = [];
  let backup: FoundCopy | undefined;
  if (announced !== last) {
    problems.push(
      `the primary table says that the backup lies at LBA ${announced}, the disk ends at ${last}`,
    );
    if (announced > 1) backup = await readCopy(disk, announced, "backup");
  }
  if (backup?.table === undefined) backup = await readCopy(disk, last, "backup");
  if (backup.problem !== undefined) problems.push(backup.problem);
  return { disk, primary, backup, problems };
}

async function describeTable(found: FoundTable, used: VerifiedCopy): Promise<GptTable> {
  const { disk, primary, backup } = found;
  const { sectorSize, sectors } = disk;
  const { diskGuid, revision, entryCount } = used.header;
  const problems: string[] = [];
  if (primary.problem !== undefined) problems.push(primary.problem);
  appendAll(problems, found.problems);
  if (disk.source.size % sectorSize !== 0) {
    problems.push(`the disk ends with a part of a sector: it has ${disk.source.size} bytes`);
  }
  const mbr = await disk.source.read(0, 512);
  appendAll(problems, protectiveMbrProblems(mbr, sectors));
  for (const { role, table } of [primary, backup]) {
    if (table !== undefined) appendAll(problems, placeProblems(role, table, sectors));
  }
  appendAll(problems, copyProblems(primary.table, backup.table));
  if (diskGuid === NIL_GUID) problems.push("the disk GUID is nil");

  const partitions = partitionsOf(used, problems);
  const hybrid = matchHybrid(hybridEntries(mbr), partitions, problems);
  appendAll(problems, partitionProblems(partitions, used, sectors));
  return {
    sectorSize,
    diskGuid,
    revision,
    firstUsableLba: used.firstUsableLba,
    lastUsableLba: used.lastUsableLba,
    entryCount,
    entriesLba: primary.table?.entriesLba,
    partitions,
    hybrid,
    protectiveMbrEntry: hybrid.length === 0 ? undefined : protectiveEntryOf(mbr),
    problems,
    usedBackup: primary.table === undefined,
  };
}

/** What is wrong with where a copy says that things lie. */
function placeProblems(role: string, copy: VerifiedCopy, sectors: number): string[] {
  const { headerLba, entriesLba, firstUsableLba, lastUsableLba } = copy;
  const entriesEnd = entriesLba + copy.entriesSectors - 1;
  const usable = `LBA ${firstUsableLba} to ${lastUsableLba}`;
  const problems: string[] = [];
  if (firstUsableLba > lastUsableLba) {
    problems.push(`the ${role} table lets partitions use ${usable}, which is nothing`);
  }
  if (lastUsableLba >= sectors) {
    problems.push(`the ${role} table lets partitions use ${usable}, but the disk ends at ${sectors - 1}`);
  }
  if (headerLba >= entriesLba && headerLba <= entriesEnd) {
    problems.push(`the header of the ${role} table lies in its entries, LBA ${entriesLba} to ${entriesEnd}`);
  }
  if (entriesLba <= lastUsableLba && entriesEnd >= firstUsableLba) {
    problems.push(
      `the entries of the ${role} table, LBA ${entriesLba} to ${entriesEnd}, lie where partitions can: ${usable}`,
    );
  }
  if (headerLba >= firstUsableLba && headerLba <= lastUsableLba) {
    problems.push(`the header of the ${role} table, LBA ${headerLba}, lies where partitions can: ${usable}`);
  }
  return problems;
}

/** What is wrong between the copies. */
function copyProblems(primary: VerifiedCopy | undefined, backup: VerifiedCopy | undefined): string[] {
  if (backup === undefined) return [];
  const problems: string[] = [];
  if (backup.header.alternateLba !== 1n) {
    const { alternateLba } = backup.header;
    problems.push(`the backup table says that the primary lies at LBA ${alternateLba}, not at 1`);
  }
  if (primary === undefined) return problems;
  for (const [field, what] of SHARED_FIELDS) {
    if (primary.header[field] !== backup.header[field]) problems.push(`the copies differ in ${what}`);
  }
  return problems;
}

/** Fields that are the same in both copies. */
const SHARED_FIELDS: readonly (readonly [keyof GptHeader, string])[] = [
  ["firstUsableLba", "the first usable sector"],
  ["lastUsableLba", "the last usable sector"],
  ["diskGuid", "the disk GUID"],
  ["entryCount", "the number of entries"],
  ["entrySize", "the size of an entry"],
  ["entriesCrc", "the partitions"],
];

/** Bytes of the type GUID, the first field of an entry. */
const TYPE_SIZE = gptEntry.offsetOf("guid");

function partitionsOf({ header, array }: VerifiedCopy, problems: string[]): GptPartition[] {
  const partitions: GptPartition[] = [];
  for (let index = 0; index < header.entryCount; index++) {
    const start = index * header.entrySize;
    // Most entries are not used, and a hostile table can have thousands: look before decoding.
    if (array.subarray(start, start + TYPE_SIZE).every((byte) => byte === 0)) continue;
    const entry = gptEntry.fromBytes(array, start);
    const number = index + 1;
    const firstLba = Number(entry.firstLba);
    const lastLba = Number(entry.lastLba);
    if (!Number.isSafeInteger(firstLba) || !Number.isSafeInteger(lastLba)) {
      problems.push(
        `partition ${number} is left out: it goes from sector ${entry.firstLba} to ${entry.lastLba}, beyond 2^53`,
      );
      continue;
    }
    partitions.push({
      number,
      type: entry.type,
      typeName: partitionTypeName(entry.type),
      guid: entry.guid,
      firstLba,
      lastLba,
      name: nameFromUnits(entry.name),
      attributes: entry.attributes,
    });
  }
  return partitions;
}

function partitionProblems(
  partitions: readonly GptPartition[],
  { firstUsableLba, lastUsableLba }: VerifiedCopy,
  sectors: number,
): string[] {
  const problems: string[] = [];
  const owners = new Map<string, number>();
  for (const { number, guid, firstLba, lastLba, name, attributes } of partitions) {
    const who = `partition ${number}`;
    if (firstLba > lastLba) problems.push(`${who} starts at sector ${firstLba}, after its last, ${lastLba}`);
    if (firstLba < firstUsableLba) {
      problems.push(`${who} starts at sector ${firstLba}, before the first usable one, ${firstUsableLba}`);
    }
    if (lastLba > lastUsableLba) {
      problems.push(`${who} ends at sector ${lastLba}, after the last usable one, ${lastUsableLba}`);
    }
    if (lastLba >= sectors) {
      problems.push(`${who} ends at sector ${lastLba}, the disk at ${sectors - 1}`);
    }
    const wrongAttributes = attributesProblem(attributes);
    if (wrongAttributes !== undefined) problems.push(`${who} has ${wrongAttributes}`);
    if (hasLoneSurrogate(name)) problems.push(`${who} has half a surrogate pair in its name`);
    const owner = owners.get(guid);
    if (guid === NIL_GUID) problems.push(`${who} has a nil GUID`);
    else if (owner !== undefined) problems.push(`${who} has the GUID of partition ${owner}, ${guid}`);
    else owners.set(guid, number);
  }
  for (const [a, b] of overlaps(partitions)) {
    problems.push(`partition ${b.number} overlaps partition ${a.number}`);
  }
  return problems;
}
