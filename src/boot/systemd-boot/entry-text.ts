import type { BootEntry } from "../entries/index.ts";

/**
 * The text of an entry's file, with the keys in the order in which UAPI.1 "Type #1 Boot Loader Entry Keys" lists
 * them. `pathOf` says where a file of the staged tree lies on the boot partition.
 */
export function entryText(entry: BootEntry, pathOf: (path: string) => string): string {
  const { title, version, machineId, sortKey, options, architecture } = entry;
  const devicetree = entry.linux === undefined ? undefined : entry.devicetree;
  const lines: readonly (readonly [string, string | undefined])[] = [
    ["title", title],
    ["version", version],
    ["machine-id", machineId],
    ["sort-key", sortKey],
    ["linux", entry.linux && pathOf(entry.linux)],
    ...(entry.linux === undefined ? [] : entry.initrds).map((path) => ["initrd", pathOf(path)] as const),
    ["efi", entry.efi && pathOf(entry.efi)],
    ["options", options === "" ? undefined : options],
    ["devicetree", devicetree && pathOf(devicetree)],
    ["architecture", architecture],
  ];
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${value}\n`)
    .join("");
}
