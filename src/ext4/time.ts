// Times of an inode: 32 signed bits of seconds, then 30 bits of nanoseconds and 2 bits that extend the
// seconds upwards (inodes.rst, "Inode Timestamps").

/** 1901-12-13T20:45:52Z, the first second that an inode can hold. */
const EARLIEST_TIME: number = -(2 ** 31);
/** 2446-05-10T22:38:55Z, the last one. */
const LATEST_TIME: number = 2 ** 34 - 2 ** 31 - 1;

/**
 * From 2310-04-04 to 2378-04-22 the bits are those that old kernels wrote for times before 1970; e2fsck says
 * so for every such inode.
 */
function isTakenForOld(seconds: number): boolean {
  return seconds >= 3 * 2 ** 32 - 2 ** 31 && seconds < 3 * 2 ** 32;
}

/** The last second that an inode of 128 bytes can hold: 2038-01-19T03:14:07Z. */
const LATEST_SHORT_TIME = 2 ** 31 - 1;

/** The range of seconds that an inode of this size can hold. */
export function timeRange(inodeSize: number): { readonly earliest: number; readonly latest: number } {
  return { earliest: EARLIEST_TIME, latest: inodeSize > 128 ? LATEST_TIME : LATEST_SHORT_TIME };
}

/** What is to be told of a time that an inode cannot hold, or that e2fsck takes for another. */
export function timeWarning(seconds: number, inodeSize: number): string | undefined {
  const { earliest, latest } = timeRange(inodeSize);
  if (seconds < earliest || seconds > latest) {
    const end = latest === LATEST_TIME ? "2446-05-10" : "2038-01-19";
    return `the time lies outside of 1901-12-13 … ${end}, what an inode can hold, and is moved to the nearer end`;
  }
  if (isTakenForOld(seconds)) return "e2fsck takes times from 2310-04-04 to 2378-04-22 for times before 1970";
  return undefined;
}

/** The low 32 bits of the seconds. */
export function timeLow(seconds: number): number {
  return seconds >>> 0 === seconds ? seconds : Number(BigInt.asUintN(32, BigInt(seconds)));
}

/** The word of the nanoseconds and of the two bits above the seconds. */
export function timeExtra(seconds: number, nanoseconds: number): number {
  const epoch = Math.floor((seconds + 2 ** 31) / 2 ** 32);
  return ((nanoseconds << 2) | (epoch & 3)) >>> 0;
}

/** The seconds and nanoseconds of an inode's two words. */
export function timeFrom(
  low: number,
  extra: number,
): { readonly seconds: number; readonly nanoseconds: number } {
  return { seconds: (low | 0) + (extra & 3) * 2 ** 32, nanoseconds: extra >>> 2 };
}
