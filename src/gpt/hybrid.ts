import { formatType, type HybridEntry, isExtended, MBR_TYPES } from "../mbr/index.ts";
import type { Findings } from "../tables/index.ts";
import type { HybridSpec, PlannedGptPartition } from "./plan.ts";

/** Entries of an MBR beside the protective one. */
const MOST_ENTRIES = 3;

/** The last sector that 32 bits hold. */
const LAST_LBA = 0xffffffff;

/**
 * Checks which partitions are to be in the MBR too, and gives their entries in the order in which they lie.
 * `protectiveIsActive`: whether the protective partition beside them is.
 */
export function checkHybrid(
  hybrid: readonly HybridSpec[],
  partitions: readonly PlannedGptPartition[],
  protectiveIsActive: boolean,
  { unusable, broken }: Findings,
): HybridEntry[] {
  if (hybrid.length > MOST_ENTRIES) {
    broken.push(`${hybrid.length} partitions are to be in the MBR too: it has room for ${MOST_ENTRIES}`);
  }
  const active = hybrid.filter(({ bootable }) => bootable).map(({ number }) => String(number));
  if (protectiveIsActive) active.unshift("0xee");
  if (active.length > 1) {
    broken.push(`partitions ${active.join(" and ")} are bootable in the MBR: only one can be`);
  }
  const entries: HybridEntry[] = [];
  const seen = new Set<number>();
  for (const { number, type, bootable = false } of hybrid) {
    const partition = partitions.find((candidate) => candidate.number === number);
    const who = `partition ${number}`;
    if (partition === undefined) unusable.push(`${who} is to be in the MBR too, but is not in the GPT`);
    else if (seen.has(number)) unusable.push(`${who} is to be in the MBR twice`);
    else if (!Number.isInteger(type) || type < 1 || type > 255) {
      unusable.push(`${who} has the type ${type} in the MBR: it is a byte, and not 0`);
    } else if (type === MBR_TYPES["gpt-protective"] || isExtended(type)) {
      broken.push(`${who} cannot have the type ${formatType(type)} in the MBR: use that of what it holds`);
    } else if (partition.lastLba > LAST_LBA) {
      broken.push(
        `${who} ends at sector ${partition.lastLba}: the MBR, where it is to be too, reaches up to ${LAST_LBA}`,
      );
    } else {
      const { firstLba, lastLba } = partition;
      entries.push({ type, firstLba, sectors: lastLba - firstLba + 1, bootable });
    }
    seen.add(number);
  }
  return entries.sort((a, b) => a.firstLba - b.firstLba);
}

/** A partition of the GPT that the MBR has as well. */
export interface FoundHybrid {
  readonly number: number;
  readonly type: number;
  readonly bootable: boolean;
}

/** The partitions that entries of the MBR stand for; an entry that stands for none is a problem. */
export function matchHybrid(
  entries: readonly HybridEntry[],
  partitions: readonly { readonly number: number; readonly firstLba: number; readonly lastLba: number }[],
  problems: string[],
): FoundHybrid[] {
  return entries.flatMap(({ type, firstLba, sectors, bootable }) => {
    const lastLba = firstLba + sectors - 1;
    const same = partitions.find(
      (partition) => partition.firstLba === firstLba && partition.lastLba === lastLba,
    );
    if (same !== undefined) return [{ number: same.number, type, bootable }];
    problems.push(
      `the MBR has a partition of type ${formatType(type)} at sectors ${firstLba} to ${lastLba}, which the GPT does not have`,
    );
    return [];
  });
}
