import { checkArgument } from "../arguments/index.ts";
import {
  checkBootCode,
  checkDisk,
  type Findings,
  noFindings,
  numberPartitions,
  overlaps,
  type SectorSize,
  throwFindings,
} from "../tables/index.ts";
import { mbrSpecKind } from "./arguments.ts";
import { type Geometry, geometryProblem, STANDARD_GEOMETRY } from "./chs.ts";
import { placeRecords } from "./extended.ts";
import { BOOT_CODE_SIZE, PRIMARY_ENTRIES } from "./structures.ts";
import { formatType, isExtended, MBR_TYPES } from "./types.ts";

/** A partition that an MBR is to have. */
export interface MbrPartitionSpec {
  /**
   * 1 to 4: which entry of the table. By default the lowest free one, in the order of the list. Logical
   * partitions are 5, 6, … in the order in which they lie.
   */
  readonly number?: number;
  /** The type byte, 0x01 to 0xff; {@link MBR_TYPES} has names for the usual ones. */
  readonly type: number;
  /** Its first sector, counted from the start of the disk. */
  readonly firstLba: number;
  /** Its size in sectors, at least 1. */
  readonly sectors: number;
  /** Whether boot code starts this partition. At most one. */
  readonly bootable?: boolean;
}

/** A disk with an MBR. */
export interface MbrSpec {
  /** Sectors of the whole disk. Partitions can use the first 2^32 of them. */
  readonly sectors: number;
  /** Bytes of a sector. Default 512. */
  readonly sectorSize?: SectorSize;
  /** Identifies the disk, 1 to 2^32 - 1: Linux derives PARTUUIDs from it. */
  readonly signature: number;
  /** Up to four. One of them can be extended (0x05, 0x0f, 0x85): the container of the logical ones. */
  readonly partitions: readonly MbrPartitionSpec[];
  /** Partitions inside the extended one, in the order in which they lie. */
  readonly logical?: readonly MbrPartitionSpec[];
  /** What a BIOS runs, at most 440 bytes. Default none. */
  readonly bootCode?: Uint8Array;
  /** What cylinders, heads and sectors are counted on. Default {@link STANDARD_GEOMETRY}. */
  readonly geometry?: Geometry;
}

/** A partition as it will be written. */
export interface PlannedMbrPartition {
  readonly number: number;
  readonly bootable: boolean;
  readonly type: number;
  readonly firstLba: number;
  readonly sectors: number;
}

/** A logical partition as it will be written. */
export interface PlannedLogicalPartition extends PlannedMbrPartition {
  /** The sector of its extended boot record. */
  readonly recordLba: number;
}

/** A table that breaks no rule: plain data, from which {@link writeMbr} makes the bytes. */
export interface MbrPlan {
  readonly sectorSize: SectorSize;
  readonly sectors: number;
  readonly signature: number;
  readonly bootCode: Uint8Array;
  readonly geometry: Geometry;
  /** The primary partitions, by number. */
  readonly partitions: readonly PlannedMbrPartition[];
  /** The extended one of them. */
  readonly container: PlannedMbrPartition | undefined;
  /** The logical partitions, by number. */
  readonly logical: readonly PlannedLogicalPartition[];
}

/** The number of the first logical partition. */
export const FIRST_LOGICAL = 5;

/** Linux has no device for partitions past number 255. */
export const LOGICAL_LIMIT: number = 255 - FIRST_LOGICAL + 1;

/** The last sector, and the largest count, that 32 bits hold. */
const LAST_LBA = 0xffffffff;

/**
 * Checks a table and decides where everything lies.
 *
 * @throws DiskwrightError `INVALID_TABLE` when a rule of the format is broken, `INVALID_SPEC` when no rule is
 *   but a value is unusable. The error lists all that is wrong.
 */
export function planMbr(spec: MbrSpec): MbrPlan {
  checkArgument("spec", spec, mbrSpecKind);
  const { sectors, sectorSize = 512, signature, geometry = STANDARD_GEOMETRY } = spec;
  const bootCode = new Uint8Array(spec.bootCode ?? []);
  const findings = noFindings();
  const diskIsSound = checkDisk(sectors, sectorSize, findings);
  checkBootCode(bootCode, BOOT_CODE_SIZE, findings);
  checkSignature(signature, findings);
  const wrongGeometry = geometryProblem(geometry);
  if (wrongGeometry !== undefined) findings.unusable.push(wrongGeometry);

  const numbers = numberPartitions(
    spec.partitions.map(({ number }) => number),
    PRIMARY_ENTRIES,
    findings,
  );
  const partitions = spec.partitions.map((partition, index) => planned(partition, numbers[index]!));
  const logical = (spec.logical ?? []).map((partition, index) => planned(partition, FIRST_LOGICAL + index));
  checkLogicalNumbers(spec.logical ?? [], findings);

  const sound = new Set<PlannedMbrPartition>();
  for (const partition of [...partitions, ...logical]) {
    if (checkPartition(partition, diskIsSound ? sectors : undefined, findings)) sound.add(partition);
  }
  checkFlags([...partitions, ...logical], findings);
  checkOverlaps(
    partitions.filter((partition) => sound.has(partition)),
    findings,
  );
  const container = findContainer(partitions, logical, findings);
  let records: readonly number[] = [];
  if (container !== undefined && [container, ...logical].every((partition) => sound.has(partition))) {
    records = placeRecords(container, logical, sectorSize, findings.broken);
  }
  throwFindings("the MBR cannot be written", findings);
  return {
    sectorSize,
    sectors,
    signature,
    bootCode,
    geometry,
    partitions: partitions.sort((a, b) => a.number - b.number),
    container,
    logical: logical.map((partition, index) => ({ ...partition, recordLba: records[index]! })),
  };
}

function planned({ bootable = false, type, firstLba, sectors }: MbrPartitionSpec, number: number) {
  return { number, bootable, type, firstLba, sectors };
}

function checkSignature(signature: number, { unusable }: Findings): void {
  if (!Number.isInteger(signature) || signature < 0 || signature > 0xffffffff) {
    unusable.push(`the disk signature is ${signature}: give an integer from 1 to 2^32 - 1`);
  } else if (signature === 0) {
    unusable.push(
      "the disk signature is 0, which means that there is none, and Windows would write one: give an integer from 1 to 2^32 - 1",
    );
  }
}

function checkLogicalNumbers(logical: readonly MbrPartitionSpec[], { broken }: Findings): void {
  if (logical.length > LOGICAL_LIMIT) {
    broken.push(`there are ${logical.length} logical partitions: Linux sees at most ${LOGICAL_LIMIT}`);
  }
  for (const [index, { number, type }] of logical.entries()) {
    const expected = FIRST_LOGICAL + index;
    if (number !== undefined && number !== expected) {
      broken.push(`a logical partition has the number ${number}: by its place in the list it is ${expected}`);
    }
    if (isExtended(type)) {
      broken.push(`partition ${expected} is logical: it cannot have the extended type ${formatType(type)}`);
    }
  }
}

/** Checks what concerns one partition alone, and says whether its place makes sense. */
function checkPartition(
  { number, type, firstLba, sectors }: PlannedMbrPartition,
  diskSectors: number | undefined,
  { unusable, broken }: Findings,
): boolean {
  const who = `partition ${number}`;
  if (!Number.isInteger(type) || type < 0 || type > 255) {
    unusable.push(`${who} has the type ${type}: it is a byte`);
  } else if (type === 0) {
    broken.push(`${who} has the type 0x00, which marks an entry that is not used`);
  } else if (type === MBR_TYPES["gpt-protective"]) {
    broken.push(`${who} has the type 0xee, which announces a GPT: plan a GPT, it brings its protective MBR`);
  }
  const placed = unusable.length + broken.length;
  if (!Number.isSafeInteger(firstLba) || firstLba < 0) {
    unusable.push(`${who} starts at sector ${firstLba}: give a whole number`);
  } else if (firstLba === 0) {
    broken.push(`${who} starts at sector 0, where the table itself lies`);
  }
  if (!Number.isSafeInteger(sectors) || sectors < 0) {
    unusable.push(`${who} has ${sectors} sectors: give a whole number`);
  } else if (sectors === 0) {
    broken.push(`${who} has no sectors: it needs at least 1`);
  }
  if (unusable.length + broken.length > placed) return false;
  const lastLba = firstLba + sectors - 1;
  if (lastLba > LAST_LBA) {
    broken.push(
      `${who} ends at sector ${lastLba}: an MBR reaches up to ${LAST_LBA}, larger disks need a GPT`,
    );
    return false;
  }
  if (diskSectors !== undefined && lastLba >= diskSectors) {
    broken.push(`${who} ends at sector ${lastLba}, past the last sector of the disk, ${diskSectors - 1}`);
    return false;
  }
  return true;
}

function checkFlags(partitions: readonly PlannedMbrPartition[], { broken }: Findings): void {
  const active = partitions.filter(({ bootable }) => bootable).map(({ number }) => number);
  if (active.length > 1) broken.push(`partitions ${active.join(" and ")} are bootable: only one can be`);
}

function checkOverlaps(partitions: readonly PlannedMbrPartition[], { broken }: Findings): void {
  const ranges = partitions.map(({ number, firstLba, sectors }) => ({
    number,
    firstLba,
    lastLba: firstLba + sectors - 1,
  }));
  for (const [a, b] of overlaps(ranges)) {
    broken.push(
      `partition ${b.number} (sectors ${b.firstLba} to ${b.lastLba}) overlaps partition ${a.number} (${a.firstLba} to ${a.lastLba})`,
    );
  }
}

function findContainer(
  partitions: readonly PlannedMbrPartition[],
  logical: readonly PlannedMbrPartition[],
  { broken }: Findings,
): PlannedMbrPartition | undefined {
  const extended = partitions.filter(({ type }) => isExtended(type));
  if (extended.length > 1) {
    const numbers = extended.map(({ number }) => number).join(" and ");
    broken.push(`partitions ${numbers} are extended: only one can be`);
  }
  if (extended.length === 0 && logical.length > 0) {
    broken.push("there are logical partitions, but no extended partition (0x05, 0x0f, 0x85) that holds them");
  }
  return extended[0];
}
