import { printable, utf8 } from "../bytes/index.ts";
import { instead } from "../tables/index.ts";
import { refuse } from "./refuse.ts";

// Feature bits of the superblock. A kernel mounts a filesystem with unknown `compatible` bits, mounts one
// with unknown `readOnlyCompatible` bits for reading only, and refuses unknown `incompatible` bits.
// Source: kernel documentation, filesystems/ext4/super.rst. The names are those of mke2fs.

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
  shared_blocks: 0x4000,
  verity: 0x8000,
  orphan_present: 0x10000,
} as const;

/** A feature, by the name that mke2fs gives it. */
export type FeatureName =
  | keyof typeof COMPATIBLE
  | keyof typeof INCOMPATIBLE
  | keyof typeof READ_ONLY_COMPATIBLE;

/** Which preset of features a filesystem starts from, as the types of mke2fs.conf. */
export type Ext4Type = "ext2" | "ext3" | "ext4";

const BASE: readonly FeatureName[] = [
  "ext_attr",
  "resize_inode",
  "dir_index",
  "filetype",
  "sparse_super",
  "large_file",
];

/** What mke2fs 1.47 gives each type. */
const PRESETS: Readonly<Record<Ext4Type, readonly FeatureName[]>> = {
  ext2: BASE,
  ext3: [...BASE, "has_journal"],
  ext4: [
    ...BASE,
    "has_journal",
    "extent",
    "64bit",
    "flex_bg",
    "huge_file",
    "dir_nlink",
    "extra_isize",
    "metadata_csum",
  ],
};

/** Other names that mke2fs takes. */
const ALIASES: Readonly<Record<string, FeatureName>> = {
  extents: "extent",
  uninit_groups: "uninit_bg",
  gdt_csum: "uninit_bg",
  metadata_checksum: "metadata_csum",
};

/** Features that are known, but not written, and why. */
const NOT_WRITTEN: Partial<Readonly<Record<FeatureName, string>>> = {
  dir_prealloc: "no kernel has used it since ext2",
  compression: "no kernel reads it",
  needs_recovery: "a new filesystem has nothing to recover",
  journal_dev: "the journal lies inside of the filesystem",
  dirdata: "no kernel reads it",
  bigalloc: "space is handed out in blocks here, not in clusters",
  replica: "no kernel reads it",
  read_only: 'set it afterwards with "tune2fs -O read-only"',
  shared_blocks: "only a kernel of Android makes use of it",
  orphan_present: "a new filesystem has no orphans",
};

/** A set of features that a filesystem has. */
export class FeatureSet {
  readonly #names: ReadonlySet<FeatureName>;

  constructor(names: Iterable<FeatureName>) {
    this.#names = new Set(names);
  }

  has(name: FeatureName): boolean {
    return this.#names.has(name);
  }

  /** The same set, with some features more and some less. */
  changed(added: readonly FeatureName[], removed: readonly FeatureName[] = []): FeatureSet {
    return new FeatureSet([...this.#names, ...added].filter((name) => !removed.includes(name)));
  }

  /** The three words of the superblock. */
  get words(): {
    readonly compatible: number;
    readonly incompatible: number;
    readonly readOnlyCompatible: number;
  } {
    return {
      compatible: this.#word(COMPATIBLE),
      incompatible: this.#word(INCOMPATIBLE),
      readOnlyCompatible: this.#word(READ_ONLY_COMPATIBLE),
    };
  }

  /** The names, in the order of the superblock. */
  get names(): string[] {
    const { compatible, incompatible, readOnlyCompatible } = this.words;
    return featureNames(compatible, incompatible, readOnlyCompatible);
  }

  #word(table: Readonly<Record<string, number>>): number {
    return Object.entries(table).reduce(
      (word, [name, bit]) => (this.#names.has(name as FeatureName) ? word | bit : word),
      0,
    );
  }
}

/**
 * The features of `type`, changed by a list such as `["^has_journal", "orphan_file"]`: a name adds, a name
 * with `^` removes, `none` removes all that came before.
 *
 * @throws DiskwrightError `INVALID_FILESYSTEM` for unknown names, for features that are not written, and for
 *   combinations that cannot be.
 */
export function chooseFeatures(type: Ext4Type, changes: readonly string[] = []): FeatureSet {
  const preset = PRESETS[type];
  if (preset === undefined) {
    const types = Object.keys(PRESETS);
    refuse(`there is no type "${printable(utf8(type))}": ${instead(type, types, types.join(", "))}`);
  }
  const chosen = new Set<FeatureName>(preset);
  for (const change of changes) {
    if (change === "none") {
      chosen.clear();
      continue;
    }
    const isRemoved = change.startsWith("^");
    const name = featureNamed(isRemoved ? change.slice(1) : change);
    const reason = NOT_WRITTEN[name];
    if (isRemoved) chosen.delete(name);
    else if (reason !== undefined) refuse(`the feature ${name} is not written: ${reason}`);
    else chosen.add(name);
  }
  // The checksums of metadata_csum replace those of uninit_bg; no filesystem has both.
  if (chosen.has("metadata_csum")) chosen.delete("uninit_bg");
  const features = new FeatureSet(chosen);
  for (const { when, needs, remedy } of REQUIREMENTS) {
    if (features.has(when) && !needs.some((name) => features.has(name))) {
      refuse(`the feature ${when} needs ${needs.join(" or ")}: add ${remedy}`);
    }
  }
  if (features.has("meta_bg") && features.has("resize_inode")) {
    refuse(
      "the feature meta_bg makes the filesystem grow in its own way: remove resize_inode with ^resize_inode",
    );
  }
  if (features.has("quota") && features.has("ea_inode")) {
    refuse("the feature quota does not count the values of ea_inode here: remove one of them");
  }
  return features;
}

interface Requirement {
  readonly when: FeatureName;
  /** One of these is needed. */
  readonly needs: readonly FeatureName[];
  /** What to add. */
  readonly remedy: string;
}

const REQUIREMENTS: readonly Requirement[] = [
  { when: "64bit", needs: ["extent"], remedy: "extent, or remove it with ^64bit" },
  { when: "metadata_csum_seed", needs: ["metadata_csum"], remedy: "metadata_csum" },
  { when: "orphan_file", needs: ["has_journal"], remedy: "has_journal" },
  { when: "fast_commit", needs: ["has_journal"], remedy: "has_journal" },
  {
    when: "resize_inode",
    needs: ["sparse_super", "sparse_super2"],
    remedy: "sparse_super, or remove it with ^resize_inode",
  },
  { when: "ea_inode", needs: ["ext_attr"], remedy: "ext_attr" },
];

function featureNamed(name: string): FeatureName {
  const known = ALIASES[name] ?? name;
  const tables = [COMPATIBLE, INCOMPATIBLE, READ_ONLY_COMPATIBLE];
  if (tables.some((table) => Object.hasOwn(table, known))) return known as FeatureName;
  const all = tables.flatMap((table) => Object.keys(table)) as FeatureName[];
  const written = all.filter((one) => NOT_WRITTEN[one] === undefined);
  return refuse(
    `there is no feature "${printable(utf8(name))}": ${instead(name, written, written.join(", "))}`,
  );
}

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
