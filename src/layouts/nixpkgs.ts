import { MIB } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { PARTED_FILE_GEOMETRY } from "../mbr/index.ts";
import type { Layout, LayoutName, LayoutPartition } from "./layout.ts";

// The layouts as make-disk-image.nix makes them with parted 3.5 and sgdisk 1.0.9, to the bit: its
// identifiers, its reading of sizes, and its mistakes.

/** What that program calls `bootSize` when it is not given. */
export const NIXPKGS_BOOT_SIZE = "256M";
/** What it calls `additionalSpace` when it is not given. */
export const NIXPKGS_ADDITIONAL_SPACE = "512M";
/** The label of its root filesystem, unless it holds a Nix store only. */
export const NIXPKGS_LABEL = "nixos";

/** The label of a root filesystem that holds a Nix store only. */
export const NIX_STORE_LABEL = "nix-store";
/** `rootGPUID`: the GUID of its root partition, and the UUID of the root filesystem. */
export const NIXPKGS_ROOT_GUID = "f222513b-ded1-49fa-b591-20ce86a2fe7f";

/** Its disk GUID lacks a digit; this is what sgdisk makes of it. */
const DISK_GUID = "97fd5997-f390-0b4a-a3f8-d106c1723aea";
const FIRST_GUID = "1c06f03b-704e-4657-b9cd-681a087a2fdc";
const SECOND_GUID = "970c694f-afd0-4b99-b750-cdb7a329ab6f";

const SECTOR = 512;
/** What "-1" leaves behind a partition that is not aligned: 10^6 bytes in whole sectors, less its last one. */
const UNALIGNED_TAIL = 1952 * SECTOR;
const ESP_START = 8 * MIB;
const MBR_LINUX = 0x83;

/** What shapes a layout in that program's terms. */
export interface NixpkgsOptions {
  /** `bootSize`, as text: parted takes it for where the boot partition ends. */
  readonly bootSize: string;
  readonly label: string;
  /** `rootGPUID`, when it is given. */
  readonly rootGuid?: string | undefined;
}

/** A layout as make-disk-image.nix makes it. */
export function nixpkgsLayout(name: LayoutName, options: NixpkgsOptions): Layout {
  const { label, rootGuid = NIXPKGS_ROOT_GUID } = options;
  const root = (
    number: number,
    start: number | undefined,
    rootName: string,
    guid: string,
  ): LayoutPartition => ({
    name: rootName,
    number,
    type: "linux-generic",
    start,
    size: "rest",
    guid,
    filesystem: { type: "ext4", label },
    mount: "/",
  });
  const esp = (mount: string, end: number): LayoutPartition => ({
    name: "ESP",
    number: 1,
    type: "esp",
    start: ESP_START,
    size: end - ESP_START,
    guid: FIRST_GUID,
    filesystem: { type: "fat", label: "ESP" },
    mount,
  });
  const biosBoot = (number: number, start: number, end: number, guid: string): LayoutPartition => ({
    name: "no-fs",
    number,
    type: "bios-boot",
    start,
    size: end - start,
    guid,
  });
  // "-1" is one megabyte before the end. parted moves it to a boundary of 1 MiB, but only where the start is
  // on one as well.
  const gpt = (partitions: readonly LayoutPartition[]): Layout => ({
    name,
    table: "gpt",
    partitions,
    ...(partitions.at(-1)!.start! % MIB === 0
      ? { endGap: MIB }
      : { endGap: UNALIGNED_TAIL, alignment: SECTOR }),
    diskGuid: DISK_GUID,
  });
  switch (name) {
    case "none":
      return { name, table: "none", partitions: [root(0, undefined, "root", rootGuid)] };
    case "legacy":
      return {
        name,
        table: "mbr",
        partitions: [{ ...root(1, MIB, "primary", rootGuid), type: MBR_LINUX }],
        endGap: MIB,
        geometry: PARTED_FILE_GEOMETRY,
      };
    case "legacy+gpt":
      // It gives the root's GUID to a third partition, which does not exist; the second one keeps another.
      return gpt([
        biosBoot(1, MIB, 2 * MIB, FIRST_GUID),
        root(2, 2 * MIB, "primary", options.rootGuid ?? SECOND_GUID),
      ]);
    case "efi": {
      const boundary = bootBoundary(options.bootSize, ESP_START);
      return gpt([esp("/boot", boundary.end), root(2, boundary.next, "primary", rootGuid)]);
    }
    case "efixbootldr": {
      const start = 100 * MIB;
      const boundary = bootBoundary(options.bootSize, start);
      const xbootldr: LayoutPartition = {
        name: "BOOT",
        number: 2,
        type: "xbootldr",
        start,
        size: boundary.end - start,
        guid: SECOND_GUID,
        filesystem: { type: "fat", label: "BOOT" },
        mount: "/boot",
      };
      return gpt([esp("/efi", start), xbootldr, root(3, boundary.next, "ROOT", rootGuid)]);
    }
    case "hybrid": {
      const boundary = bootBoundary(options.bootSize, ESP_START);
      // "1024KiB" is no unit that parted ends a partition before: the sector at 1 MiB belongs to it.
      return gpt([
        biosBoot(2, 34 * SECTOR, 2049 * SECTOR, SECOND_GUID),
        esp("/boot", boundary.end),
        root(3, boundary.next, "primary", rootGuid),
      ]);
    }
  }
}

/** Where a boot partition ends, and where the next one starts, in bytes. */
interface Boundary {
  readonly end: number;
  readonly next: number;
}

function bootBoundary(text: string, start: number): Boundary {
  const boundary = partedBoundary(text);
  if (boundary.end > start) return boundary;
  throw new DiskwrightError(
    "INVALID_SPEC",
    `boot size "${text}": with --compat nixpkgs this is where the boot partition ends, and it starts at ${start / MIB} MiB: use more`,
  );
}

/**
 * The smallest `bootSize` with which a boot partition from `start` reaches up to `end`, in bytes. Both parted and
 * numfmt, which read it when the disk has no size of its own, know `M`.
 */
export function nixpkgsBootSize(start: number, end: number): string {
  let megabytes = Math.floor(start / 1e6) + 1;
  while (partedBoundary(`${megabytes}M`).end < end) megabytes++;
  return `${megabytes}M`;
}

const DECIMAL: Readonly<Record<string, number>> = {
  "": 1e6,
  B: 1,
  K: 1e3,
  KB: 1e3,
  M: 1e6,
  MB: 1e6,
  G: 1e9,
  GB: 1e9,
  T: 1e12,
  TB: 1e12,
};
const BINARY: Readonly<Record<string, number>> = { KIB: 1024, MIB, GIB: 1024 * MIB, TIB: 1024 * 1024 * MIB };

/**
 * A position as parted reads it. Decimal units (`M` is 10^6) stand for a range of half a unit to both sides,
 * in which parted takes the nearest boundary of 1 MiB; where there is none, it takes the very sector.
 */
function partedBoundary(text: string): Boundary {
  const match = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(text);
  const suffix = match?.[2]?.toUpperCase() ?? "";
  const binary = BINARY[suffix];
  if (match !== null && binary !== undefined) {
    const sector = Math.floor((Number(match[1]) * binary) / SECTOR);
    return { end: sector * SECTOR, next: sector * SECTOR };
  }
  const unit = DECIMAL[suffix];
  if (match === null || unit === undefined) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `boot size "${text}": with --compat nixpkgs it is read as parted reads it: a number with M, MB, MiB, G, GB or GiB`,
    );
  }
  const sector = Math.floor((Number(match[1]) * unit) / SECTOR);
  const aligned = Math.round(sector / 2048) * 2048;
  const reach = unit === 1 ? 0 : Math.floor(unit / SECTOR / 2);
  if (Math.abs(aligned - sector) <= reach) return { end: aligned * SECTOR, next: aligned * SECTOR };
  return { end: (sector + 1) * SECTOR, next: (sector + 1) * SECTOR };
}

/** A size as `numfmt --from=iec` reads it: one letter for a power of 1024, rounded up to whole bytes. */
export function numfmtSize(text: string, what: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGTPE]?)$/.exec(text);
  if (match === null) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `${what} "${text}": with --compat nixpkgs it is read by numfmt: a number, with K, M, G or T for powers of 1024`,
    );
  }
  const power = match[2] === "" ? 0 : "KMGTPE".indexOf(match[2]!) + 1;
  return Math.ceil(Number(match[1]) * 1024 ** power);
}

/** `diskSize`: a number of mebibytes. The `M` that the program appends itself may be written. */
export function nixpkgsDiskSize(text: string): number {
  const match = /^(\d+)M?$/.exec(text);
  if (match !== null && Number(match[1]) > 0) return Number(match[1]) * MIB;
  throw new DiskwrightError(
    "INVALID_SPEC",
    `size "${text}": with --compat nixpkgs it is "auto" or a whole number of mebibytes, such as 2048`,
  );
}
