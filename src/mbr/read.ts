import { type ByteSource, readExactly } from "../extents/index.ts";
import { overlaps, type SectorSize } from "../tables/index.ts";
import { isFilesystemBootSector } from "./boot-sector.ts";
import { FIRST_LOGICAL, LOGICAL_LIMIT } from "./plan.ts";
import {
  ACTIVE,
  BOOT_SIGNATURE,
  type BootRecord,
  bootRecord,
  isEmptyEntry,
  type PartitionEntry,
} from "./structures.ts";
import { formatType, isExtended, MBR_TYPES, mbrTypeName } from "./types.ts";

/** A partition as the table has it. */
export interface MbrPartition {
  /** 1 to 4 by entry; logical partitions from 5, in the order of their chain. */
  readonly number: number;
  readonly bootable: boolean;
  /** The type byte. */
  readonly type: number;
  /** Its name in {@link MBR_TYPES}, when it has one. */
  readonly typeName: string | undefined;
  /** The first sector, counted from the start of the disk. */
  readonly firstLba: number;
  readonly sectors: number;
}

/** What an MBR says. */
export interface MbrTable {
  readonly signature: number;
  readonly partitions: readonly MbrPartition[];
  /** One line for each thing that is wrong. The partitions are what the table says all the same. */
  readonly problems: readonly string[];
}

/** What the reader has to be told. */
export interface ReadMbrOptions {
  /** Bytes of a sector, which the table does not say. Default 512. */
  readonly sectorSize?: SectorSize;
}

const RECORD_SIZE = bootRecord.span;

/**
 * Reads the MBR of a disk, and the chain of its logical partitions. The result is `undefined` when there is
 * none: sector 0 does not end in 55 AA, or it starts a FAT, exFAT or NTFS filesystem, which ends so too. A
 * protective MBR is a table with one partition of type 0xee.
 */
export async function readMbr(
  source: ByteSource,
  options: ReadMbrOptions = {},
): Promise<MbrTable | undefined> {
  const { sectorSize = 512 } = options;
  if (source.size < RECORD_SIZE) return undefined;
  const sector = await source.read(0, RECORD_SIZE);
  const { signature, partitions: entries, bootSignature } = bootRecord.fromBytes(sector);
  const diskSectors = Math.floor(source.size / sectorSize);
  if (bootSignature !== BOOT_SIGNATURE || isFilesystemBootSector(sector, diskSectors)) return undefined;

  const problems: string[] = [];
  const primary: MbrPartition[] = [];
  for (const [index, entry] of entries.entries()) {
    if (isEmptyEntry(entry)) continue;
    entryProblems(entry, `partition ${index + 1}`, problems);
    if (entry.type !== 0) primary.push(partitionOf(entry, index + 1, 0));
  }
  const announcesGpt = primary.some(({ type }) => type === MBR_TYPES["gpt-protective"]);
  if (signature === 0 && !announcesGpt) problems.push("the disk signature is 0");
  const active = primary.filter(({ bootable }) => bootable).map(({ number }) => number);
  if (active.length > 1) problems.push(`partitions ${active.join(" and ")} are both active`);
  overlapProblems(primary, problems);

  const containers = primary.filter(({ type }) => isExtended(type));
  if (containers.length > 1) {
    problems.push(`partitions ${containers.map(({ number }) => number).join(" and ")} are both extended`);
  }
  const container = containers[0];
  const logical =
    container === undefined ? [] : await readChain({ source, sectorSize, diskSectors, container }, problems);
  overlapProblems(logical, problems);
  const partitions = [...primary, ...logical];
  for (const partition of partitions) endProblems(partition, diskSectors, problems);
  return { signature, partitions, problems };
}

/** What the chain of logical partitions is read from. */
interface Chain {
  readonly source: ByteSource;
  readonly sectorSize: number;
  readonly diskSectors: number;
  readonly container: MbrPartition;
}

/**
 * Follows the chain of extended boot records. Linux follows it backwards as well, so that is reported and
 * done; a record that was seen before ends it.
 */
async function readChain(chain: Chain, problems: string[]): Promise<MbrPartition[]> {
  const { container } = chain;
  const logical: MbrPartition[] = [];
  const seen = new Set<number>();
  let lba: number | undefined = container.firstLba;
  while (lba !== undefined) {
    const where = `the extended boot record at sector ${lba}`;
    const obstacle = linkProblem(chain, lba, seen);
    if (obstacle !== undefined) {
      problems.push(`${where} ${obstacle}`);
      break;
    }
    seen.add(lba);
    const record = await readRecord(chain, lba);
    if (record === undefined) {
      problems.push(`${where} does not end in 55 AA`);
      break;
    }
    const links = record.partitions.filter(({ type }) => isExtended(type));
    const data = record.partitions.filter((entry) => !isEmptyEntry(entry) && !isExtended(entry.type));
    if (links.length > 1) problems.push(`${where} links to ${links.length} others, it should link to one`);
    if (data.length > 1) problems.push(`${where} has ${data.length} partitions, it should have one`);
    for (const entry of data) {
      const number = FIRST_LOGICAL + logical.length;
      entryProblems(entry, `partition ${number}`, problems);
      if (entry.type === 0) continue;
      const partition = partitionOf(entry, number, lba);
      if (!contains(container, partition)) {
        problems.push(`partition ${number} lies outside the extended partition ${container.number}`);
      }
      logical.push(partition);
    }
    const next: number | undefined = links[0] && container.firstLba + links[0].firstLba;
    if (next !== undefined && next < lba) problems.push(`${where} links backwards, to sector ${next}`);
    lba = next;
  }
  return logical;
}

/** Why the chain cannot go on at `lba`, or `undefined`. */
function linkProblem(
  { container, diskSectors }: Chain,
  lba: number,
  seen: ReadonlySet<number>,
): string | undefined {
  if (seen.has(lba)) return "is part of a loop";
  if (seen.size >= LOGICAL_LIMIT) return `is one too many: the chain is longer than ${LOGICAL_LIMIT}`;
  if (lba < container.firstLba || lba >= container.firstLba + container.sectors) {
    return `lies outside the extended partition ${container.number}`;
  }
  return lba >= diskSectors ? `lies past the last sector of the disk, ${diskSectors - 1}` : undefined;
}

async function readRecord({ source, sectorSize }: Chain, lba: number): Promise<BootRecord | undefined> {
  const what = `the extended boot record at sector ${lba}`;
  const record = bootRecord.fromBytes(await readExactly(source, lba * sectorSize, RECORD_SIZE, what));
  return record.bootSignature === BOOT_SIGNATURE ? record : undefined;
}

function contains(container: MbrPartition, { firstLba, sectors }: MbrPartition): boolean {
  return firstLba >= container.firstLba && firstLba + sectors <= container.firstLba + container.sectors;
}

function partitionOf(entry: PartitionEntry, number: number, base: number): MbrPartition {
  return {
    number,
    bootable: entry.status === ACTIVE,
    type: entry.type,
    typeName: mbrTypeName(entry.type),
    firstLba: base + entry.firstLba,
    sectors: entry.sectors,
  };
}

function entryProblems(
  { status, type, firstLba, sectors }: PartitionEntry,
  who: string,
  problems: string[],
): void {
  if (type === 0) problems.push(`${who} has data, but the type 0x00 of an entry that is not used`);
  if (status !== 0 && status !== ACTIVE) {
    problems.push(`${who} has the status ${formatType(status)}, it should be 0x00 or 0x80`);
  }
  if (type !== 0 && firstLba === 0) problems.push(`${who} starts at the sector of its own table`);
  if (type !== 0 && sectors === 0) problems.push(`${who} has no sectors`);
}

function endProblems(
  { number, type, firstLba, sectors }: MbrPartition,
  disk: number,
  problems: string[],
): void {
  // The size in a protective MBR can be the largest possible on any disk.
  if (type === MBR_TYPES["gpt-protective"]) return;
  const end = firstLba + sectors;
  if (end > disk) problems.push(`partition ${number} ends at sector ${end - 1}, the disk at ${disk - 1}`);
}

function overlapProblems(partitions: readonly MbrPartition[], problems: string[]): void {
  const ranges = partitions.map(({ number, firstLba, sectors }) => ({
    number,
    firstLba,
    lastLba: firstLba + sectors - 1,
  }));
  for (const [a, b] of overlaps(ranges))
    problems.push(`partition ${b.number} overlaps partition ${a.number}`);
}
