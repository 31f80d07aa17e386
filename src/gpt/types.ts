import { instead } from "../tables/index.ts";
import { DISCOVERABLE_TYPES, type DiscoverableTypeName } from "./discoverable.ts";

/** Types that are the same on every architecture. */
const COMMON_TYPES = {
  // Those of the Discoverable Partitions Specification.
  esp: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
  xbootldr: "bc13c2ff-59e6-4262-a352-b275fd6f7172",
  "linux-generic": "0fc63daf-8483-4772-8e79-3d69d8477de4",
  swap: "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f",
  home: "933ac7e1-2eb4-4f13-b844-0e14e2aef915",
  srv: "3b8f8425-20e0-4f3b-907f-1a25a76f98e8",
  var: "4d21b016-b534-45c2-a9fb-5c16e091fd2d",
  tmp: "7ec6f557-3bc5-4aca-b293-16ef5df639d1", // mounted at /var/tmp
  "user-home": "773f91ef-66d4-49b5-bd83-d683bf40ad16",

  // What firmware and boot loaders read.
  "bios-boot": "21686148-6449-6e6f-744e-656564454649", // GRUB puts its core image there
  "prep-boot": "9e1a2d38-c612-4316-aa26-8b49521e5a8b", // PowerPC
  "u-boot-environment": "3de21764-95bd-54bd-a5c3-4abe786f38a8",
  "barebox-state": "4778ed65-bf42-45fa-9c5b-287a1dc4aab1",
  "hifive-fsbl": "5b193300-fc78-40cd-8002-e86c45580b47", // RISC-V: U-Boot's SPL
  "hifive-bbl": "2e54b353-1271-4842-806f-e436d6af6985", // RISC-V: U-Boot
  "onie-boot": "7412f7d5-a156-4b13-81dc-867174929325",
  "onie-config": "d4e6e2cd-4469-46f3-b5cb-1bff57afc149",

  // Other types of Linux.
  lvm: "e6d6d379-f507-44c2-a23c-238f2a3df928",
  raid: "a19d880f-05fc-4d3b-a006-743f0f84911e",
  luks: "ca7d7ccb-63ed-4c53-861c-1742536059cc",
  "dm-crypt": "7ffec5c9-2d00-49b7-8941-3ea10a5586b7", // without a header
  "linux-reserved": "8da63339-0007-60c0-c436-083ac8230908",

  "ms-basic-data": "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
  "ms-reserved": "e3c9e316-0b5c-4db8-817d-f92df00215ae",
  "ms-recovery": "de94bba4-06d1-4d40-a16a-bfd50179d6ac",
  "ms-ldm-metadata": "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3",
  "ms-ldm-data": "af9b60a0-1431-4f62-bc68-3311714a69ad",
  "ms-storage-spaces": "e75caf8f-f680-4cee-afa3-b001e56efc2d",

  "chromeos-kernel": "fe3a2a5d-4f32-41a7-b725-accc3285a309",
  "chromeos-root": "3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec",
  "chromeos-reserved": "2e0a753d-9e48-43b0-8337-b15192cb1b5e",

  "apple-hfs": "48465300-0000-11aa-aa11-00306543ecac",
  "apple-apfs": "7c3457ef-0000-11aa-aa11-00306543ecac",
  "apple-ufs": "55465300-0000-11aa-aa11-00306543ecac",
  "apple-boot": "426f6f74-0000-11aa-aa11-00306543ecac",
  "apple-raid": "52414944-0000-11aa-aa11-00306543ecac",
  "apple-core-storage": "53746f72-6167-11aa-aa11-00306543ecac",

  // BSD; those of FreeBSD under the names that its gpart has for them.
  freebsd: "516e7cb4-6ecf-11d6-8ff8-00022d09712b",
  "freebsd-boot": "83bd6b9d-7f41-11dc-be0b-001560b84f0f",
  "freebsd-swap": "516e7cb5-6ecf-11d6-8ff8-00022d09712b",
  "freebsd-ufs": "516e7cb6-6ecf-11d6-8ff8-00022d09712b",
  "freebsd-zfs": "516e7cba-6ecf-11d6-8ff8-00022d09712b",
  "freebsd-vinum": "516e7cb8-6ecf-11d6-8ff8-00022d09712b",
  openbsd: "824cc7a0-36a8-11e3-890a-952519ad3f61",
  "netbsd-swap": "49f48d32-b10e-11dc-b99b-0019d1879648",
  "netbsd-ffs": "49f48d5a-b10e-11dc-b99b-0019d1879648",
  "netbsd-lfs": "49f48d82-b10e-11dc-b99b-0019d1879648",
  "netbsd-raid": "49f48daa-b10e-11dc-b99b-0019d1879648",

  "solaris-boot": "6a82cb45-1dd2-11b2-99a6-080020736631",
  "solaris-root": "6a85cf4d-1dd2-11b2-99a6-080020736631",
  "solaris-usr": "6a898cc3-1dd2-11b2-99a6-080020736631", // also that of ZFS on macOS and Linux
  "solaris-swap": "6a87c46f-1dd2-11b2-99a6-080020736631",
  "solaris-reserved-1": "6a945a3b-1dd2-11b2-99a6-080020736631", // ZFS on Linux makes one behind its own

  vmfs: "aa31e02a-400f-11db-9590-000c2911d1b8",
  "vmware-diagnostic": "9d275380-40ad-11db-bf97-000c2911d1b8",
  "vmware-reserved": "9198effc-31c0-11db-8f78-000c2911d1b8",
  plan9: "c91818f9-8025-47af-89d2-f030d7000c2c",
  haiku: "42465331-3ba3-10f1-802a-4861696b7521",
} as const;

/** A name of {@link PARTITION_TYPES}. */
export type PartitionTypeName = keyof typeof COMMON_TYPES | DiscoverableTypeName;

/**
 * Partition types by name: those of the UAPI Discoverable Partitions Specification (UAPI.2) under the names
 * that it gives them, and those of other systems.
 */
export const PARTITION_TYPES: Readonly<Record<PartitionTypeName, string>> = {
  ...COMMON_TYPES,
  ...(Object.fromEntries(DISCOVERABLE_TYPES) as Record<DiscoverableTypeName, string>),
};

const GUIDS: ReadonlyMap<string, string> = new Map(Object.entries(PARTITION_TYPES));
const NAMES: ReadonlyMap<string, string> = new Map([...GUIDS].map(([name, guid]) => [guid, name]));

/** The type GUID of a name, if {@link PARTITION_TYPES} has the name. */
export function partitionTypeGuid(name: string): string | undefined {
  return GUIDS.get(name);
}

/** The name of a type GUID in lower case, if {@link PARTITION_TYPES} has one. */
export function partitionTypeName(guid: string): string | undefined {
  return NAMES.get(guid);
}

/** What to write in place of a name that no type has: names that are near, or what names there are. */
export function insteadOfType(name: string): string {
  const common = Object.keys(COMMON_TYPES).join(", ");
  const all = `a GUID, or one of ${common}, root-ARCHITECTURE, usr-ARCHITECTURE`;
  return instead(name, GUIDS.keys(), all, OTHER_NAMES);
}

/** What others call types: by what they hold, and by the codes of sgdisk and the letters of sfdisk. */
const OTHER_NAMES: Readonly<Record<string, PartitionTypeName>> = {
  efi: "esp",
  uefi: "esp",
  "efi-system": "esp",
  ef00: "esp",
  u: "esp",
  boot: "xbootldr",
  ea00: "xbootldr",
  grub: "bios-boot",
  bios_grub: "bios-boot",
  ef02: "bios-boot",
  ext4: "linux-generic",
  data: "linux-generic",
  "8300": "linux-generic",
  l: "linux-generic",
  "linux-swap": "swap",
  "8200": "swap",
  s: "swap",
  "8302": "home",
  h: "home",
  "8e00": "lvm",
  v: "lvm",
  fd00: "raid",
  r: "raid",
  "8309": "luks",
  fat: "ms-basic-data",
  fat32: "ms-basic-data",
  vfat: "ms-basic-data",
  ntfs: "ms-basic-data",
  "0700": "ms-basic-data",
  msftdata: "ms-basic-data",
};
