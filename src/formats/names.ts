import { GIB, MIB, printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { instead } from "../tables/index.ts";

/** What is to be known of a format before anything is written. */
export interface FormatFacts {
  /** For people. */
  readonly what: string;
  /** How names of files in it end, without the dot; each belongs to one format. */
  readonly suffixes: readonly string[];
  /** Whether it can be written in order, to a pipe. */
  readonly isOrdered: boolean;
  /** What its readers want the size of a disk to be a multiple of, in bytes. */
  readonly multiple?: number;
  /**
   * How large its readers take a sector of the disk for: as the file says, or 512 bytes. Without it, whoever attaches
   * the disk decides.
   */
  readonly sectorSize?: "stated" | "512";
  /** How it is compressed, so that a level and threads matter. */
  readonly packing?: "deflate" | "zstd";
  /** Whether the size of its clusters can be chosen. */
  readonly hasClusters?: boolean;
  /** Whether it is text, for a terminal as well. */
  readonly isText?: boolean;
  /** Whether it says which disk it is, by an identifier that is derived from what the disk holds. */
  readonly isNamed?: boolean;
}

/** The formats that are written, by name: those of qemu-img where it has them. */
export const FORMATS = {
  raw: {
    what: "the bytes of the disk, holes where there are none",
    suffixes: ["img", "raw"],
    isOrdered: true,
  },
  qcow2: { what: "QEMU, version 3", suffixes: ["qcow2"], isOrdered: true, hasClusters: true },
  "qcow2-compressed": {
    what: "QEMU, clusters packed by deflate",
    suffixes: [],
    isOrdered: false,
    packing: "deflate",
    hasClusters: true,
  },
  "qcow2-zstd": {
    what: "QEMU 5.1 or newer, packed by zstd",
    suffixes: [],
    isOrdered: false,
    packing: "zstd",
    hasClusters: true,
  },
  vdi: {
    what: "VirtualBox, grows as it is used",
    suffixes: ["vdi"],
    isOrdered: true,
    isNamed: true,
    sectorSize: "512",
  },
  "vdi-static": {
    what: "VirtualBox, of full size",
    suffixes: [],
    isOrdered: true,
    isNamed: true,
    sectorSize: "512",
  },
  vpc: {
    what: "VHD of Virtual PC, Hyper-V and Xen, grows as it is used",
    suffixes: ["vhd", "vpc"],
    isOrdered: true,
    isNamed: true,
    sectorSize: "512",
  },
  "vpc-fixed": { what: "VHD of full size", suffixes: [], isOrdered: true, isNamed: true, sectorSize: "512" },
  azure: {
    what: "VHD as Azure takes it: fixed, whole mebibytes",
    suffixes: [],
    isOrdered: true,
    multiple: MIB,
    isNamed: true,
    sectorSize: "512",
  },
  vhdx: { what: "Hyper-V", suffixes: ["vhdx"], isOrdered: true, isNamed: true, sectorSize: "stated" },
  vmdk: {
    what: "VMware, monolithicSparse",
    suffixes: ["vmdk"],
    isOrdered: true,
    isNamed: true,
    sectorSize: "512",
  },
  "vmdk-stream": {
    what: "VMware, streamOptimized: for OVA, vSphere and cloud imports",
    suffixes: [],
    isOrdered: true,
    packing: "deflate",
    isNamed: true,
    sectorSize: "512",
  },
  "raw-gzip": { what: "raw, packed by gzip", suffixes: ["gz"], isOrdered: true, packing: "deflate" },
  "raw-zstd": { what: "raw, packed by zstd", suffixes: ["zst"], isOrdered: true, packing: "zstd" },
  gce: {
    what: "disk.raw in a tar.gz, as Google's cloud imports it: whole gibibytes",
    suffixes: ["tar.gz", "tgz"],
    isOrdered: true,
    multiple: GIB,
    packing: "deflate",
    sectorSize: "512",
  },
  bmap: {
    what: "no image: the map of blocks for bmaptool, beside a raw one",
    suffixes: ["bmap"],
    isOrdered: true,
    isText: true,
  },
  "android-sparse": { what: "Android sparse image, for fastboot", suffixes: ["simg"], isOrdered: true },
} as const satisfies Readonly<Record<string, FormatFacts>>;

export type FormatName = keyof typeof FORMATS;

export const FORMAT_NAMES: readonly FormatName[] = Object.keys(FORMATS) as FormatName[];

/** What is known of a format. */
export function formatFacts(name: FormatName): FormatFacts {
  return FORMATS[name];
}

/** The levels of each way of compression, as the compressors count. */
const LEVELS = { deflate: [0, 9], zstd: [1, 22] } as const;

/**
 * Checks that a format knows a level of compression; those that are not compressed take any, and make no use of it.
 *
 * @throws DiskwrightError `INVALID_SPEC` with the levels that there are.
 */
export function checkLevel(name: FormatName, level: number): void {
  const { packing } = formatFacts(name);
  if (packing === undefined) return;
  const [smallest, largest] = LEVELS[packing];
  if (Number.isInteger(level) && level >= smallest && level <= largest) return;
  throw new DiskwrightError(
    "INVALID_SPEC",
    `${name} is compressed by ${packing}, whose levels are ${smallest} to ${largest}: not ${level}`,
  );
}

/** Names that end in these would promise something that is not written. */
const NOT_WRITTEN: Readonly<Record<string, string>> = {
  qcow: "the first version of qcow",
  qed: "QED",
  xz: "xz",
  bz2: "bzip2",
  zip: "zip",
  iso: "ISO 9660",
  ova: "OVA",
  ovf: "OVF",
  dmg: "DMG",
  tar: "tar",
  "tar.zst": "tar.zst",
  "tar.xz": "tar.xz",
};

/** What others call formats. */
const OTHER_FORMAT_NAMES: Readonly<Record<string, FormatName>> = {
  dd: "raw",
  qcow: "qcow2",
  vhdfixed: "vpc-fixed",
  "vhd-fixed": "vpc-fixed",
  gzip: "raw-gzip",
  zstd: "raw-zstd",
  streamoptimized: "vmdk-stream",
  "vmdk-streamoptimized": "vmdk-stream",
  "vmdk-stream-optimized": "vmdk-stream",
  monolithicsparse: "vmdk",
  sparse: "android-sparse",
};

/** Formats to use in place of an unknown one: what is meant by that name elsewhere, or is written like it, or all. */
function insteadOfFormat(name: string): string {
  const suffix = name.toLowerCase();
  const ofSuffix = formatOfSuffix(suffix);
  const elsewhere = { ...OTHER_FORMAT_NAMES, ...(ofSuffix === undefined ? {} : { [suffix]: ofSuffix }) };
  return instead(name, FORMAT_NAMES, FORMAT_NAMES.join(", "), elsewhere);
}

/**
 * The format of an output: the one that is named, or the one that the end of the file's name says.
 *
 * @throws DiskwrightError `INVALID_SPEC` when that format cannot be written.
 */
export function chooseFormat(name: string | undefined, path: string): FormatName {
  if (name !== undefined) {
    if ((FORMAT_NAMES as readonly string[]).includes(name)) return name as FormatName;
    throw new DiskwrightError(
      "INVALID_SPEC",
      `format "${printable(utf8(name))}" cannot be written: ${insteadOfFormat(name)}`,
    );
  }
  const suffixes = suffixesOf(path);
  for (const suffix of suffixes) {
    const format = formatOfSuffix(suffix);
    if (format !== undefined) return format;
    const other = NOT_WRITTEN[suffix];
    if (other !== undefined) {
      throw new DiskwrightError(
        "INVALID_SPEC",
        `${path}: the name says ${other}, which cannot be written: use a name that ends in .img, .qcow2 or another one, or name the format before it (raw:${path})`,
        { path },
      );
    }
  }
  return "raw";
}

/** Names that end in these are of raw images: of disks, and of single filesystems. */
const RAW_NAMES = new Set(
  "bin dd disk image sdcard sdimg wic usb hddimg rootfs fs ext2 ext3 ext4 fat vfat fat12 fat16 fat32 esp".split(
    " ",
  ),
);

/**
 * The end of a file's name where it may be meant for a format, and says none that is known: such a file is written
 * raw. Numbers are those of versions, and a dot in front hides a file.
 */
export function unknownSuffix(path: string): string | undefined {
  const last = suffixesOf(path)[1];
  const isHidden = /(^|[\\/])\.[^.]+$/.test(path);
  const isMeant = last !== "" && !isHidden && !/^\d+$/.test(last);
  return isMeant && !RAW_NAMES.has(last) && formatOfName(path) === undefined ? last : undefined;
}

/** All file extensions that name a format. */
export function knownSuffixes(): string[] {
  return FORMAT_NAMES.flatMap((name) => formatFacts(name).suffixes);
}

/** The format that the end of a file's name says. */
export function formatOfName(path: string): FormatName | undefined {
  return suffixesOf(path)
    .map(formatOfSuffix)
    .find((format) => format !== undefined);
}

function formatOfSuffix(suffix: string): FormatName | undefined {
  return FORMAT_NAMES.find(
    (known) => known === suffix || (FORMATS[known].suffixes as readonly string[]).includes(suffix),
  );
}

/** What could be the name of a format before a colon: not a directory, and no drive of Windows. */
const FORMAT_PREFIX = /^([\w-]{2,}):/;

/**
 * An output as it is named: `FORMAT:FILE`, or the file alone.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a format that is not known.
 */
export function splitOutput(text: string): { format: FormatName | undefined; path: string } {
  const name = FORMAT_PREFIX.exec(text)?.[1];
  if (name === undefined) return { format: undefined, path: text };
  if ((FORMAT_NAMES as readonly string[]).includes(name)) {
    return { format: name as FormatName, path: text.slice(name.length + 1) };
  }
  throw new DiskwrightError(
    "INVALID_SPEC",
    `${text}: there is no format "${name}": ${insteadOfFormat(name)}; for a file of that name, write ./${text}`,
    { path: text },
  );
}

/** What a name ends in, behind the dot before the last one and behind the last one. */
function suffixesOf(path: string): [string, string] {
  const parts = path
    .slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1)
    .toLowerCase()
    .split(".");
  return [parts.length > 2 ? parts.slice(-2).join(".") : "", parts.length > 1 ? parts.at(-1)! : ""];
}
