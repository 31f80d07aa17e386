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
  swap: 0x82,
  "linux-generic": 0x83,
  "linux-extended": 0x85,
  lvm: 0x8e,
  data: 0xda,
  xbootldr: 0xea, // Boot Loader Specification
  "gpt-protective": 0xee,
  esp: 0xef,
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
