import { DiskwrightError } from "../../errors.ts";

// POSIX ACLs. getxattr(2) gives them in version 2: every entry has an id. On disk they have version 1, where
// only the entries of named users and groups have one, and a kernel counts the entries from the size alone.

const HEADER_SIZE = 4;
const SHORT_SIZE = 4;
const LONG_SIZE = 8;
const VERSION = 2;
const DISK_VERSION = 1;
/** The id of an entry that names nobody. */
const NO_ID = 0xffffffff;

/** Who an entry is for, in the order in which an ACL has them. */
const TAG = {
  owner: 0x01,
  user: 0x02,
  group: 0x04,
  namedGroup: 0x08,
  mask: 0x10,
  others: 0x20,
} as const;

const KNOWN_TAGS: ReadonlySet<number> = new Set(Object.values(TAG));

function isNamed(tag: number): boolean {
  return tag === TAG.user || tag === TAG.namedGroup;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * What is wrong with an ACL in the form of getxattr, or `undefined`: setxattr(2) refuses the same. A kernel
 * that found such an ACL on a disk would not let anyone at the file.
 */
export function aclProblem(value: Uint8Array): string | undefined {
  const view = viewOf(value);
  if (value.length < HEADER_SIZE || view.getUint32(0, true) !== VERSION) return "is not of version 2";
  if ((value.length - HEADER_SIZE) % LONG_SIZE !== 0) return "ends in the middle of an entry";
  const counts = new Map<number, number>();
  let last = 0;
  for (let at = HEADER_SIZE; at < value.length; at += LONG_SIZE) {
    const tag = view.getUint16(at, true);
    const permissions = view.getUint16(at + 2, true);
    if (!KNOWN_TAGS.has(tag)) return `has an entry of the unknown kind 0x${tag.toString(16)}`;
    if (permissions > 7) return `grants the impossible permissions 0${permissions.toString(8)}`;
    if (tag < last) return "has its entries in the wrong order";
    if (isNamed(tag) && view.getUint32(at + 4, true) === NO_ID)
      return "has an entry of a user or group without an id";
    counts.set(tag, (counts.get(tag) ?? 0) + 1);
    last = tag;
  }
  for (const tag of [TAG.owner, TAG.group, TAG.others]) {
    if (counts.get(tag) !== 1) return "needs one entry each for the owner, the group and others";
  }
  const masks = counts.get(TAG.mask) ?? 0;
  if (masks > 1) return "has more than one mask";
  if (masks === 0 && (counts.has(TAG.user) || counts.has(TAG.namedGroup))) {
    return "needs a mask beside its entries of users or groups";
  }
  return undefined;
}

/** An ACL that has no {@link aclProblem} in the form of the disk. */
export function aclToDisk(value: Uint8Array): Uint8Array {
  const view = viewOf(value);
  const stored = new Uint8Array(value.length);
  const storedView = viewOf(stored);
  storedView.setUint32(0, DISK_VERSION, true);
  let end = HEADER_SIZE;
  for (let at = HEADER_SIZE; at < value.length; at += LONG_SIZE) {
    storedView.setUint32(end, view.getUint32(at, true), true);
    end += SHORT_SIZE;
    if (!isNamed(view.getUint16(at, true))) continue;
    storedView.setUint32(end, view.getUint32(at + 4, true), true);
    end += LONG_SIZE - SHORT_SIZE;
  }
  return stored.slice(0, end);
}

/**
 * An ACL from a disk in the form that getxattr gives.
 *
 * @throws DiskwrightError `CORRUPT`.
 */
export function aclFromDisk(stored: Uint8Array): Uint8Array {
  const view = viewOf(stored);
  if (stored.length < HEADER_SIZE || view.getUint32(0, true) !== DISK_VERSION) {
    throw new DiskwrightError("CORRUPT", "an ACL is not of version 1, which ext4 stores");
  }
  // No entry grows to more than twice its size.
  const value = new Uint8Array(2 * stored.length);
  const valueView = viewOf(value);
  valueView.setUint32(0, VERSION, true);
  let end = HEADER_SIZE;
  for (let at = HEADER_SIZE; at < stored.length; ) {
    const tag = at + SHORT_SIZE <= stored.length ? view.getUint16(at, true) : 0;
    const size = isNamed(tag) ? LONG_SIZE : SHORT_SIZE;
    if (!KNOWN_TAGS.has(tag) || at + size > stored.length) {
      throw new DiskwrightError("CORRUPT", `an ACL is damaged at byte ${at}`);
    }
    valueView.setUint32(end, view.getUint32(at, true), true);
    valueView.setUint32(end + 4, isNamed(tag) ? view.getUint32(at + 4, true) : NO_ID, true);
    at += size;
    end += LONG_SIZE;
  }
  return value.slice(0, end);
}
