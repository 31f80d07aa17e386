import { type Command, InvalidArgumentError, Option } from "commander";
import { parseSize } from "../bytes/index.ts";
import type { DirectoryHash, ErrorBehaviour, Ext4Type } from "../ext4/index.ts";
import type { RootFilesystemSpec } from "../spec/index.ts";
import { parseCount, parseOwner, parsePercent } from "./parse.ts";

/** What the options that tune an ext4 filesystem hold: those of `mkfs ext4`, and of `build` for its root. */
export interface Ext4Tuning {
  readonly type?: Ext4Type;
  readonly features?: readonly string[];
  readonly blockSize?: number;
  readonly inodeSize?: number;
  readonly inodes?: number;
  readonly bytesPerInode?: number;
  readonly journalSize?: number;
  readonly growTo?: number;
  readonly reserved?: number;
  readonly reservedFor?: string;
  readonly rootOwner?: string;
  readonly hashSeed?: string;
  readonly directoryHash?: DirectoryHash;
  readonly nameCharacters?: "signed" | "unsigned";
  readonly stride?: number;
  readonly stripeWidth?: number;
  readonly defaultMountOptions?: readonly string[];
  readonly mountOptions?: string;
  readonly lastMounted?: string;
  readonly errors?: ErrorBehaviour;
  readonly checkAfter?: number;
  readonly checkInterval?: number;
}

const DAY = 86_400;

/** Names with commas between. */
function parseList(text: string, before: readonly string[] = []): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) throw new InvalidArgumentError("Use names with commas between.");
  return [...before, ...names];
}

function parseSizeOption(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** The field holds seconds in 32 bits. */
const MOST_DAYS = Math.floor((2 ** 32 - 1) / DAY);

function parseDays(text: string): number {
  const days = parseCount(text);
  if (days > MOST_DAYS) throw new InvalidArgumentError(`Use up to ${MOST_DAYS} days.`);
  return days;
}

/** Adds the options that tune an ext4 filesystem, under a heading of their own. */
export function addExt4Tuning(command: Command, heading: string): Command {
  return command
    .optionsGroup(heading)
    .addOption(
      new Option("--type <type>", "preset of features, as mke2fs has it (default: ext4)").choices([
        "ext2",
        "ext3",
        "ext4",
      ]),
    )
    .option("--features <list>", "changes of the preset: orphan_file adds, ^has_journal removes", parseList)
    .option("--block-size <bytes>", "1024, 2048 or 4096 (default: 4096)", parseCount)
    .option("--inode-size <bytes>", "a power of 2 from 128 on (default: 256)", parseCount)
    .option("--inodes <count>", "how many inodes there must be at least", parseCount)
    .option(
      "--bytes-per-inode <size>",
      "make one inode for so much room (default: by the size)",
      parseSizeOption,
    )
    .option("--journal-size <size>", "size of the journal (default: by the size)", parseSizeOption)
    .option(
      "--grow-to <size>",
      "reserve room to grow up to this size (default: 1024 times its own, at least 1T)",
      parseSizeOption,
    )
    .option("--reserved <percent>", "share that only root may fill (default: 5)", parsePercent)
    .option("--reserved-for <uid:gid>", "who besides root may fill it", parseOwner)
    .option("--root-owner <uid:gid>", "owner and group of the root directory", parseOwner)
    .option("--hash-seed <uuid>", "seed of directory hashes (default: derived from the UUID)")
    .addOption(
      new Option("--directory-hash <kind>", "how names are hashed (default: half_md4)").choices([
        "half_md4",
        "tea",
        "legacy",
      ]),
    )
    .addOption(
      new Option(
        "--name-characters <kind>",
        "hash names as signed characters, as on x86, or unsigned, as on ARM (default: signed)",
      ).choices(["signed", "unsigned"]),
    )
    .option("--stride <blocks>", "RAID: blocks that one disk holds in a row", parseCount)
    .option("--stripe-width <blocks>", "RAID: blocks of a whole stripe", parseCount)
    .option("--default-mount-options <list>", "default mount options (default: user_xattr,acl)", parseList)
    .option("--mount-options <text>", "further mount options, kept in the superblock")
    .option("--last-mounted <path>", "where it says it was last mounted")
    .addOption(
      new Option("--errors <behaviour>", "what a kernel does on errors (default: continue)").choices([
        "continue",
        "remount-ro",
        "panic",
      ]),
    )
    .option("--check-after <mounts>", "check after so many mounts (default: never)", parseCount)
    .option("--check-interval <days>", "check after so many days (default: never)", parseDays)
    .optionsGroup("Options:");
}

/** The options as the fields of a spec, which have the same names. */
export function ext4FieldsOf(options: Ext4Tuning): RootFilesystemSpec {
  return {
    type: options.type,
    features: mutable(options.features),
    blockSize: options.blockSize,
    inodeSize: options.inodeSize,
    inodes: options.inodes,
    bytesPerInode: options.bytesPerInode,
    journalSize: options.journalSize,
    growTo: options.growTo,
    reserved: options.reserved,
    reservedFor: options.reservedFor,
    rootOwner: options.rootOwner,
    hashSeed: options.hashSeed,
    directoryHash: options.directoryHash,
    nameCharacters: options.nameCharacters,
    stride: options.stride,
    stripeWidth: options.stripeWidth,
    defaultMountOptions: mutable(options.defaultMountOptions),
    mountOptions: options.mountOptions,
    lastMounted: options.lastMounted,
    errors: options.errors,
    checkAfter: options.checkAfter,
    checkInterval: options.checkInterval,
  };
}

function mutable<Item>(list: readonly Item[] | undefined): Item[] | undefined {
  return list && [...list];
}
