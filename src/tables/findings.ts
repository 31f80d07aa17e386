import { throwProblems } from "../errors.ts";

/** What is wrong with the specification of a partition table. */
export interface Findings {
  /** Values that mean nothing: a GUID that is none, a fraction of a sector. */
  readonly unusable: string[];
  /** Values that mean something which the format forbids. */
  readonly broken: string[];
}

/** Nothing is wrong yet. */
export function noFindings(): Findings {
  return { unusable: [], broken: [] };
}

/** Whether anything was found. */
export function hasFindings({ unusable, broken }: Findings): boolean {
  return unusable.length + broken.length > 0;
}

/** Throws one error for all that was found: `INVALID_TABLE`, or `INVALID_SPEC` when no rule was broken. */
export function throwFindings(heading: string, { unusable, broken }: Findings): void {
  throwProblems(broken.length > 0 ? "INVALID_TABLE" : "INVALID_SPEC", heading, [...unusable, ...broken]);
}

/** Bytes of one logical sector. */
export type SectorSize = 512 | 4096;

/** Checks the size of a disk, and that every byte of it has an exact position. */
export function checkDisk(sectors: number, sectorSize: number, findings: Findings): boolean {
  const before = findings.unusable.length;
  if (sectorSize !== 512 && sectorSize !== 4096) {
    findings.unusable.push(`the sector size is ${sectorSize}: it can be 512 or 4096`);
  }
  if (!Number.isSafeInteger(sectors) || sectors < 1) {
    findings.unusable.push(`the disk has ${sectors} sectors: give a whole number of at least 1`);
  } else if (!Number.isSafeInteger(sectors * sectorSize)) {
    findings.unusable.push(`the disk has ${sectors} sectors: more than 2^53 bytes cannot be addressed`);
  }
  return findings.unusable.length === before;
}

/** Checks boot code that goes in front of the disk signature. */
export function checkBootCode(bootCode: Uint8Array, limit: number, findings: Findings): void {
  if (bootCode.length > limit) {
    findings.unusable.push(
      `the boot code has ${bootCode.length} bytes: at most ${limit} fit before the table`,
    );
  }
}

/**
 * Gives every partition the number of its entry: the one that was asked for, else the lowest that nobody
 * asked for, in the order of the list.
 */
export function numberPartitions(
  wanted: readonly (number | undefined)[],
  entries: number,
  findings: Findings,
): number[] {
  if (wanted.length > entries) {
    findings.broken.push(`there are ${wanted.length} partitions, but the table has room for ${entries}`);
  }
  const taken = new Set<number>();
  for (const number of wanted) {
    if (number === undefined) continue;
    if (!Number.isInteger(number) || number < 1 || number > entries) {
      findings.broken.push(`a partition has the number ${number}: they go from 1 to ${entries}`);
    } else if (taken.has(number)) {
      findings.broken.push(`two partitions have the number ${number}`);
    }
    taken.add(number);
  }
  let next = 1;
  return wanted.map((number) => {
    if (number !== undefined) return number;
    while (taken.has(next)) next++;
    return next++;
  });
}
