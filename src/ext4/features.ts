// Feature bits of the superblock. A kernel mounts a filesystem with unknown `compatible` bits, mounts one
// with unknown `readOnlyCompatible` bits for reading only, and refuses unknown `incompatible` bits.
// Source: kernel documentation, filesystems/ext4/super.rst.

export const COMPATIBLE = {
  dir_prealloc: 0x1,
  has_journal: 0x4,
  ext_attr: 0x8,
  resize_inode: 0x10,
  dir_index: 0x20,
  sparse_super2: 0x200,
  fast_commit: 0x400,
  stable_inodes: 0x800,
  orphan_file: 0x1000,
} as const;

export const INCOMPATIBLE = {
  compression: 0x1,
  filetype: 0x2,
  needs_recovery: 0x4,
  journal_dev: 0x8,
  meta_bg: 0x10,
  extent: 0x40,
  "64bit": 0x80,
  mmp: 0x100,
  flex_bg: 0x200,
  ea_inode: 0x400,
  dirdata: 0x1000,
  metadata_csum_seed: 0x2000,
  large_dir: 0x4000,
  inline_data: 0x8000,
  encrypt: 0x10000,
  casefold: 0x20000,
} as const;

export const READ_ONLY_COMPATIBLE = {
  sparse_super: 0x1,
  large_file: 0x2,
  huge_file: 0x8,
  uninit_bg: 0x10,
  dir_nlink: 0x20,
  extra_isize: 0x40,
  quota: 0x100,
  bigalloc: 0x200,
  metadata_csum: 0x400,
  replica: 0x800,
  read_only: 0x1000,
  project: 0x2000,
  verity: 0x8000,
  orphan_present: 0x10000,
} as const;

/** The features of what this room writes. */
export const WRITTEN_FEATURES = {
  compatible: COMPATIBLE.ext_attr,
  incompatible: INCOMPATIBLE.filetype | INCOMPATIBLE.extent | INCOMPATIBLE["64bit"] | INCOMPATIBLE.flex_bg,
  readOnlyCompatible:
    READ_ONLY_COMPATIBLE.sparse_super |
    READ_ONLY_COMPATIBLE.large_file |
    READ_ONLY_COMPATIBLE.huge_file |
    READ_ONLY_COMPATIBLE.dir_nlink |
    READ_ONLY_COMPATIBLE.extra_isize |
    READ_ONLY_COMPATIBLE.metadata_csum,
} as const;

/** The names of the features whose bits are set; bits without a name read as `0x…`. */
export function featureNames(compatible: number, incompatible: number, readOnlyCompatible: number): string[] {
  return [
    ...namesIn(COMPATIBLE, compatible),
    ...namesIn(INCOMPATIBLE, incompatible),
    ...namesIn(READ_ONLY_COMPATIBLE, readOnlyCompatible),
  ];
}

function namesIn(table: Readonly<Record<string, number>>, bits: number): string[] {
  const names = Object.entries(table).filter(([, bit]) => (bits & bit) !== 0);
  const unknown = names.reduce((rest, [, bit]) => rest & ~bit, bits) >>> 0;
  return [...names.map(([name]) => name), ...(unknown === 0 ? [] : [`0x${unknown.toString(16)}`])];
}
