import * as v from "valibot";
import { count, field, flag, guid, number32, oneOf, oneOrMore, owner, size, text } from "./values.ts";

// How filesystems are made. The names are those of the options of the command line.

/** What tunes an ext4 filesystem. */
export const ext4Fields = {
  features: field(
    oneOrMore("features, such as [orphan_file, ^has_journal]"),
    "Changes of the features that the type has: `orphan_file` adds, `^has_journal` removes.",
  ),
  blockSize: field(count, "1024, 2048 or 4096. Default 4096."),
  inodeSize: field(count, "A power of 2 from 128 on. Default 256."),
  inodes: field(count, "How many inodes there must be at least."),
  bytesPerInode: field(size, "One inode for so much room. Default: by the size."),
  journalSize: field(size, "The size of the journal. Default: by the size."),
  growTo: field(size, "Up to which size room to grow is reserved. Default: 1024 times its own, at least 1T."),
  reserved: field(
    v.pipe(
      v.number("a share in percent, 0 to 50"),
      v.minValue(0, "a share in percent, 0 to 50"),
      v.maxValue(50, "a share in percent, 0 to 50"),
    ),
    "The share, in percent, that only root may fill. Default 5.",
  ),
  reservedFor: field(owner, "Who besides root may fill it."),
  rootOwner: field(owner, "Owner and group of the root directory."),
  hashSeed: field(guid, "The seed of directory hashes. Default: derived from the UUID."),
  directoryHash: field(oneOf("half_md4", "tea", "legacy"), "How names are hashed. Default half_md4."),
  nameCharacters: field(
    oneOf("signed", "unsigned"),
    "Names are hashed as signed characters, as on x86, or unsigned, as on ARM.",
  ),
  stride: field(count, "RAID: blocks that one disk holds in a row."),
  stripeWidth: field(count, "RAID: blocks of a whole stripe."),
  defaultMountOptions: field(oneOrMore("mount options"), "Default mount options. Default [user_xattr, acl]."),
  mountOptions: field(text, "Further mount options, kept in the superblock."),
  lastMounted: field(text, "Where it says it was last mounted."),
  errors: field(oneOf("continue", "remount-ro", "panic"), "What a kernel does on errors. Default continue."),
  checkAfter: field(count, "A check after so many mounts. Default: never."),
  checkInterval: field(count, "A check after so many days. Default: never."),
} as const;

const EXT4_TYPES = ["ext2", "ext3", "ext4"] as const;
const FAT_TYPES = ["fat", "fat12", "fat16", "fat32"] as const;

/** What Linux calls a FAT filesystem, however many bits its entries have. */
const LINUX_FAT = "vfat";

/** A type of filesystem by its name. */
const typeName = v.pipe(
  oneOf(...EXT4_TYPES, ...FAT_TYPES, LINUX_FAT),
  v.transform((name) => (name === LINUX_FAT ? ("fat" as const) : name)),
);

/** A mapping of fields, or the type alone. */
function fieldsOrType<
  const Fields extends v.GenericSchema<unknown, object>,
  const Type extends v.GenericSchema<string, string>,
>(fields: Fields, type: Type, expected: string) {
  return v.pipe(
    v.union([fields, type], expected),
    v.transform((value) => (typeof value === "string" ? { type: value } : value) as v.InferOutput<Fields>),
  );
}

/** How the root filesystem of a layout is made. */
export const rootFilesystem = v.pipe(
  fieldsOrType(
    v.strictObject(
      { type: field(oneOf(...EXT4_TYPES), "The preset of features. Default ext4."), ...ext4Fields },
      "the fields of an ext4 filesystem",
    ),
    oneOf(...EXT4_TYPES),
    "ext2, ext3 or ext4, or a mapping of the fields of such a filesystem",
  ),
  v.description("How the root filesystem is made: its type, or its fields."),
);

/** The filesystem of a partition. */
export const filesystem = v.pipe(
  fieldsOrType(
    v.strictObject(
      {
        type: v.pipe(
          typeName,
          v.description("What it is. `fat`, or `vfat`, is the largest kind that the size allows."),
        ),
        label: field(text, "The volume label: up to 16 bytes, on FAT 11."),
        uuid: field(guid, "The UUID of an ext4 filesystem. Default: derived from the seed."),
        serial: field(number32, "The serial number of a FAT. Default: derived from the seed."),
        ...ext4Fields,
      },
      "the fields of a filesystem",
    ),
    typeName,
    "a type of filesystem, such as ext4 or fat32, or a mapping of its fields",
  ),
  v.description("The filesystem of the partition: its type, or its fields."),
);

export const skipUnsupported = field(
  flag,
  "Leaves out what FAT cannot hold (symlinks, devices) instead of refusing it.",
);

export type FilesystemSpec = v.InferOutput<typeof filesystem>;
export type RootFilesystemSpec = v.InferOutput<typeof rootFilesystem>;
