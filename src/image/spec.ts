import { checkArgument } from "../arguments/index.ts";
import { type BootInstallation, withInstallation } from "../boot/index.ts";
import { formatBytes, type Identity, MIB, parseGuid, parseSize, printable, utf8 } from "../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../errors.ts";
import type { ContentReader } from "../extents/index.ts";
import {
  defaultBootSize,
  discoverable,
  type Ext4Tuning,
  LAYOUT_NAMES,
  type Layout,
  type LayoutName,
  type LayoutPartition,
  layoutProblems,
  NIXPKGS_ADDITIONAL_SPACE,
  NIXPKGS_BOOT_SIZE,
  NIXPKGS_LABEL,
  NIXPKGS_ROOT_GUID,
  type NumberedLayout,
  nixpkgsDiskSize,
  nixpkgsLayout,
  numbered,
  numfmtSize,
  presetLayout,
} from "../layouts/index.ts";
import { PARTED_FILE_GEOMETRY } from "../mbr/index.ts";
import { instead } from "../tables/index.ts";
import type { Tree } from "../tree/index.ts";
import { imageSpecKind } from "./arguments.ts";
import { imageIdentity } from "./identity.ts";

/** A size: bytes, or text such as `"512M"`. */
export type Size = number | string;

/** What a line of fstab names a filesystem by. */
export type FstabSource = "uuid" | "partuuid" | "label";

/** An image as its maker describes it. */
export interface ImageSpec {
  /** What goes into the image: below each mount point what goes to the partition that is mounted there. */
  readonly root: Tree;
  /** How the disk is divided: a preset, or a layout of one's own. Default `efi`, or `legacy` with `compat`. */
  readonly layout?: LayoutName | Layout | undefined;
  /**
   * The size of the disk. Default `"auto"`: the smallest that holds the tree and `additionalSpace`;
   * `"minimal"`: the smallest that holds the tree.
   */
  readonly size?: Size | undefined;
  /** With `"auto"`: the free space in the root filesystem. Default 512 MiB. */
  readonly additionalSpace?: Size | undefined;
  /** What a computed size of the disk is a multiple of, in bytes: some clouds ask for whole gibibytes. */
  readonly sizeMultiple?: number | undefined;
  /** The size of the boot partition of a preset. Default 256 MiB (260 MiB with sectors of 4096 bytes). */
  readonly bootSize?: Size | undefined;
  /** The label of the root filesystem, up to 16 bytes. Default `root`, or `nixos` with `compat`. */
  readonly label?: string | undefined;
  /**
   * What every identifier is derived from that is not given: a UUID or any text. Default: this description and the
   * metadata of what the image holds, so that two systems never have the same identifiers. A seed keeps them the same
   * from one version of a system to the next.
   */
  readonly seed?: string | undefined;
  /**
   * Without a seed: what else tells this image from others with the same tree and layout, as text. A spec file gives
   * what it says of the boot loader.
   */
  readonly variant?: string | undefined;
  /**
   * The only clock, in seconds since 1970: the filesystems' own times; later times of entries become this
   * one. Default: 1970 for the filesystems, and entries keep their times.
   */
  readonly time?: number | undefined;
  /** Bytes of a sector: 512 (default) or 4096. */
  readonly sectorSize?: number | undefined;
  /** How the root filesystem is made: features, journal, inodes, reserved space and more. */
  readonly rootFilesystem?: Ext4Tuning | undefined;
  /** The GUID of the disk (GPT). Default: derived from the seed. */
  readonly diskGuid?: string | undefined;
  /** The signature of the disk (MBR), 1 … 2^32 - 1. Default: derived from the seed. */
  readonly diskSignature?: number | undefined;
  /** The GUID of the root partition (GPT). Default: derived from the seed. */
  readonly rootGuid?: string | undefined;
  /** The UUID of the root filesystem. Default: derived from the seed. */
  readonly rootFilesystemUuid?: string | undefined;
  /** Whether the protective partition of a GPT is active, for BIOSes that start nothing else. Default: as the layout says. */
  readonly protectiveMbrBootable?: boolean | undefined;
  /** What a BIOS runs, up to 440 bytes at the start of the disk. Default none. */
  readonly bootCode?: Uint8Array | undefined;
  /** What makes it boot, as a boot loader of `diskwright/boot` gives it for the {@link bootContext}. */
  readonly boot?: BootInstallation | undefined;
  /** What FAT cannot hold (symlinks, devices): an error that names it all (default), or left out. */
  readonly unsupported?: "error" | "skip" | undefined;
  /** Writes /etc/fstab from the layout, with filesystems named by this. Default: none is written. */
  readonly fstab?: FstabSource | undefined;
  /**
   * An architecture such as `x86-64`: partitions get the types by which systemd finds them (Discoverable
   * Partitions Specification), and a boot partition says that its entries follow the Boot Loader Specification.
   */
  readonly discoverable?: string | undefined;
  /** `nixpkgs`: tables, identifiers and reading of sizes of make-disk-image.nix, bit for bit. */
  readonly compat?: "nixpkgs" | undefined;
  /** What opens the files of the host that raw content refers to. Default: that of the tree. */
  readonly reader?: ContentReader | undefined;
}

/** A checked description: everything decided that does not depend on the content. Sizes are in bytes. */
export interface Image {
  /** The tree, with what makes it boot. */
  readonly root: Tree;
  readonly layout: NumberedLayout;
  readonly compat: "nixpkgs" | undefined;
  /** `undefined`: as small as it can be. */
  readonly size: number | undefined;
  /** With a computed size: the free space in the root filesystem. */
  readonly additionalSpace: number;
  /** What a computed size is a multiple of. */
  readonly sizeMultiple: number;
  /** The boot size as make-disk-image.nix reckons with it; used with `compat` only. */
  readonly bootSize: number | undefined;
  readonly sectorSize: 512 | 4096;
  readonly time: number | undefined;
  readonly identity: Identity;
  readonly diskGuid: string;
  readonly diskSignature: number;
  readonly bootCode: Uint8Array;
  readonly boot: BootInstallation | undefined;
  readonly unsupported: "error" | "skip";
  readonly fstab: FstabSource | undefined;
  readonly discoverable: string | undefined;
  readonly reader: ContentReader | undefined;
}

const DEFAULT_ADDITIONAL_SPACE = 512 * MIB;
const DEFAULT_LABEL = "root";
const LARGEST_SIGNATURE = 2 ** 32 - 1;

/**
 * Checks the description of an image and fills in what it leaves open.
 *
 * @throws TypeError for a value of another type, and a field that is not known.
 * @throws DiskwrightError `INVALID_SPEC` for a value that is unusable.
 */
export function image(spec: ImageSpec): Image {
  checkArgument("spec", spec, imageSpecKind);
  const { compat, sectorSize = 512 } = spec;
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
  const { sizeMultiple = 1 } = spec;
  if (!(Number.isSafeInteger(sizeMultiple) && sizeMultiple > 0)) {
    throw invalid(`size multiple of ${sizeMultiple} bytes: use a whole number, 1 or more`);
  }
  const sizes = compat === undefined ? ownSizes(spec) : nixpkgsSizes(spec);
  const layout = layoutOf(spec, sectorSize);
  if (sizes.size !== undefined && sizes.size % sectorSize !== 0) {
    throw invalid(`size of ${formatBytes(sizes.size)}: use a multiple of the sector size, ${sectorSize}`);
  }
  const ids = imageIdentity({ spec, layout, sizes, sectorSize });
  return {
    root: spec.boot === undefined ? spec.root : withInstallation(spec.root, spec.boot, spec.time),
    layout,
    compat,
    ...sizes,
    sizeMultiple,
    sectorSize,
    time,
    identity: ids,
    diskGuid: parseGuid(spec.diskGuid ?? layout.diskGuid ?? ids.uuid("disk")),
    diskSignature: diskSignature ?? ids.serial("disk"),
    bootCode: spec.bootCode ?? new Uint8Array(0),
    boot: spec.boot,
    unsupported: spec.unsupported ?? "error",
    fstab: spec.fstab,
    discoverable: spec.discoverable,
    reader: spec.reader,
  };
}

/** The layout with all that the description says of it elsewhere. */
function layoutOf(spec: ImageSpec, sectorSize: 512 | 4096): NumberedLayout {
  const { compat } = spec;
  const chosen = spec.layout ?? (compat === undefined ? "efi" : "legacy");
  const described = typeof chosen === "string" ? preset(chosen, spec, sectorSize) : chosen;
  const { protectiveMbrBootable = described.protectiveMbrBootable } = spec;
  const layout = protectiveMbrBootable === undefined ? described : { ...described, protectiveMbrBootable };
  throwProblems("INVALID_SPEC", "the partitions are described wrongly", layoutProblems(layout, sectorSize));
  const withRoot = {
    ...layout,
    partitions: layout.partitions.map((partition) =>
      partition.mount === "/" ? rootPartition(partition, spec) : partition,
    ),
    ...(compat !== undefined && layout.table === "mbr" ? { geometry: PARTED_FILE_GEOMETRY } : {}),
  };
  const { discoverable: architecture } = spec;
  return numbered(architecture === undefined ? withRoot : discoverable(withRoot, architecture));
}

function preset(name: string, spec: ImageSpec, sectorSize: 512 | 4096): Layout {
  const { compat, bootSize, label } = spec;
  if (!isLayoutName(name)) throw invalid(`layout "${printable(utf8(name))}": ${insteadOfLayout(name)}`);
  if (compat !== undefined) {
    return nixpkgsLayout(name, {
      bootSize: String(bootSize ?? NIXPKGS_BOOT_SIZE),
      label: label ?? NIXPKGS_LABEL,
      rootGuid: spec.rootGuid === undefined ? undefined : parseGuid(spec.rootGuid),
    });
  }
  const bytes = bytesOf(bootSize ?? defaultBootSize(sectorSize), "boot size");
  if (bytes === 0 || bytes % MIB !== 0) {
    throw invalid(`boot size of ${bytes} bytes: use whole mebibytes, such as 256M`);
  }
  return presetLayout(name, { sectorSize, bootSize: bytes, label: label ?? DEFAULT_LABEL });
}

/** What others call what a layout has. */
const OTHER_LAYOUT_NAMES: Readonly<Record<string, LayoutName>> = {
  mbr: "legacy",
  msdos: "legacy",
  dos: "legacy",
  bios: "legacy",
  gpt: "efi",
  uefi: "efi",
};

function insteadOfLayout(name: string): string {
  return instead(name, LAYOUT_NAMES, LAYOUT_NAMES.join(", "), OTHER_LAYOUT_NAMES);
}

function isLayoutName(name: string): name is LayoutName {
  return (LAYOUT_NAMES as readonly string[]).includes(name);
}

/** The root partition with what the description says of the root by fields of its own. */
function rootPartition(partition: LayoutPartition, spec: ImageSpec): LayoutPartition {
  const { filesystem } = partition;
  const guid = spec.rootGuid === undefined ? partition.guid : parseGuid(spec.rootGuid);
  if (filesystem?.type !== "ext4") return { ...partition, guid };
  const compatUuid = spec.compat === undefined ? undefined : (spec.rootGuid ?? NIXPKGS_ROOT_GUID);
  const uuid = spec.rootFilesystemUuid ?? filesystem.uuid ?? compatUuid;
  return {
    ...partition,
    guid,
    filesystem: {
      ...filesystem,
      label: spec.label ?? filesystem.label,
      uuid: uuid === undefined ? undefined : parseGuid(uuid),
      options: { ...filesystem.options, ...given(spec.rootFilesystem ?? {}) },
    },
  };
}

/** The fields that have a value. */
function given<Fields extends object>(fields: Fields): Partial<Fields> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Partial<Fields>;
}

interface Sizes {
  readonly size: number | undefined;
  readonly additionalSpace: number;
  readonly bootSize: number | undefined;
}

function ownSizes(spec: ImageSpec): Sizes {
  const isMinimal = spec.size === "minimal";
  if (isMinimal && spec.additionalSpace !== undefined) {
    throw invalid('size "minimal" leaves no additional space: use "auto" with it');
  }
  const isComputed = spec.size === undefined || spec.size === "auto" || isMinimal;
  const additionalSpace = isMinimal ? 0 : (spec.additionalSpace ?? DEFAULT_ADDITIONAL_SPACE);
  return {
    size: isComputed ? undefined : bytesOf(spec.size!, "size"),
    additionalSpace: bytesOf(additionalSpace, "additional space"),
    bootSize: undefined,
  };
}

function nixpkgsSizes(spec: ImageSpec): Sizes {
  const isAuto = spec.size === undefined || spec.size === "auto";
  const hasBoot =
    typeof spec.layout === "object" ? spec.bootSize !== undefined : spec.layout !== "legacy+gpt";
  return {
    size: isAuto ? undefined : nixpkgsDiskSize(String(spec.size)),
    additionalSpace: numfmtSize(String(spec.additionalSpace ?? NIXPKGS_ADDITIONAL_SPACE), "additional space"),
    // Its formula reads the text by numfmt, whatever parted makes of it; a fixed size does not need it.
    bootSize:
      isAuto && hasBoot ? numfmtSize(String(spec.bootSize ?? NIXPKGS_BOOT_SIZE), "boot size") : undefined,
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
