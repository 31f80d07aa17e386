import { DiskwrightError } from "../errors.ts";

/** An owner and group for every entry. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const LARGEST_ID = 2 ** 32 - 1;

/**
 * `UID:GID`, as numbers.
 *
 * @throws DiskwrightError `INVALID_SPEC`.
 */
export function parseOwner(text: string): Owner {
  const match = /^(\d+):(\d+)$/.exec(text);
  const [uid, gid] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || uid > LARGEST_ID || gid > LARGEST_ID) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `owner "${text}": use two numbers up to ${LARGEST_ID}, such as 0:0 or 1000:100`,
    );
  }
  return { uid, gid };
}
