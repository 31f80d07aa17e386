import { DISCOVERABLE_TYPES } from "./discoverable.ts";

/**
 * Partition types by name: those of the UAPI Discoverable Partitions Specification (UAPI.2) under the names
 * that it gives them, and a few of other systems. {@link DISCOVERABLE_TYPES} has those of all architectures.
 */
export const PARTITION_TYPES = {
  esp: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
  xbootldr: "bc13c2ff-59e6-4262-a352-b275fd6f7172",
  "bios-boot": "21686148-6449-6e6f-744e-656564454649", // GRUB puts its core image there
  "linux-generic": "0fc63daf-8483-4772-8e79-3d69d8477de4",
  swap: "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f",
  home: "933ac7e1-2eb4-4f13-b844-0e14e2aef915",
  srv: "3b8f8425-20e0-4f3b-907f-1a25a76f98e8",
  var: "4d21b016-b534-45c2-a9fb-5c16e091fd2d",
  tmp: "7ec6f557-3bc5-4aca-b293-16ef5df639d1", // mounted at /var/tmp
  "user-home": "773f91ef-66d4-49b5-bd83-d683bf40ad16",
  "root-x86": "44479540-f297-41b2-9af7-d131d5f0458a",
  "root-x86-64": "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
  "root-x86-64-verity": "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5",
  "root-x86-64-verity-sig": "41092b05-9fc8-4523-994f-2def0408b176",
  "root-arm64": "b921b045-1df0-41c3-af44-4c6f280d3fae",
  "root-arm64-verity": "df3300ce-d69f-4c92-978c-9bfb0f38d820",
  "root-arm64-verity-sig": "6db69de6-29f4-4758-a7a5-962190f00ce3",
  "root-riscv64": "72ec70a6-cf74-40e6-bd49-4bda08e8f224",
  "usr-x86": "75250d76-8cc6-458e-bd66-bd47cc81a812",
  "usr-x86-64": "8484680c-9521-48c6-9c11-b0720656f69e",
  "usr-x86-64-verity": "77ff5f63-e7b6-4633-acf4-1565b864c0e6",
  "usr-x86-64-verity-sig": "e7bb33fb-06cf-4e81-8273-e543b413e2e2",
  "usr-arm64": "b0e01050-ee5f-4390-949a-9101b17104e9",
  "usr-arm64-verity": "6e11a4e7-fbca-4ded-b9e9-e1a512bb664e",
  "usr-arm64-verity-sig": "c23ce4ff-44bd-4b00-b2d4-b41b3419e02a",
  lvm: "e6d6d379-f507-44c2-a23c-238f2a3df928",
  raid: "a19d880f-05fc-4d3b-a006-743f0f84911e",
  "ms-basic-data": "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
  "ms-reserved": "e3c9e316-0b5c-4db8-817d-f92df00215ae",
  "ms-recovery": "de94bba4-06d1-4d40-a16a-bfd50179d6ac",
  "chromeos-kernel": "fe3a2a5d-4f32-41a7-b725-accc3285a309",
  "u-boot-environment": "3de21764-95bd-54bd-a5c3-4abe786f38a8",
} as const;

/** A name of {@link PARTITION_TYPES}. */
export type PartitionTypeName = keyof typeof PARTITION_TYPES;

const GUIDS: ReadonlyMap<string, string> = new Map([
  ...Object.entries(PARTITION_TYPES),
  ...DISCOVERABLE_TYPES,
]);
const NAMES: ReadonlyMap<string, string> = new Map([...GUIDS].map(([name, guid]) => [guid, name]));

/** The type GUID of a name, if it is the name of one. */
export function partitionTypeGuid(name: string): string | undefined {
  return GUIDS.get(name);
}

/** The name of a type GUID in lower case, if it has one. */
export function partitionTypeName(guid: string): string | undefined {
  return NAMES.get(guid);
}
