import type { EntryType } from "./entry.ts";

// The bits of a POSIX mode, as stat(2) and ext4 inodes hold them.

/** The mask of the file type. */
export const TYPE_MASK = 0o170000;
export const SOCKET = 0o140000;
export const SYMLINK = 0o120000;
export const FILE = 0o100000;
export const BLOCK_DEVICE = 0o060000;
export const DIRECTORY = 0o040000;
export const CHARACTER_DEVICE = 0o020000;
export const FIFO = 0o010000;

/** The mask of the permission bits, with setuid, setgid and sticky. */
export const PERMISSION_MASK = 0o7777;

const TYPE_BITS: Readonly<Record<Exclude<EntryType, "hardlink">, number>> = {
  file: FILE,
  directory: DIRECTORY,
  symlink: SYMLINK,
  character: CHARACTER_DEVICE,
  block: BLOCK_DEVICE,
  fifo: FIFO,
  socket: SOCKET,
};

/** The type bits of an entry type. */
export function typeBits(type: Exclude<EntryType, "hardlink">): number {
  return TYPE_BITS[type];
}

/** The types by the four bits that stand for them. */
const TYPES: readonly (Exclude<EntryType, "hardlink"> | undefined)[] = Array.from(
  { length: 16 },
  (_, bits) => {
    const types = Object.keys(TYPE_BITS) as Exclude<EntryType, "hardlink">[];
    return types.find((type) => TYPE_BITS[type] === bits << 12);
  },
);

/** The entry type that a mode's type bits stand for, or `undefined` when they stand for none. */
export function typeOfMode(mode: number): Exclude<EntryType, "hardlink"> | undefined {
  return TYPES[(mode & TYPE_MASK) >>> 12];
}
