import { type Identity, identity, MIB, parseGuid, parseSize } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { Ext4Options } from "../ext4/index.ts";
import {
  defaultBootSize,
  LAYOUT_NAMES,
  type Layout,
  type LayoutName,
  NIXPKGS_ADDITIONAL_SPACE,
  NIXPKGS_BOOT_SIZE,
  NIXPKGS_LABEL,
  NIXPKGS_ROOT_GUID,
  nixpkgsDiskSize,
  nixpkgsLayout,
  numfmtSize,
  presetLayout,
} from "../layouts/index.ts";
import type { Tree } from "../tree/index.ts";

/** What of an ext4 filesystem the image does not decide itself. */
export type RootFilesystemOptions = Omit<Ext4Options, "uuid" | "label" | "size" | "freeBytes" | "time">;

/** A size: bytes, or text such as `"512M"`. */
export type Size = number | string;

/** An image as its maker describes it. */
export interface ImageSpec {
  /** What goes into the image; see {@link LayoutName} for which part goes where. */
  readonly root: Tree;
  /** How the disk is divided. Default `efi`, or `legacy` with `compat`. */
  readonly layout?: LayoutName | undefined;
  /**
   * The size of the disk. Default `"auto"`: the smallest that holds the tree and `additionalSpace`;
   * `"minimal"`: the smallest that holds the tree.
   */
  readonly size?: Size | undefined;
  /** With `"auto"`: the free space in the root filesystem. Default 512 MiB. */
  readonly additionalSpace?: Size | undefined;
  /** The size of the boot partition. Default 256 MiB (260 MiB with sectors of 4096 bytes). */
  readonly bootSize?: Size | undefined;
  /** The label of the root filesystem, up to 16 bytes. Default `root`, or `nixos` with `compat`. */
  readonly label?: string | undefined;
  /** What every identifier is derived from that is not given: a UUID or any text. Default `diskwright`. */
  readonly seed?: string | undefined;
  /**
   * The only clock, in seconds since 1970: the filesystems' own times; later times of entries become this
   * one. Default: 1970 for the filesystems, and entries keep their times.
   */
  readonly time?: number | undefined;
  /** Bytes of a sector: 512 (default) or 4096. */
  readonly sectorSize?: number | undefined;
  /** How the root filesystem is made: features, journal, inodes, reserved space and more. */
  readonly rootFilesystem?: RootFilesystemOptions | undefined;
  /** The GUID of the disk (GPT). Default: derived from the seed. */
  readonly diskGuid?: string | undefined;
  /** The signature of the disk (MBR), 1 … 2^32 - 1. Default: derived from the seed. */
  readonly diskSignature?: number | undefined;
  /** The GUID of the root partition (GPT). Default: derived from the seed. */
  readonly rootGuid?: string | undefined;
  /** The UUID of the root filesystem. Default: derived from the seed. */
  readonly rootFilesystemUuid?: string | undefined;
  /** What FAT cannot hold (symlinks, devices): an error that names it all (default), or left out. */
  readonly unsupported?: "error" | "skip" | undefined;
  /** `nixpkgs`: tables, identifiers and reading of sizes of make-disk-image.nix, bit for bit. */
  readonly compat?: "nixpkgs" | undefined;
}

/** A checked description: everything decided that does not depend on the content. Sizes are in bytes. */
export interface Image {
  readonly root: Tree;
  readonly layout: Layout;
  readonly compat: "nixpkgs" | undefined;
  /** `undefined`: as small as it can be. */
  readonly size: number | undefined;
  readonly additionalSpace: number;
  /** The boot size as make-disk-image.nix reckons with it; used with `compat` only. */
  readonly bootSize: number;
  readonly sectorSize: 512 | 4096;
  readonly time: number | undefined;
  readonly rootFilesystem: RootFilesystemOptions;
  readonly identity: Identity;
  readonly diskGuid: string;
  readonly diskSignature: number;
  readonly rootGuid: string | undefined;
  readonly rootFilesystemUuid: string | undefined;
  readonly unsupported: "error" | "skip";
}

const DEFAULT_ADDITIONAL_SPACE = 512 * MIB;
const DEFAULT_LABEL = "root";
const DEFAULT_SEED = "diskwright";
const LARGEST_SIGNATURE = 2 ** 32 - 1;

/**
 * Checks the description of an image and fills in what it leaves open.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a value that is unusable.
 */
export function image(spec: ImageSpec): Image {
  const { compat, sectorSize = 512 } = spec;
  const name = spec.layout ?? (compat === undefined ? "efi" : "legacy");
  if (!LAYOUT_NAMES.includes(name)) throw invalid(`layout "${name}": use ${LAYOUT_NAMES.join(", ")}`);
  if (sectorSize !== 512 && sectorSize !== 4096) throw invalid(`sector size ${sectorSize}: use 512 or 4096`);
  if (compat !== undefined && sectorSize !== 512)
    throw invalid("--compat nixpkgs knows sectors of 512 bytes only");
  const { diskSignature, time } = spec;
  if (
    diskSignature !== undefined &&
    !(Number.isInteger(diskSignature) && diskSignature > 0 && diskSignature <= LARGEST_SIGNATURE)
  ) {
    throw invalid(`disk signature ${diskSignature}: use a number from 1 to 0xffffffff`);
  }
  if (time !== undefined && !(Number.isSafeInteger(time) && time >= 0)) {
    throw invalid(`time ${time}: use whole seconds since 1970-01-01, not before it`);
  }
  const ids = identity(spec.seed ?? DEFAULT_SEED);
  const rootGuid = spec.rootGuid === undefined ? undefined : parseGuid(spec.rootGuid);
  const sizes = compat === undefined ? ownSizes(spec, sectorSize) : nixpkgsSizes(spec);
  const label = spec.label ?? (compat === undefined ? DEFAULT_LABEL : NIXPKGS_LABEL);
  const layout =
    compat === undefined
      ? presetLayout(name, { sectorSize, bootSize: sizes.bootSize, label })
      : nixpkgsLayout(name, { bootSize: String(spec.bootSize ?? NIXPKGS_BOOT_SIZE), label, rootGuid });
  if (sizes.size !== undefined && sizes.size % sectorSize !== 0) {
    throw invalid(`size of ${sizes.size} bytes: use a multiple of the sector size, ${sectorSize}`);
  }
  const nixpkgsUuid = compat === undefined ? undefined : (rootGuid ?? NIXPKGS_ROOT_GUID);
  return {
    root: spec.root,
    layout,
    compat,
    ...sizes,
    sectorSize,
    time,
    rootFilesystem: spec.rootFilesystem ?? {},
    identity: ids,
    diskGuid: parseGuid(spec.diskGuid ?? layout.diskGuid ?? ids.uuid("disk")),
    diskSignature: diskSignature ?? ids.serial("disk"),
    rootGuid,
    rootFilesystemUuid:
      spec.rootFilesystemUuid === undefined ? nixpkgsUuid : parseGuid(spec.rootFilesystemUuid),
    unsupported: spec.unsupported ?? "error",
  };
}

interface Sizes {
  readonly size: number | undefined;
  readonly additionalSpace: number;
  readonly bootSize: number;
}

function ownSizes(spec: ImageSpec, sectorSize: 512 | 4096): Sizes {
  const bootSize = bytesOf(spec.bootSize ?? defaultBootSize(sectorSize), "boot size");
  if (bootSize === 0 || bootSize % MIB !== 0) {
    throw invalid(`boot size of ${bootSize} bytes: use whole mebibytes, such as 256M`);
  }
  const isMinimal = spec.size === "minimal";
  if (isMinimal && spec.additionalSpace !== undefined) {
    throw invalid('size "minimal" leaves no additional space: use "auto" with it');
  }
  const isComputed = spec.size === undefined || spec.size === "auto" || isMinimal;
  const additionalSpace = isMinimal ? 0 : (spec.additionalSpace ?? DEFAULT_ADDITIONAL_SPACE);
  return {
    size: isComputed ? undefined : bytesOf(spec.size!, "size"),
    additionalSpace: bytesOf(additionalSpace, "additional space"),
    bootSize,
  };
}

function nixpkgsSizes(spec: ImageSpec): Sizes {
  const isAuto = spec.size === undefined || spec.size === "auto";
  return {
    size: isAuto ? undefined : nixpkgsDiskSize(String(spec.size)),
    additionalSpace: numfmtSize(String(spec.additionalSpace ?? NIXPKGS_ADDITIONAL_SPACE), "additional space"),
    // Its formula reads the text by numfmt, whatever parted makes of it; a fixed size does not need it.
    bootSize: isAuto ? numfmtSize(String(spec.bootSize ?? NIXPKGS_BOOT_SIZE), "boot size") : 0,
  };
}

function bytesOf(size: Size, what: string): number {
  const bytes = typeof size === "number" ? size : parseSize(size);
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
  throw invalid(`${what} of ${size} bytes: use a whole number`);
}

function invalid(message: string): DiskwrightError {
  return new DiskwrightError("INVALID_SPEC", message);
}
