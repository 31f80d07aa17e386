import { NIL_GUID, parseGuid, printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { type Findings, overlaps } from "../tables/index.ts";
import { attributesProblem } from "./attributes.ts";
import { nameProblem } from "./name.ts";
import type { GptPartitionSpec, PlannedGptPartition } from "./plan.ts";
import { insteadOfType, partitionTypeGuid } from "./types.ts";

// The rules that partitions have to keep. Every check adds what it finds, so that all of it is told at once.

/** Checks what concerns one partition alone, and fills in what the specification leaves out. */
export function checkPartition(
  { type, guid, firstLba, lastLba, name = "", attributes = 0n }: GptPartitionSpec,
  number: number,
  findings: Findings,
): PlannedGptPartition {
  const { unusable, broken } = findings;
  const who = title({ number, name });
  const wrongName = nameProblem(name);
  if (wrongName !== undefined) broken.push(`${who} has ${wrongName}`);
  const wrongAttributes = attributesProblem(attributes);
  if (wrongAttributes !== undefined) broken.push(`${who} has ${wrongAttributes}`);
  for (const [what, lba] of [
    ["starts", firstLba],
    ["ends", lastLba],
  ] as const) {
    if (!isSector(lba)) unusable.push(`${who} ${what} at sector ${lba}: give a whole number below 2^53`);
  }
  if (isSector(firstLba) && isSector(lastLba) && firstLba > lastLba) {
    broken.push(`${who} starts at sector ${firstLba}, after its last, ${lastLba}`);
  }
  return {
    number,
    type: checkType(type, who, findings),
    guid: checkGuid(guid, `the GUID of ${who}`, findings),
    firstLba,
    lastLba,
    name,
    attributes,
  };
}

function checkType(type: string, who: string, findings: Findings): string {
  const named = partitionTypeGuid(type);
  if (named !== undefined) return named;
  // Whatever has no hyphenated groups of digits was meant as a name.
  if (!/[0-9a-f]{4}-[0-9a-f]{4}/i.test(type)) {
    findings.unusable.push(
      `the type "${printable(utf8(type))}" of ${who} is not known: ${insteadOfType(type)}`,
    );
    return NIL_GUID;
  }
  return checkGuid(type, `the type GUID of ${who}`, findings);
}

/** The GUID in lower case; empty when the text is none. `what` names it in messages. */
export function checkGuid(text: string, what: string, { unusable, broken }: Findings): string {
  let guid = "";
  try {
    guid = parseGuid(text);
  } catch (error) {
    if (!(error instanceof DiskwrightError)) throw error;
    unusable.push(`${what}: ${error.message}`);
  }
  if (guid === NIL_GUID) broken.push(`${what} is nil: all zeros stand for none`);
  return guid;
}

/** Nothing but us looks at this: sgdisk, sfdisk and parted accept two partitions with one GUID. */
export function checkUniqueGuids(partitions: readonly PlannedGptPartition[], { broken }: Findings): void {
  const seen = new Map<string, PlannedGptPartition>();
  for (const partition of partitions) {
    if (partition.guid === "" || partition.guid === NIL_GUID) continue;
    const other = seen.get(partition.guid);
    if (other === undefined) seen.set(partition.guid, partition);
    else broken.push(`${title(partition)} has the GUID of ${title(other)}, ${partition.guid}`);
  }
}

/** Checks partitions that lie somewhere against what is usable, both ends included. */
export function checkRange(
  partitions: readonly PlannedGptPartition[],
  firstUsableLba: number,
  lastUsableLba: number,
  { broken }: Findings,
): void {
  const range = `partitions of this disk can use ${firstUsableLba} to ${lastUsableLba}`;
  for (const partition of partitions) {
    const { firstLba, lastLba } = partition;
    if (firstLba < firstUsableLba) broken.push(`${title(partition)} starts at sector ${firstLba}: ${range}`);
    if (lastLba > lastUsableLba) broken.push(`${title(partition)} ends at sector ${lastLba}: ${range}`);
  }
}

/** Checks partitions that lie somewhere against each other. */
export function checkOverlaps(partitions: readonly PlannedGptPartition[], { broken }: Findings): void {
  for (const [a, b] of overlaps(partitions)) {
    broken.push(
      `${title(b)} (sectors ${b.firstLba} to ${b.lastLba}) overlaps ${title(a)} (${a.firstLba} to ${a.lastLba})`,
    );
  }
}

/** A partition in a message. */
function title({ number, name }: { readonly number: number; readonly name: string }): string {
  return name === "" ? `partition ${number}` : `partition ${number} ("${printable(utf8(name))}")`;
}

/** Whether a number can be that of a sector. */
export function isSector(lba: number): boolean {
  return Number.isSafeInteger(lba) && lba >= 0;
}
