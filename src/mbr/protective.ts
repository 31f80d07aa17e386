import { checkArgument, kindOf } from "../arguments/index.ts";
import { overlaps } from "../tables/index.ts";
import { protectiveMbrKind } from "./arguments.ts";
import { chsAddress, STANDARD_GEOMETRY } from "./chs.ts";
import {
  ACTIVE,
  BOOT_SIGNATURE,
  bootRecord,
  bootRecordSector,
  isEmptyEntry,
  type PartitionEntry,
} from "./structures.ts";
import { formatType, MBR_TYPES } from "./types.ts";

/** What the sector in front of a GPT can hold beside its one partition. */
export interface ProtectiveMbrOptions {
  /** Bytes of a sector; the record fills its first 512. Default 512. */
  readonly sectorSize?: number;
  /** Whether the partition is active: some BIOSes start nothing else, some UEFIs then see no GPT. */
  readonly bootable?: boolean;
  /** Boot code for BIOSes, at most 440 bytes. */
  readonly bootCode?: Uint8Array;
  /** Partitions of the GPT that are in the MBR too, at most three, in ascending order. */
  readonly hybrid?: readonly HybridEntry[];
  /** Whether the protective partition has the first entry, or the one behind the others. Default `last`. */
  readonly protectiveEntry?: ProtectiveEntry;
}

/**
 * Which entry of a hybrid MBR the protective partition has. Firmware of old Raspberry Pis reads the first entry only,
 * and must find its FAT there.
 */
export type ProtectiveEntry = "first" | "last";

/** A partition of a GPT as an MBR has it. */
export interface HybridEntry {
  /** The type byte. */
  readonly type: number;
  readonly firstLba: number;
  readonly sectors: number;
  readonly bootable: boolean;
}

/** The largest value of a 32-bit field: "the whole disk" where the disk is larger. */
const SIZE_LIMIT = 0xffffffff;

const diskSectors = kindOf(
  "a whole number of at least 2",
  (value) => Number.isSafeInteger(value) && (value as number) >= 2,
);

/**
 * The first sector of a GPT disk of `sectors` sectors: an MBR with one partition over all the rest, so that
 * programs that know no GPT see no free space (UEFI 2.10 §5.2.3). The last address is given as FF FF FF, as
 * parted and sfdisk do, not as the true one: the specification allows both.
 *
 * In a hybrid, which no specification knows, the protective partition ends before the first of the others, as gdisk
 * has it; Linux, EDK2 and GRUB look for it in all four entries. What lies between the others and behind them is not
 * protected.
 */
export function protectiveMbr(sectors: number, options: ProtectiveMbrOptions = {}): Uint8Array {
  checkArgument("sectors", sectors, diskSectors);
  checkArgument("options", options, protectiveMbrKind);
  const { hybrid = [], protectiveEntry = "last" } = options;
  const entry: PartitionEntry = {
    status: options.bootable ? ACTIVE : 0,
    firstChs: Uint8Array.of(0x00, 0x02, 0x00),
    type: MBR_TYPES["gpt-protective"],
    lastChs: Uint8Array.of(0xff, 0xff, 0xff),
    firstLba: 1,
    sectors: Math.min((hybrid[0]?.firstLba ?? sectors) - 1, SIZE_LIMIT),
  };
  const { bootCode } = options;
  const others = hybrid.map(hybridEntry);
  const entries = protectiveEntry === "first" ? [entry, ...others] : [...others, entry];
  return bootRecordSector(options.sectorSize ?? 512, entries, bootCode === undefined ? {} : { bootCode });
}

function hybridEntry({ type, firstLba, sectors, bootable }: HybridEntry): PartitionEntry {
  return {
    status: bootable ? ACTIVE : 0,
    firstChs: chsAddress(firstLba, STANDARD_GEOMETRY),
    type,
    lastChs: chsAddress(firstLba + sectors - 1, STANDARD_GEOMETRY),
    firstLba,
    sectors,
  };
}

/** The entries of an MBR beside the protective one; none where that is missing. */
export function hybridEntries(sector: Uint8Array): HybridEntry[] {
  const { partitions } = bootRecord.fromBytes(sector);
  if (!partitions.some(isProtective)) return [];
  return partitions
    .filter((entry) => entry.type !== 0 && !isProtective(entry))
    .map(({ type, firstLba, sectors, status }) => ({ type, firstLba, sectors, bootable: status === ACTIVE }));
}

/** Where the protective partition of a hybrid is; `undefined` where no other partition is beside it. */
export function protectiveEntryOf(sector: Uint8Array): ProtectiveEntry | undefined {
  if (hybridEntries(sector).length === 0) return undefined;
  const [first] = bootRecord.fromBytes(sector).partitions.filter(({ type }) => type !== 0);
  return isProtective(first!) ? "first" : "last";
}

/**
 * What is wrong with the first sector of a GPT disk of `sectors` sectors, one line for each finding. Without
 * a sound protective MBR, kernels and firmware take the disk for one without a GPT.
 */
export function protectiveMbrProblems(sector: Uint8Array, sectors: number): string[] {
  const { partitions, bootSignature } = bootRecord.fromBytes(sector);
  if (bootSignature !== BOOT_SIGNATURE)
    return ["the protective MBR is missing: sector 0 does not end in 55 AA"];
  // gdisk can protect what lies behind a hybrid's partitions too. The one that counts is that at LBA 1.
  const protective =
    partitions.find((entry) => isProtective(entry) && entry.firstLba === 1) ?? partitions.find(isProtective);
  if (protective === undefined) {
    return ["the protective MBR is missing: sector 0 has no partition of type 0xee"];
  }
  const problems: string[] = [];
  if (protective.firstLba !== 1) {
    problems.push(`the protective MBR starts at LBA ${protective.firstLba}, it should start at 1`);
  }
  const others = partitions.filter((entry) => entry !== protective && !isEmptyEntry(entry));
  if (others.length > 0) return [...problems, ...hybridProblems([protective, ...others])];
  const expected = Math.min(sectors - 1, SIZE_LIMIT);
  // Windows writes the limit on disks of every size, and Linux takes it.
  if (protective.sectors !== expected && protective.sectors !== SIZE_LIMIT) {
    problems.push(`the protective MBR covers ${protective.sectors} sectors, it should cover ${expected}`);
  }
  return problems;
}

/** What is wrong between the entries of a hybrid. */
function hybridProblems(entries: readonly PartitionEntry[]): string[] {
  const problems: string[] = [];
  if (entries.some(({ type }) => type === 0)) {
    problems.push("the MBR has an entry with data, but the type 0x00 of one that is not used");
  }
  const active = entries.filter(({ status }) => status === ACTIVE);
  if (active.length > 1) problems.push(`${active.length} partitions of the MBR are active: only one can be`);
  const ranges = entries.map((entry) => ({
    type: formatType(entry.type),
    firstLba: entry.firstLba,
    lastLba: entry.firstLba + entry.sectors - 1,
  }));
  for (const [a, b] of overlaps(ranges)) {
    problems.push(
      `in the MBR the partition of type ${b.type} (sectors ${b.firstLba} to ${b.lastLba}) overlaps that of type ${a.type} (${a.firstLba} to ${a.lastLba})`,
    );
  }
  return problems;
}

function isProtective({ type }: PartitionEntry): boolean {
  return type === MBR_TYPES["gpt-protective"];
}
