import { DiskwrightError } from "../errors.ts";
import { discoverableType, PARTITION_ATTRIBUTES, PARTITION_TYPES } from "../gpt/index.ts";
import type { Layout, LayoutPartition } from "./layout.ts";

/** The types by which systemd mounts partitions at these places (Discoverable Partitions Specification). */
const TYPE_AT: Readonly<Record<string, string>> = {
  "/home": "home",
  "/srv": "srv",
  "/var": "var",
  "/var/tmp": "tmp",
};

/** Types that say no more than "a filesystem of Linux". */
const PLAIN_TYPES: readonly (string | number)[] = ["linux-generic", PARTITION_TYPES["linux-generic"]];

/**
 * The layout with the partition types by which a system of this architecture finds what to mount without an
 * fstab. Types that say more than "Linux" stay. A filesystem that is mounted so grows to its partition.
 *
 * @throws DiskwrightError `INVALID_SPEC` when there is no GPT, or the architecture has no types.
 */
export function discoverable(layout: Layout, architecture: string): Layout {
  if (layout.table !== "gpt") {
    throw new DiskwrightError(
      "INVALID_SPEC",
      "partitions are found by their types in a GPT only: use a layout with a GPT, or fstab",
    );
  }
  const rootType = discoverableType("root", architecture);
  const usrType = discoverableType("usr", architecture);
  const typed = (partition: LayoutPartition): LayoutPartition => {
    const { type, mount = "", attributes = 0n } = partition;
    if (!PLAIN_TYPES.includes(type)) return partition;
    const own = mount === "/" ? rootType : mount === "/usr" ? usrType : TYPE_AT[mount];
    if (own === undefined) return partition;
    return { ...partition, type: own, attributes: attributes | PARTITION_ATTRIBUTES.growFileSystem };
  };
  return { ...layout, partitions: layout.partitions.map(typed) };
}

/** A partition, as far as its type goes. */
type Typed = Pick<LayoutPartition, "type">;

/** Whether a partition has a type of a GPT, by its name or its GUID. */
export function hasType({ type }: Typed, name: keyof typeof PARTITION_TYPES): boolean {
  return type === name || type === PARTITION_TYPES[name];
}

/** Whether a partition is one that boot loaders read: the EFI system partition, or the extended one. */
export function isBootPartition(partition: Typed): boolean {
  return isEfiSystemPartition(partition) || hasType(partition, "xbootldr");
}

/** The MBR type byte of an EFI system partition. */
const MBR_ESP = 0xef;

/** Whether UEFI firmware looks for programs in a partition. */
export function isEfiSystemPartition(partition: Typed): boolean {
  return hasType(partition, "esp") || partition.type === MBR_ESP;
}
