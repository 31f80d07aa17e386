// What GRUB's driver (grub-core/fs/ext2.c) reads of ext4. The names are those of mke2fs.

/** Features that GRUB reads in no version: it takes the filesystem for none at all. */
const UNREADABLE: readonly string[] = ["inline_data", "ea_inode", "casefold"];

/** Features that it reads from 2.12 on, and distributions with patches before. */
const READABLE_SINCE_2_12: readonly string[] = ["metadata_csum_seed"];

/**
 * Why GRUB cannot read an ext4 filesystem that has these features; empty when it can.
 *
 * @param features by the names of mke2fs. Those that GRUB need not know of are passed over.
 */
export function grubProblems(features: readonly string[]): string[] {
  return features
    .filter((name) => UNREADABLE.includes(name))
    .map(
      (name) =>
        `GRUB reads no ext4 with the feature ${name}: leave it off (^${name}), or boot from another filesystem`,
    );
}

/** What the maker of an ext4 filesystem with these features should know, if GRUB is to read it. */
export function grubWarnings(features: readonly string[]): string[] {
  return features
    .filter((name) => READABLE_SINCE_2_12.includes(name))
    .map(
      (name) =>
        `GRUB reads ext4 with the feature ${name} from version 2.12 on: leave it off (^${name}) for an older one`,
    );
}
