import { type BigIntStats, lstatSync, statSync } from "node:fs";
import { isSystemError } from "./host-error.ts";

// To reach an entry over its open directory costs as much again as to look at it. By its path it is reached faster, and
// in the same place, as long as no directory on the way is changed: a directory in it can then not have become a
// symlink. A change sets the time of the last status change (st_ctime), which nobody can set back. That time has steps
// of up to 10 ms, and on old filesystems of a second or two: two changes within one step look like one. So what was
// changed only just now cannot be relied on.

const STEP_NANOSECONDS = 100_000_000n;

/** On filesystems whose times are whole seconds. */
const LONG_STEP_NANOSECONDS = 3_000_000_000n;

/** What was seen of a directory: which one it is, and when it was last changed. */
export type SeenDirectory = Pick<BigIntStats, "dev" | "ino" | "ctimeNs">;

/** Whether any further change of an entry, by its status of this moment, will be seen by its time. */
export function isSettled({ ctimeNs }: SeenDirectory): boolean {
  const now = BigInt(Date.now()) * 1_000_000n;
  const step = ctimeNs % 1_000_000_000n === 0n ? LONG_STEP_NANOSECONDS : STEP_NANOSECONDS;
  return ctimeNs < now - step;
}

/** A directory by whose path others were reached. */
interface Witness {
  readonly path: Buffer;
  readonly seen: SeenDirectory;
  readonly followsLink: boolean;
}

/** The directories by whose paths others were reached, none of which may have changed in the end. */
export class Witnesses {
  readonly #witnesses: Witness[] = [];

  add(path: Buffer, seen: SeenDirectory, followsLink: boolean): void {
    this.#witnesses.push({ path, seen, followsLink });
  }

  /** Whether all of them are where they were, and unchanged. */
  get areUnchanged(): boolean {
    return this.#witnesses.every(isUnchanged);
  }
}

function isUnchanged({ path, seen, followsLink }: Witness): boolean {
  try {
    const now = (followsLink ? statSync : lstatSync)(path, { bigint: true });
    return now.dev === seen.dev && now.ino === seen.ino && now.ctimeNs === seen.ctimeNs;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return false;
  }
}
