import { DiskwrightError } from "../errors.ts";

/**
 * Partition types by name. They are a convention without a registry; where a GPT has a type of the same
 * meaning, the name is the one that it has there.
 */
export const MBR_TYPES = {
  fat12: 0x01,
  "fat16-small": 0x04, // below 32 MiB
  extended: 0x05,
  fat16: 0x06,
  ntfs: 0x07, // and exFAT
  fat32: 0x0b,
  "fat32-lba": 0x0c,
  "fat16-lba": 0x0e,
  "extended-lba": 0x0f,
  "prep-boot": 0x41,
  minix: 0x81,
  swap: 0x82,
  "linux-generic": 0x83,
  "linux-extended": 0x85,
  lvm: 0x8e,
  "freebsd-ufs": 0xa5,
  openbsd: 0xa6,
  netbsd: 0xa9,
  "apple-hfs": 0xaf,
  data: 0xda,
  xbootldr: 0xea, // Boot Loader Specification
  "gpt-protective": 0xee,
  esp: 0xef,
  vmfs: 0xfb,
  raid: 0xfd,
} as const;

/** A name of {@link MBR_TYPES}. */
export type MbrTypeName = keyof typeof MBR_TYPES;

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
 * The type byte that a number, or text, stands for: a name of {@link MBR_TYPES}, or two hexadecimal digits behind
 * `0x`, so that nobody has to guess whether 83 is meant as fdisk has it.
 *
 * @throws DiskwrightError `INVALID_SPEC`, with the names that there are.
 */
export function mbrTypeByte(type: string | number): number {
  if (typeof type === "number") return type;
  const named = (MBR_TYPES as Readonly<Record<string, number>>)[type];
  if (named !== undefined && Object.hasOwn(MBR_TYPES, type)) return named;
  if (/^0x[0-9a-f]{1,2}$/i.test(type)) return Number(type);
  throw new DiskwrightError(
    "INVALID_SPEC",
    `MBR type "${type}": use a number such as 0x83, or one of ${Object.keys(MBR_TYPES).join(", ")}`,
  );
}
