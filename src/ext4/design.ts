import { parseGuid } from "../bytes/index.ts";
import { filesystemSeed } from "./checksum.ts";
import type { DirectoryFormat } from "./directory/directory.ts";
import { chooseFeatures, type Ext4Type, type FeatureSet } from "./features.ts";
import { refuse } from "./refuse.ts";
import { BASE_INODE_SIZE, EXTRA_INODE_SIZE, LONGEST_EXTENT } from "./structures.ts";

/** A block size that this room writes, in bytes. */
export type BlockSize = 1024 | 2048 | 4096;

/** How metadata is protected: not at all, group descriptors by CRC-16 (uninit_bg), everything by CRC-32C. */
export type ChecksumKind = "none" | "crc16" | "crc32c";

/** How names in an indexed directory are hashed. */
export type DirectoryHash = "half_md4" | "tea" | "legacy";

const HASHES: readonly DirectoryHash[] = ["half_md4", "tea", "legacy"];

/** What decides how every structure of a filesystem looks, whatever its size and its content. */
export interface Design {
  readonly blockSize: BlockSize;
  readonly inodeSize: number;
  /** Bytes of an inode behind the fields that are declared; extended attributes go there. */
  readonly inodeRoom: number;
  readonly features: FeatureSet;
  readonly checksums: ChecksumKind;
  readonly uuid: string;
  /** What the checksums of all metadata but the superblock start from; it follows from the UUID. */
  readonly checksumSeed: number;
  /** Bytes of a group descriptor. */
  readonly descriptorSize: 32 | 64;
  readonly hasExtents: boolean;
  /** A file in one piece of up to so many blocks needs no block beside its inode to be found. */
  readonly plainBlocks: number;
  readonly directories: DirectoryFormat;
}

/** What {@link designOf} can be told. */
export interface DesignOptions {
  readonly uuid: string;
  readonly hashSeed: string;
  readonly type?: Ext4Type | undefined;
  readonly features?: readonly string[] | undefined;
  readonly blockSize?: BlockSize | undefined;
  readonly inodeSize?: number | undefined;
  readonly directoryHash?: DirectoryHash | undefined;
  readonly nameCharacters?: "signed" | "unsigned" | undefined;
}

/** An inode without extents points to so many blocks itself (ifork.rst, "Direct/Indirect Block Addressing"). */
const DIRECT_BLOCKS = 12;

/**
 * Settles features and sizes of structures.
 *
 * @throws DiskwrightError `INVALID_FILESYSTEM` for what cannot be.
 */
export function designOf(options: DesignOptions): Design {
  const {
    blockSize = 4096,
    inodeSize = 256,
    directoryHash = "half_md4",
    nameCharacters = "signed",
  } = options;
  const features = chooseFeatures(options.type ?? "ext4", options.features);
  if (![1024, 2048, 4096].includes(blockSize)) refuse(`ext4 block size ${blockSize}: use 1024, 2048 or 4096`);
  if (!HASHES.includes(directoryHash)) refuse(`directory hash "${directoryHash}": use ${HASHES.join(", ")}`);
  if (!["signed", "unsigned"].includes(nameCharacters)) {
    refuse(`name characters "${nameCharacters}": use signed or unsigned`);
  }
  const isPower = Number.isInteger(Math.log2(inodeSize));
  if (!isPower || inodeSize < BASE_INODE_SIZE || inodeSize > blockSize) {
    refuse(
      `inodes of ${inodeSize} bytes: use a power of 2 from ${BASE_INODE_SIZE} to the block size, ${blockSize}`,
    );
  }
  for (const name of ["project", "inline_data"] as const) {
    if (features.has(name) && inodeSize === BASE_INODE_SIZE) {
      refuse(`the feature ${name} needs inodes of 256 bytes or more`);
    }
  }
  const uuid = parseGuid(options.uuid);
  const checksums = features.has("metadata_csum") ? "crc32c" : features.has("uninit_bg") ? "crc16" : "none";
  const hasExtents = features.has("extent");
  return {
    blockSize,
    inodeSize,
    inodeRoom: Math.max(0, inodeSize - BASE_INODE_SIZE - EXTRA_INODE_SIZE),
    features,
    checksums,
    uuid,
    checksumSeed: filesystemSeed(uuid),
    descriptorSize: features.has("64bit") ? 64 : 32,
    hasExtents,
    plainBlocks: hasExtents ? LONGEST_EXTENT : DIRECT_BLOCKS,
    directories: {
      blockSize,
      hasChecksums: checksums === "crc32c",
      hasFileTypes: features.has("filetype"),
      index: features.has("dir_index")
        ? {
            hash: directoryHash,
            seed: parseGuid(options.hashSeed),
            isSigned: nameCharacters === "signed",
            mayBeLarge: features.has("large_dir"),
          }
        : undefined,
    },
  };
}
