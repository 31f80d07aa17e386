import { type Command, InvalidArgumentError, Option } from "commander";
import type { LayoutName } from "../layouts/index.ts";

/** The options that decide what goes in, once commander has read them. */
export interface SourceOptions {
  readonly owner?: Owner;
  readonly exclude?: readonly string[];
  readonly time?: number;
  readonly seed?: string;
}

/** Where the image goes, and what is said of it. */
export interface OutputOptions {
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** What `build` and `plan` have in common. */
export interface ImageOptions extends SourceOptions {
  readonly root: string;
  readonly layout?: LayoutName;
  readonly size?: string;
  readonly additionalSpace?: string;
  readonly bootSize?: string;
  readonly label?: string;
  readonly sectorSize?: number;
  readonly reserved?: number;
  readonly diskGuid?: string;
  readonly diskSignature?: number;
  readonly rootGuid?: string;
  readonly rootFsUuid?: string;
  readonly skipUnsupported?: boolean;
  readonly compat?: "nixpkgs";
  readonly format?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** An owner and group for every entry. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const LARGEST_ID = 2 ** 32 - 1;

/** `UID:GID`, as numbers. */
export function parseOwner(text: string): Owner {
  const match = /^(\d+):(\d+)$/.exec(text);
  const [uid, gid] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || uid > LARGEST_ID || gid > LARGEST_ID) {
    throw new InvalidArgumentError("Use two numbers up to 4294967295, such as 0:0 or 1000:100.");
  }
  return { uid, gid };
}

/** Seconds since 1970 as a number, or a date as ISO 8601 writes it. */
export function parseTime(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const isIso = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  const milliseconds = isIso ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(milliseconds) || milliseconds < 0) {
    throw new InvalidArgumentError(
      "Use seconds since 1970, or a date such as 2026-11-23 or 2026-11-23T12:00:00Z.",
    );
  }
  return Math.floor(milliseconds / 1000);
}

/** The clock of reproducible builds (reproducible-builds.org/specs/source-date-epoch). */
export function sourceDateEpoch(): number | undefined {
  const text = process.env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") return undefined;
  if (!/^\d+$/.test(text)) {
    throw new InvalidArgumentError(`SOURCE_DATE_EPOCH is "${text}": it must be whole seconds since 1970.`);
  }
  return Number(text);
}

function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Use a whole number.");
  return Number(text);
}

function parsePercent(text: string): number {
  const value = Number(text.replace(/%$/, ""));
  if (!/^\d+(\.\d+)?%?$/.test(text) || value > 50)
    throw new InvalidArgumentError("Use a number from 0 to 50.");
  return value;
}

function parseSignature(text: string): number {
  const value = /^0x[0-9a-f]{1,8}$/i.test(text) || /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0 && value < 2 ** 32))
    throw new InvalidArgumentError("Use a number such as 0x0b49b940, not zero.");
  return value;
}

function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

/** The options that decide what goes in, for every command that reads a directory. */
export function addSourceOptions(command: Command): Command {
  return command
    .option("--owner <uid:gid>", "give every file this owner and group", parseOwner)
    .option("--exclude <glob>", "leave out what matches; may be given again", collect)
    .option(
      "--time <seconds|date>",
      "the only clock (default: $SOURCE_DATE_EPOCH, else 1970); later times become it",
      parseTime,
    )
    .option("--seed <text>", 'what all identifiers are derived from (default: "diskwright")');
}

/** The options of `build` and `plan`. */
export function addImageOptions(command: Command): Command {
  command
    .requiredOption("--root <directory>", "the tree that goes into the image")
    .option("--layout <name>", "how the disk is divided, see below (default: efi)")
    .option(
      "--size <size>",
      'size of the disk, or "auto": as small as the tree and the additional space allow',
    )
    .option(
      "--additional-space <size>",
      "free space in the root filesystem when the size is auto (default: 512M)",
    )
    .option("--boot-size <size>", "size of the boot partition (default: 256M)")
    .option("--label <text>", "label of the root filesystem (default: root)");
  addSourceOptions(command);
  return command
    .option(
      "--reserved <percent>",
      "share of the root filesystem that only root may fill (default: 5)",
      parsePercent,
    )
    .addOption(
      new Option("--sector-size <bytes>", "bytes of a sector (default: 512)")
        .choices(["512", "4096"])
        .argParser(parseSector),
    )
    .option("--disk-guid <guid>", "GUID of the disk (GPT)")
    .option("--disk-signature <number>", "signature of the disk (MBR)", parseSignature)
    .option("--root-guid <guid>", "GUID of the root partition (GPT)")
    .option("--root-fs-uuid <uuid>", "UUID of the root filesystem")
    .option("--skip-unsupported", "leave out what FAT cannot hold (symlinks, devices) instead of refusing it")
    .addOption(
      new Option("--compat <program>", "tables, identifiers and sizes as another program makes them").choices(
        ["nixpkgs"],
      ),
    )
    .option("--format <name>", "format of the image: raw (default: by the name of the output)");
}

function parseSector(text: string): number {
  if (text !== "512" && text !== "4096") throw new InvalidArgumentError("Use 512 or 4096.");
  return Number(text);
}

/** The options of `mkfs`. */
export function addFilesystemOptions(command: Command): Command {
  command
    .option("--size <size>", "size of the filesystem (default: the smallest that holds the tree)")
    .option("--additional-space <size>", "free space to leave when no size is given (default: 0)")
    .option("--label <text>", "label of the filesystem");
  return addSourceOptions(command);
}

/** The options of `mkfs ext4`. */
export function addExt4Options(command: Command): Command {
  return addFilesystemOptions(command)
    .option("--uuid <uuid>", "UUID of the filesystem (default: derived from the seed)")
    .option("--block-size <bytes>", "1024, 2048 or 4096 (default: 4096)", parseCount)
    .option("--inodes <count>", "how many inodes there must be at least", parseCount)
    .option("--reserved <percent>", "share that only root may fill (default: 5)", parsePercent);
}

/** The options of `mkfs fat`. */
export function addFatOptions(command: Command): Command {
  return addFilesystemOptions(command)
    .addOption(
      new Option(
        "--bits <type>",
        "12, 16, 32, or auto: the largest that the size allows (default: 32)",
      ).choices(["12", "16", "32", "auto"]),
    )
    .addOption(
      new Option("--sector-size <bytes>", "bytes of a sector (default: 512)").choices([
        "512",
        "1024",
        "2048",
        "4096",
      ]),
    )
    .option(
      "--serial <number>",
      "serial number, such as 0x1234abcd (default: derived from the seed)",
      parseSignature,
    )
    .option(
      "--skip-unsupported",
      "leave out what FAT cannot hold (symlinks, devices) instead of refusing it",
    );
}

/** Where the image goes, and what is said of it. */
export function addOutputOptions(command: Command): Command {
  return command
    .requiredOption("-o, --output <file>", "the image to write; - for standard output")
    .option("--force", "write into an output that is a device or a pipe")
    .option("--json", "describe on standard output, as JSON, what was written")
    .option("-q, --quiet", "say nothing unless something is wrong");
}
