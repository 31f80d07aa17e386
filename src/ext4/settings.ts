import { byteKey, formatSize, printable, utf8, utf8Text } from "../bytes/index.ts";
import { instead } from "../tables/index.ts";
import { refuse } from "./refuse.ts";
import type { Superblock } from "./structures.ts";

/** What a kernel does when it finds the filesystem damaged (tune2fs -e). */
export type ErrorBehaviour = "continue" | "remount-ro" | "panic";

/** A mount option that can be a default of the filesystem (tune2fs -o). */
export type DefaultMountOption = keyof typeof MOUNT_OPTION_BITS;

/** What the superblock says that changes nothing in how the filesystem is laid out. */
export interface SettingsOptions {
  /** Up to 16 bytes of UTF-8. Default: none. */
  readonly label?: string | undefined;
  /** The directory on which it says it was last mounted, up to 64 bytes. Default: none. */
  readonly lastMounted?: string | undefined;
  /** Default: continue. */
  readonly errors?: ErrorBehaviour | undefined;
  /** Default: `user_xattr` and `acl`, as mke2fs has it. */
  readonly defaultMountOptions?: readonly DefaultMountOption[] | undefined;
  /** Further mount options as mount(8) takes them, up to 64 bytes. Default: none. */
  readonly mountOptions?: string | undefined;
  /** Check after so many mounts. Default: never. */
  readonly checkAfterMounts?: number | undefined;
  /** Check when the last one is so many seconds ago. Default: never. */
  readonly checkInterval?: number | undefined;
  /** Who besides root may fill the reserved blocks. Default: root alone. */
  readonly reservedFor?: { readonly uid: number; readonly gid: number } | undefined;
  /** RAID: blocks that one disk holds in a row, and blocks of a whole stripe. Default: not said. */
  readonly stride?: number | undefined;
  readonly stripeWidth?: number | undefined;
}

/** The same, settled: the values of the fields. */
export interface Settings {
  readonly label: Uint8Array;
  readonly lastMounted: Uint8Array;
  readonly errorBehaviour: number;
  readonly defaultMountOptions: number;
  readonly mountOptions: Uint8Array;
  readonly maximumMountCount: number;
  readonly checkInterval: number;
  readonly reservedUid: number;
  readonly reservedGid: number;
  readonly stride: number;
  readonly stripeWidth: number;
}

const ERROR_BEHAVIOURS: Readonly<Record<ErrorBehaviour, number>> = {
  continue: 1,
  "remount-ro": 2,
  panic: 3,
};

/** s_default_mount_opts (super.rst). The three of the journal share two bits. */
const MOUNT_OPTION_BITS = {
  debug: 0x1,
  bsdgroups: 0x2,
  user_xattr: 0x4,
  acl: 0x8,
  uid16: 0x10,
  journal_data: 0x20,
  journal_data_ordered: 0x40,
  journal_data_writeback: 0x60,
  nobarrier: 0x100,
  block_validity: 0x200,
  discard: 0x400,
  nodelalloc: 0x800,
} as const;

const JOURNAL_MODES = 0x60;
/** No check after so many mounts. */
const NEVER = 0xffff;

/**
 * Settles what the superblock says.
 *
 * @throws DiskwrightError `INVALID_FILESYSTEM` for what it has no room for.
 */
export function settingsOf(options: SettingsOptions): Settings {
  const { errors = "continue", defaultMountOptions = ["user_xattr", "acl"] } = options;
  const behaviour = ERROR_BEHAVIOURS[errors];
  if (behaviour === undefined) refuse(`behaviour on errors "${errors}": use continue, remount-ro or panic`);
  const { uid, gid } = options.reservedFor ?? { uid: 0, gid: 0 };
  return {
    label: text("label", options.label, 16),
    lastMounted: text("place of the last mount", options.lastMounted, 64),
    errorBehaviour: behaviour,
    defaultMountOptions: mountOptionBits(defaultMountOptions),
    mountOptions: text("mount options", options.mountOptions, 63),
    maximumMountCount:
      options.checkAfterMounts === undefined
        ? NEVER
        : number("mounts between checks", options.checkAfterMounts, 1, NEVER - 1),
    checkInterval: number("seconds between checks", options.checkInterval ?? 0, 0, 2 ** 32 - 1),
    reservedUid: number("user of the reserved blocks", uid, 0, 2 ** 16 - 1),
    reservedGid: number("group of the reserved blocks", gid, 0, 2 ** 16 - 1),
    stride: number("stride in blocks", options.stride ?? 0, 0, 2 ** 16 - 1),
    stripeWidth: number("stripe width in blocks", options.stripeWidth ?? 0, 0, 2 ** 32 - 1),
  };
}

/** What a superblock says, as it would be asked for; the label is not among it. Unknown bits are left out. */
export function settingsFrom(superblock: Superblock): SettingsOptions {
  const { errorBehaviour, defaultMountOptions, maximumMountCount, checkInterval } = superblock;
  const { reservedUid: uid, reservedGid: gid, raidStride, raidStripeWidth } = superblock;
  const errors = (Object.keys(ERROR_BEHAVIOURS) as ErrorBehaviour[]).find(
    (name) => ERROR_BEHAVIOURS[name] === errorBehaviour,
  );
  const isNever = maximumMountCount === NEVER || maximumMountCount === 0;
  return {
    lastMounted: textFrom(superblock.lastMounted),
    errors,
    defaultMountOptions: mountOptionNames(defaultMountOptions),
    mountOptions: textFrom(superblock.mountOptions),
    checkAfterMounts: isNever ? undefined : maximumMountCount,
    checkInterval,
    reservedFor: { uid, gid },
    stride: raidStride,
    stripeWidth: raidStripeWidth,
  };
}

function mountOptionNames(bits: number): DefaultMountOption[] {
  return (Object.keys(MOUNT_OPTION_BITS) as DefaultMountOption[]).filter((name) => {
    const bit = MOUNT_OPTION_BITS[name];
    return (bit & JOURNAL_MODES) === 0 ? (bits & bit) !== 0 : (bits & JOURNAL_MODES) === bit;
  });
}

/** Text up to the first NUL; bytes that are no UTF-8 are taken for single characters. */
export function textFrom(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const text = end < 0 ? bytes : bytes.subarray(0, end);
  return utf8Text(text) ?? byteKey(text);
}

function mountOptionBits(names: readonly DefaultMountOption[]): number {
  let bits = 0;
  for (const name of names) {
    const bit = MOUNT_OPTION_BITS[name];
    if (bit === undefined) {
      const all = Object.keys(MOUNT_OPTION_BITS);
      refuse(
        `there is no default mount option "${printable(utf8(name))}": ${instead(name, all, all.join(", "))}`,
      );
    }
    if ((bit & JOURNAL_MODES) !== 0 && (bits & JOURNAL_MODES) !== 0) {
      refuse(`${names.join(", ")}: a filesystem has one mode of its journal`);
    }
    bits |= bit;
  }
  return bits;
}

function text(what: string, value = "", limit: number): Uint8Array {
  const bytes = utf8(value);
  if (bytes.length > limit || value.includes("\0")) {
    refuse(
      `ext4 ${what} "${printable(bytes)}" has ${bytes.length} bytes: it can have ${limit}, none of them NUL`,
    );
  }
  return bytes;
}

function number(what: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    refuse(`${what}: ${value} is not within ${least} … ${most}`);
  }
  return value;
}

/** Refuses a size that cannot be: a negative one, a fraction, one beyond `most` bytes. */
export function checkSize(
  what: string,
  value: number | undefined,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) return;
  const limits =
    most === Number.MAX_SAFE_INTEGER
      ? `at least ${formatSize(least)}`
      : `${formatSize(least)} … ${formatSize(most)}`;
  refuse(`${what} of ${value} bytes: use ${limits}`);
}
