import { designOf } from "./design.ts";
import { featureNames } from "./features.ts";
import type { Ext4Options } from "./plan.ts";
import type { Ext4Volume } from "./read.ts";
import { refuse } from "./refuse.ts";
import { settingsFrom } from "./settings.ts";

// What a filesystem would have to be asked for so that it is planned again as it is.

/** s_flags: see `superblock.ts`. */
const UNSIGNED_HASH = 2;

/**
 * What is not asked for: how a filesystem was left, and preallocation for directories, a hint for kernels of the last
 * century.
 */
const NO_WISHES: readonly string[] = ["needs_recovery", "orphan_present", "dir_prealloc"];

/**
 * How a filesystem is made, as {@link planExt4} takes it: with these options and its own size, a tree that needs no
 * more room is planned into block groups, inode tables and a journal of the same sizes. All that has a default is
 * given. Where inodes, blocks and journal lie is not asked for, nor how many groups keep their metadata together.
 *
 * @throws DiskwrightError `INVALID_FILESYSTEM` for what is not written: blocks of more than 4 KiB, features, a
 *   journal on a device of its own.
 */
export function ext4OptionsOf(volume: Ext4Volume): Ext4Options {
  const { superblock, blockSize, inodeSize, size } = volume;
  const { compatible, incompatible, readOnlyCompatible } = superblock;
  const names = featureNames(compatible, incompatible, readOnlyCompatible);
  // Bits without a name, see `featureNames`.
  const unknown = names.filter((name) => name.startsWith("0x"));
  if (unknown.length > 0) refuse(`features without a name here are not written: ${unknown.join(", ")}`);
  const features = ["none", ...names.filter((name) => !NO_WISHES.includes(name))];
  const options = {
    uuid: volume.uuid,
    hashSeed: superblock.hashSeed,
    features,
    // Others are refused by `designOf`.
    blockSize: blockSize as Ext4Options["blockSize"],
    inodeSize,
    directoryHash: (["legacy", "half_md4", "tea"] as const)[superblock.hashVersion] ?? "half_md4",
    nameCharacters: (superblock.flags & UNSIGNED_HASH) === 0 ? "signed" : "unsigned",
  } as const;
  const design = designOf({ ...options, hashSeed: options.hashSeed });
  const hasJournal = design.features.has("has_journal");
  if (hasJournal && volume.journal.size === 0) {
    refuse("the journal lies on a device of its own: a new one is written inside of the filesystem only");
  }
  return {
    ...options,
    ...settingsFrom(superblock),
    label: volume.label,
    size,
    inodes: superblock.inodesCount,
    blocksPerGroup: superblock.blocksPerGroup,
    journalSize: hasJournal ? journalSize(volume, design.features.has("fast_commit")) : undefined,
    growTo: design.features.has("resize_inode") ? growthOf(volume, design.descriptorSize) : undefined,
    reservedPercent: reservedPercent(volume),
  };
}

/** The journal without what is set aside in it for fast commits, which comes on top of the size that is asked for. */
function journalSize({ journal, blockSize }: Ext4Volume, hasFastCommits: boolean): number {
  const blocks = Math.floor(journal.size / blockSize);
  return (hasFastCommits ? blocks - Math.floor(blocks / 65) : blocks) * blockSize;
}

/** The size for whose group descriptors there is room. */
function growthOf({ superblock, blocks, blockSize }: Ext4Volume, descriptorSize: number): number {
  const { blocksPerGroup, firstDataBlock, reservedDescriptorBlocks } = superblock;
  const groups = Math.ceil((blocks - firstDataBlock) / blocksPerGroup);
  const used = Math.ceil((groups * descriptorSize) / blockSize);
  const reserved = Math.min(reservedDescriptorBlocks, blockSize / 4, Math.floor(blocksPerGroup / 8));
  return ((used + reserved) * blockSize * blocksPerGroup * blockSize) / descriptorSize;
}

/** The share of reserved blocks: a whole number where that gives as many. */
function reservedPercent({ reservedBlocks, blocks }: Ext4Volume): number {
  const whole = Math.round((100 * reservedBlocks) / blocks);
  if (Math.floor((blocks * whole) / 100) === reservedBlocks) return Math.min(whole, 50);
  // From the middle of a block no rounding leads to another one.
  return Math.min((100 * (reservedBlocks + 0.5)) / blocks, 50);
}
