import { type Disk, rawDisk } from "../container/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { ByteSource } from "../extents/index.ts";
import { portableUnpackers, type Unpackers } from "../packing/index.ts";

/** What {@link openDisk} can be told. */
export interface OpenDiskOptions {
  /** The format, where the first bytes are not to be believed. Default: what they say, else raw. */
  readonly format?: ReadableFormat | undefined;
  /** What unpacks, loaded when it is needed. Default: packages. */
  readonly unpackers?: (() => Promise<Unpackers>) | undefined;
  /**
   * Opens the disk that a qcow2 is a difference to, by its name, as what the qcow2 says that it is. Without it,
   * such files are refused.
   */
  readonly backing?: ((name: string, format: string | undefined) => Promise<ByteSource>) | undefined;
}

/** How a format is known and opened. Its room looks more closely, and is loaded only when it is asked. */
interface Opener {
  /** Whether a file could be of the format, by its first 512 bytes and its last. */
  mayBe(start: Uint8Array, end: Uint8Array): boolean;
  open(file: ByteSource, options: OpenDiskOptions): Promise<Disk | undefined>;
}

/** Who opens what, in the order in which they are asked. A raw image is what nobody knows. */
const OPENERS = {
  qcow2: {
    mayBe: (start) => has(start, 0, "QFI"),
    async open(file, { unpackers = portableUnpackers, backing }) {
      const { openQcow2 } = await import("../qcow2/index.ts");
      return openQcow2(file, { unpackers: await unpackers(), backing });
    },
  },
  vmdk: {
    mayBe: (start) =>
      has(start, 0, "KDMV") || has(start, 0, "COWD") || has(start, 0, "# Disk DescriptorFile"),
    async open(file, { unpackers = portableUnpackers }) {
      const { openVmdk } = await import("../vmdk/index.ts");
      return openVmdk(file, await unpackers());
    },
  },
  vhdx: {
    mayBe: (start) => has(start, 0, "vhdxfile"),
    open: async (file) => (await import("../vhdx/index.ts")).openVhdx(file),
  },
  vdi: {
    mayBe: (start) => has(start, 0x40, "\x7f\x10\xda\xbe"),
    open: async (file) => (await import("../vdi/index.ts")).openVdi(file),
  },
  vpc: {
    // The footer of old versions has 511 bytes.
    mayBe: (start, end) => has(start, 0, "conectix") || has(end, 0, "conectix") || has(end, 1, "conectix"),
    open: async (file) => (await import("../vpc/index.ts")).openVpc(file),
  },
  "android-sparse": {
    mayBe: (start) => has(start, 0, "\x3a\xff\x26\xed"),
    open: async (file) => (await import("../simg/index.ts")).openSimg(file),
  },
  raw: {
    mayBe: () => true,
    async open(file) {
      const start = await file.read(0, Math.min(file.size, LOOKED_AT));
      return { ...rawDisk(file), problems: has(start, 0, "LUKS\xba\xbe") ? [ENCRYPTED] : [] };
    },
  },
} as const satisfies Readonly<Record<string, Opener>>;

const ENCRYPTED = "it is encrypted as a whole (LUKS): what is copied is what is encrypted";

/** How files start that hold a disk, or a file that does, and are not read; what they are, and what unpacks them. */
const NOT_READ: readonly (readonly [magic: string, what: string, remedy: string])[] = [
  ["QED\0", "a QED image", "qemu-img convert"],
  ["WithoutFreeSpace", "a Parallels image", "qemu-img convert"],
  ["WithouFreSpacExt", "a Parallels image", "qemu-img convert"],
  ["PK\x03\x04", "a zip", "unzip"],
  ["7z\xbc\xaf\x27\x1c", "a 7z", "7zz x"],
];

/** Whether bytes hold a magic, given as characters of one byte each. */
function has(bytes: Uint8Array, offset: number, magic: string): boolean {
  return Array.from(magic).every((character, index) => bytes[offset + index] === character.charCodeAt(0));
}

/** The formats that are read from a file at any place. */
export type ReadableFormat = keyof typeof OPENERS;

export const READABLE_FORMATS: readonly ReadableFormat[] = Object.keys(OPENERS) as ReadableFormat[];

/** What of a file's start and end tells its format, in bytes. */
const LOOKED_AT = 512;

/**
 * Opens the disk in a file: that of the format that its first bytes tell, else the file itself.
 *
 * @throws DiskwrightError `CORRUPT` for a container that breaks the rules, `UNSUPPORTED_IMAGE` for a kind
 *   that is not read, or when the file is not of the format that it should be.
 */
export async function openDisk(file: ByteSource, options: OpenDiskOptions = {}): Promise<Disk> {
  const { format } = options;
  const size = Math.min(file.size, LOOKED_AT);
  const [start, end] = [await file.read(0, size), await file.read(file.size - size, size)];
  const foreign = NOT_READ.find(([magic]) => format === undefined && has(start, 0, magic));
  if (foreign !== undefined) {
    const [, what, remedy] = foreign;
    throw new DiskwrightError(
      "UNSUPPORTED_IMAGE",
      `it is ${what}, which is not read: make a raw image of it first (${remedy}), or take its bytes for those of a disk (--from raw)`,
    );
  }
  for (const name of format === undefined ? READABLE_FORMATS : [format]) {
    if (format === undefined && !OPENERS[name].mayBe(start, end)) continue;
    const disk = await OPENERS[name].open(file, options);
    if (disk !== undefined) return disk;
  }
  throw new DiskwrightError("UNSUPPORTED_IMAGE", `the file is no ${format}: its first bytes are others`);
}
