import { appendAll, formatBytes } from "../bytes/index.ts";
import { throwProblems } from "../errors.ts";
import { type ByteSource, type Extent, readExactly } from "../extents/index.ts";
import { readGpt, writeGpt } from "../gpt/index.ts";
import type { ImagePlan, TablePlan } from "../image/index.ts";
import { BOOT_CODE_SIZE, formatType, readMbr, writeMbr } from "../mbr/index.ts";

/**
 * Checks that the partition table of a disk is still the one that was planned, to the byte. Boot code is no part of
 * it.
 *
 * @throws DiskwrightError `SOURCE_CHANGED` saying what differs.
 */
export async function checkTable(disk: ByteSource, plan: ImagePlan): Promise<void> {
  const differing: number[] = [];
  for (const { position, source } of tableExtents(plan.table)) {
    const planned = source as Uint8Array;
    const found = await readExactly(disk, position, planned.length, "the partition table");
    const from = position === 0 ? BOOT_CODE_SIZE : 0;
    for (let at = from; at < planned.length; at++) {
      if (found[at] === planned[at]) continue;
      differing.push(position + at);
      break;
    }
  }
  if (differing.length === 0) return;
  const changes = await tableChanges(disk, plan);
  const places = differing.map((at) => `it differs from the planned one at byte ${at} of the disk`);
  throwProblems(
    "SOURCE_CHANGED",
    "the partition table was changed, and is planned anew only as it was: change the layout instead",
    changes.length > 0 ? changes : places,
  );
}

function tableExtents(table: TablePlan): Iterable<Extent> {
  if (table.type === "gpt") return writeGpt(table.plan);
  return table.type === "mbr" ? writeMbr(table.plan) : [];
}

/** A partition as it is compared. */
type Facts = Readonly<Record<string, string | number>>;

async function tableChanges(disk: ByteSource, { table, image }: ImagePlan): Promise<string[]> {
  const { sectorSize } = image;
  if (table.type === "gpt") {
    const found = await readGpt(disk, { sectorSize });
    if (found === undefined) return ["there is no GPT any more"];
    const disks = { "disk GUID": table.plan.diskGuid };
    return [
      ...factChanges("the table", disks, { "disk GUID": found.diskGuid }),
      ...partitionChanges(factsOf(table.plan.partitions, gptFacts), factsOf(found.partitions, gptFacts)),
    ];
  }
  if (table.type === "none") return [];
  const found = await readMbr(disk, { sectorSize });
  if (found === undefined) return ["there is no MBR any more"];
  const planned = [...table.plan.partitions, ...table.plan.logical];
  return [
    ...factChanges("the table", { signature: table.plan.signature }, { signature: found.signature }),
    ...partitionChanges(factsOf(planned, mbrFacts), factsOf(found.partitions, mbrFacts)),
  ];
}

interface Numbered {
  readonly number: number;
}

function factsOf<Partition extends Numbered>(
  partitions: readonly Partition[],
  facts: (partition: Partition) => Facts,
): Map<number, Facts> {
  return new Map(partitions.map((partition) => [partition.number, facts(partition)]));
}

function gptFacts(partition: {
  readonly type: string;
  readonly guid: string;
  readonly firstLba: number;
  readonly lastLba: number;
  readonly name: string;
  readonly attributes: bigint;
}): Facts {
  const { type, guid, firstLba, lastLba, name, attributes } = partition;
  const shown = { name: `"${name}"`, attributes: `0x${attributes.toString(16)}` };
  return { "first sector": firstLba, "last sector": lastLba, type, GUID: guid, ...shown };
}

function mbrFacts(partition: {
  readonly type: number;
  readonly firstLba: number;
  readonly sectors: number;
  readonly bootable: boolean;
}): Facts {
  const { type, firstLba, sectors, bootable } = partition;
  const active = bootable ? "yes" : "no";
  return { "first sector": firstLba, "number of sectors": sectors, type: formatType(type), active };
}

function partitionChanges(planned: ReadonlyMap<number, Facts>, found: ReadonlyMap<number, Facts>): string[] {
  const changes: string[] = [];
  for (const [number, facts] of planned) {
    const now = found.get(number);
    if (now === undefined) changes.push(`partition ${number} is gone`);
    else appendAll(changes, factChanges(`partition ${number}`, facts, now));
  }
  for (const number of found.keys()) {
    if (!planned.has(number)) changes.push(`partition ${number} is new`);
  }
  return changes;
}

function factChanges(who: string, planned: Facts, now: Facts): string[] {
  return Object.entries(planned)
    .filter(([fact, value]) => now[fact] !== value)
    .map(([fact, value]) => `${who}: the ${fact} was ${value} and is ${now[fact]}`);
}

/** Checks that a disk has the size that was planned. */
export function checkDiskSize(disk: ByteSource, plan: ImagePlan): void {
  if (disk.size === plan.size) return;
  throwProblems("SOURCE_CHANGED", "the disk is not the one that was planned", [
    `it has ${formatBytes(disk.size)} instead of ${formatBytes(plan.size)}`,
  ]);
}
