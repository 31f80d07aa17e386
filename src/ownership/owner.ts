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

/**
 * What is wrong with an owner that is given by names, as chown(1) takes it for everything below a directory: there are
 * both a user and a group, or neither.
 */
export function ownerProblem(owner: {
  readonly user?: string | undefined;
  readonly group?: string | undefined;
}): string | undefined {
  const { user, group } = owner;
  if ((user === undefined) === (group === undefined)) return undefined;
  return user === undefined ? "group needs user beside it" : "user needs group beside it";
}
