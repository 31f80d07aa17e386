import { checkArgument } from "../arguments/index.ts";
import { formatBytes } from "../bytes/index.ts";
import { DoesNotFitError } from "../errors.ts";
import { BOOT_CODE_SIZE, type HybridEntry, type ProtectiveEntry } from "../mbr/index.ts";
import {
  checkBootCode,
  checkDisk,
  type Findings,
  hasFindings,
  noFindings,
  numberPartitions,
  type SectorSize,
  throwFindings,
} from "../tables/index.ts";
import { gptDiskKind, gptSpecKind } from "./arguments.ts";
import { checkGuid, checkOverlaps, checkPartition, checkRange, checkUniqueGuids, isSector } from "./check.ts";
import { checkHybrid } from "./hybrid.ts";
import { ENTRY_LIMIT, entryArraySectors } from "./structures.ts";

/** A partition that a GPT is to have. */
export interface GptPartitionSpec {
  /** Its entry, from 1. By default the lowest free one, in the order of the list. */
  readonly number?: number;
  /** A name of {@link PARTITION_TYPES}, or a GUID. */
  readonly type: string;
  /** Identifies the partition: unique, not nil. */
  readonly guid: string;
  /** Its first sector, counted from the start of the disk. */
  readonly firstLba: number;
  /** Its last sector, which belongs to it. */
  readonly lastLba: number;
  /** At most 36 UTF-16 code units. Default empty. */
  readonly name?: string;
  /** 64 bits, see {@link PARTITION_ATTRIBUTES}. Default 0. */
  readonly attributes?: bigint;
}

/** The size of a disk and of its table, from which the room for partitions follows. */
export interface GptDisk {
  /** Bytes of a sector. Default 512. */
  readonly sectorSize?: SectorSize;
  /** Sectors of the whole disk. */
  readonly sectors: number;
  /** Entries of the table, 1 to 16,384. Default 128; fewer take no less room. */
  readonly entryCount?: number;
  /**
   * Where the primary entries start, from 2 on. Default 2, right behind the header; later, for boards whose
   * firmware reads something else from there. Partitions start behind the entries.
   */
  readonly entriesLba?: number | undefined;
}

/** A disk with a GPT. */
export interface GptSpec extends GptDisk {
  /** Identifies the disk: not nil. */
  readonly diskGuid: string;
  readonly partitions: readonly GptPartitionSpec[];
  /** Where partitions can start. By default right behind the table: 34, or 6 with sectors of 4096 bytes. */
  readonly firstUsableLba?: number;
  /** Marks the protective partition as active, for BIOSes that start nothing else. Default false. */
  readonly protectiveMbrBootable?: boolean;
  /** What a BIOS runs, at most 440 bytes. Default none. */
  readonly bootCode?: Uint8Array;
  /** Partitions that are in the MBR too, for firmware that knows no GPT. At most three. Default none. */
  readonly hybrid?: readonly HybridSpec[];
  /** With `hybrid`: which entry of the MBR the protective partition has. Default `last`, behind the others. */
  readonly protectiveMbrEntry?: ProtectiveEntry | undefined;
}

/** A partition of a GPT that is in the MBR too. */
export interface HybridSpec {
  /** The partition's number in the GPT. */
  readonly number: number;
  /** The type byte that it has in the MBR. */
  readonly type: number;
  readonly bootable?: boolean | undefined;
}

/** A partition as it will be written. */
export interface PlannedGptPartition {
  readonly number: number;
  /** A GUID in lower case. */
  readonly type: string;
  readonly guid: string;
  readonly firstLba: number;
  readonly lastLba: number;
  readonly name: string;
  readonly attributes: bigint;
}

/** Where one of the two copies of the table lies. */
export interface GptCopy {
  readonly headerLba: number;
  readonly entriesLba: number;
}

/** A table that breaks no rule: plain data, from which {@link writeGpt} makes the bytes. */
export interface GptPlan {
  readonly sectorSize: SectorSize;
  readonly sectors: number;
  readonly diskGuid: string;
  readonly primary: GptCopy;
  readonly backup: GptCopy;
  readonly firstUsableLba: number;
  /** Inclusive. */
  readonly lastUsableLba: number;
  readonly entryCount: number;
  /** Sectors that the entries take in each copy. */
  readonly entryArraySectors: number;
  readonly protectiveMbrBootable: boolean;
  readonly bootCode: Uint8Array;
  /** What the MBR has beside its protective partition, in ascending order. */
  readonly hybrid: readonly HybridEntry[];
  /** `undefined` where nothing is beside it. */
  readonly protectiveMbrEntry: ProtectiveEntry | undefined;
  /** By number, which need not be the order in which they lie. */
  readonly partitions: readonly PlannedGptPartition[];
}

/** Entries of a table that nobody asked for more or fewer of. */
const DEFAULT_ENTRIES = 128;

/**
 * The sectors that partitions of a disk can use, both ends included: between the protective MBR, header and
 * entries at its start, and the entries and header at its end.
 *
 * @throws DoesNotFitError when the tables leave no sector.
 * @throws DiskwrightError `INVALID_SPEC` for sizes or counts that are unusable.
 */
export function gptUsableRange(disk: GptDisk): { firstUsableLba: number; lastUsableLba: number } {
  checkArgument("disk", disk, gptDiskKind);
  const findings = noFindings();
  checkDisk(disk.sectors, disk.sectorSize ?? 512, findings);
  checkEntryCount(disk.entryCount ?? DEFAULT_ENTRIES, findings);
  checkEntriesLba(disk.entriesLba ?? FIRST_ENTRIES_LBA, findings);
  throwFindings("the disk cannot have a GPT", findings);
  const { firstUsableLba, lastUsableLba } = usableRange(disk);
  if (firstUsableLba > lastUsableLba) throw tooSmall(disk, firstUsableLba);
  return { firstUsableLba, lastUsableLba };
}

/**
 * Checks a table and decides where everything lies.
 *
 * @throws DiskwrightError `INVALID_TABLE` when a rule of the format is broken, `INVALID_SPEC` when no rule is
 *   but a value is unusable. The error lists all that is wrong.
 * @throws DoesNotFitError when only the size of the disk is wrong: the tables leave no sector for partitions.
 */
export function planGpt(spec: GptSpec): GptPlan {
  checkArgument("spec", spec, gptSpecKind);
  const { sectorSize = 512, sectors, entryCount = DEFAULT_ENTRIES, protectiveMbrBootable = false } = spec;
  const bootCode = new Uint8Array(spec.bootCode ?? []);
  const findings = noFindings();
  const diskIsSound = checkDisk(sectors, sectorSize, findings);
  const countIsSound = checkEntryCount(entryCount, findings);
  const { entriesLba = FIRST_ENTRIES_LBA } = spec;
  const placeIsSound = checkEntriesLba(entriesLba, findings);
  checkBootCode(bootCode, BOOT_CODE_SIZE, findings);
  const diskGuid = checkGuid(spec.diskGuid, "the disk GUID", findings);

  const standard = usableRange(spec);
  const firstUsableLba = spec.firstUsableLba ?? standard.firstUsableLba;
  const { lastUsableLba } = standard;
  const numbers = numberPartitions(
    spec.partitions.map(({ number }) => number),
    countIsSound ? entryCount : Number.POSITIVE_INFINITY,
    findings,
  );
  const partitions = spec.partitions.map((partition, index) =>
    checkPartition(partition, numbers[index]!, findings),
  );
  checkUniqueGuids(partitions, findings);

  const placed = partitions.filter(
    ({ firstLba, lastLba }) => isSector(firstLba) && isSector(lastLba) && firstLba <= lastLba,
  );
  let small: DoesNotFitError | undefined;
  if (
    diskIsSound &&
    countIsSound &&
    placeIsSound &&
    checkFirstUsable(firstUsableLba, standard.firstUsableLba, findings)
  ) {
    if (firstUsableLba > lastUsableLba) small = tooSmall(spec, firstUsableLba);
    else checkRange(placed, firstUsableLba, lastUsableLba, findings);
  }
  checkOverlaps(placed, findings);
  const hybrid = checkHybrid(spec.hybrid ?? [], partitions, protectiveMbrBootable, findings);
  if (small !== undefined) {
    if (!hasFindings(findings)) throw small;
    findings.broken.push(small.message);
  }
  throwFindings("the GPT cannot be written", findings);

  const arraySectors = entryArraySectors(entryCount, sectorSize);
  return {
    sectorSize,
    sectors,
    diskGuid,
    primary: { headerLba: 1, entriesLba },
    backup: { headerLba: sectors - 1, entriesLba: sectors - 1 - arraySectors },
    firstUsableLba,
    lastUsableLba,
    entryCount,
    entryArraySectors: arraySectors,
    protectiveMbrBootable,
    bootCode,
    hybrid,
    protectiveMbrEntry: hybrid.length === 0 ? undefined : (spec.protectiveMbrEntry ?? "last"),
    partitions: partitions.sort((a, b) => a.number - b.number),
  };
}

function usableRange({
  sectors,
  sectorSize = 512,
  entryCount = DEFAULT_ENTRIES,
  entriesLba = FIRST_ENTRIES_LBA,
}: GptDisk) {
  const arraySectors = entryArraySectors(entryCount, sectorSize);
  return { firstUsableLba: entriesLba + arraySectors, lastUsableLba: sectors - arraySectors - 2 };
}

/** Behind the protective MBR and the header. */
const FIRST_ENTRIES_LBA = 2;

function checkEntriesLba(entriesLba: number, { unusable, broken }: Findings): boolean {
  if (!isSector(entriesLba)) unusable.push(`the entries start at sector ${entriesLba}: give a whole number`);
  else if (entriesLba < FIRST_ENTRIES_LBA) {
    broken.push(
      `the entries start at sector ${entriesLba}, where the header lies: use ${FIRST_ENTRIES_LBA} or more`,
    );
  } else return true;
  return false;
}

function tooSmall(disk: GptDisk, firstUsableLba: number): DoesNotFitError {
  const { sectors, sectorSize = 512 } = disk;
  const missingSectors = firstUsableLba - usableRange(disk).lastUsableLba;
  const missing = missingSectors * sectorSize;
  return new DoesNotFitError(
    `a disk of ${sectors} sectors is too small for a GPT: with one sector for partitions it needs ${sectors + missingSectors} (${formatBytes(missing)} more)`,
    missing,
  );
}

function checkEntryCount(entryCount: number, { unusable }: Findings): boolean {
  if (Number.isInteger(entryCount) && entryCount >= 1 && entryCount <= ENTRY_LIMIT) return true;
  unusable.push(`the table has ${entryCount} entries: give an integer from 1 to ${ENTRY_LIMIT}`);
  return false;
}

function checkFirstUsable(firstUsableLba: number, lowest: number, findings: Findings): boolean {
  if (!isSector(firstUsableLba)) {
    findings.unusable.push(`the first usable sector is ${firstUsableLba}: give a whole number`);
    return false;
  }
  if (firstUsableLba < lowest) {
    findings.broken.push(
      `the first usable sector is ${firstUsableLba}: the table itself reaches up to ${lowest - 1}`,
    );
    return false;
  }
  return true;
}
