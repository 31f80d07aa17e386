import { printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { instead } from "../tables/index.ts";

/**
 * Partition types by name. They are a convention without a registry; where a GPT has a type of the same
 * meaning, the name is the one that it has there.
 */
export const MBR_TYPES = {
  fat12: 0x01,
  "fat16-small": 0x04, // below 32 MiB
  extended: 0x05,
  fat16: 0x06,
  ntfs: 0x07, // HPFS and exFAT as well
  fat32: 0x0b,
  "fat32-lba": 0x0c,
  "fat16-lba": 0x0e,
  "extended-lba": 0x0f,
  "fat12-hidden": 0x11, // this and the next: 0x10 more than what they hide from DOS and Windows
  "fat16-small-hidden": 0x14,
  "fat16-hidden": 0x16,
  "ntfs-hidden": 0x17,
  "fat32-hidden": 0x1b,
  "fat32-lba-hidden": 0x1c,
  "fat16-lba-hidden": 0x1e,
  "ms-recovery": 0x27,
  plan9: 0x39,
  "prep-boot": 0x41,
  hurd: 0x63,
  "dragonfly-slice": 0x6c,
  "minix-old": 0x80,
  minix: 0x81,
  swap: 0x82,
  "linux-generic": 0x83,
  "linux-extended": 0x85,
  lvm: 0x8e,
  freebsd: 0xa5, // a slice that is divided further
  openbsd: 0xa6,
  "apple-ufs": 0xa8,
  netbsd: 0xa9,
  "apple-boot": 0xab,
  "apple-hfs": 0xaf,
  "solaris-boot": 0xbe,
  solaris: 0xbf,
  data: 0xda,
  xbootldr: 0xea, // Boot Loader Specification
  haiku: 0xeb,
  "gpt-protective": 0xee,
  esp: 0xef,
  "parisc-boot": 0xf0,
  "ebbr-protective": 0xf8, // firmware that lies on the disk (Embedded Base Boot Requirements)
  vmfs: 0xfb,
  "vmware-diagnostic": 0xfc,
  raid: 0xfd,
} as const;

/** A name of {@link MBR_TYPES}. */
export type MbrTypeName = keyof typeof MBR_TYPES;

/** Further names for types that several systems share. */
const ALIASES = { hpfs: MBR_TYPES.ntfs, exfat: MBR_TYPES.ntfs, "linux-raid": MBR_TYPES.raid } as const;

const BYTES: ReadonlyMap<string, number> = new Map(Object.entries({ ...MBR_TYPES, ...ALIASES }));
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(MBR_TYPES).map(([name, type]) => [type, name]),
);

/** The name of a type byte, if it has one in {@link MBR_TYPES}. */
export function mbrTypeName(type: number): string | undefined {
  return NAMES.get(type);
}

/** Whether a type byte marks a container of logical partitions. */
export function isExtended(type: number): boolean {
  return (
    type === MBR_TYPES.extended || type === MBR_TYPES["extended-lba"] || type === MBR_TYPES["linux-extended"]
  );
}

/** A type byte as people write it: `0x83`. */
export function formatType(type: number): string {
  return `0x${type.toString(16).padStart(2, "0")}`;
}

/**
 * The type byte that a number or text stands for. A number stays as it is: the plan checks it. Text is a name of {@link MBR_TYPES}, `hpfs`, `exfat` or
 * `linux-raid`, or hexadecimal digits behind `0x`. Digits alone are refused: fdisk means 0x83 by 83, where a number
 * of a spec file is 0x53.
 *
 * @throws DiskwrightError `INVALID_SPEC`, with names that are near, or all that there are.
 */
export function mbrTypeByte(type: string | number): number {
  if (typeof type === "number") return type;
  const named = BYTES.get(type);
  if (named !== undefined) return named;
  if (/^0x[0-9a-f]{1,2}$/i.test(type)) return Number(type);
  throw new DiskwrightError("INVALID_SPEC", `MBR type "${printable(utf8(type))}": ${insteadOfType(type)}`);
}

function insteadOfType(type: string): string {
  if (/^0x[0-9a-f]+$/i.test(type)) return "it is a byte from 0x01 to 0xff";
  if (/^[0-9a-f]{1,2}$/i.test(type))
    return `use 0x${type} when the digits are hexadecimal, as fdisk has them`;
  const all = `a number such as 0x83, or one of ${[...BYTES.keys()].join(", ")}`;
  return instead(type, BYTES.keys(), all, OTHER_NAMES);
}

/** What others call types, by what they hold. */
const OTHER_NAMES: Readonly<Record<string, MbrTypeName>> = {
  efi: "esp",
  uefi: "esp",
  "efi-system": "esp",
  ext2: "linux-generic",
  ext3: "linux-generic",
  ext4: "linux-generic",
  root: "linux-generic",
  home: "linux-generic",
  fat: "fat32-lba",
  vfat: "fat32-lba",
  boot: "fat32-lba",
  "linux-swap": "swap",
};
