import * as v from "valibot";
import { bootFields } from "./boot.ts";
import { rootFilesystem, skipUnsupported } from "./filesystem.ts";
import { gap, partition } from "./partition.ts";
import { sourceFields } from "./sources.ts";
import {
  field,
  flag,
  guid,
  hostPath,
  level,
  list,
  number32,
  oneOf,
  oneOrMore,
  size,
  sizeOr,
  text,
} from "./values.ts";
import { vmFields } from "./vm.ts";

const LAYOUTS = ["none", "legacy", "legacy+gpt", "efi", "efixbootldr", "hybrid"] as const;

const TIME = "seconds since 1970, or a date such as 2026-11-23T12:00:00Z";

/**
 * An image, as a spec file describes it. Every field is an option of the command line, in camel case.
 */
export const specSchema = v.strictObject(
  {
    $schema: field(text, "Where this schema is, for editors."),
    ...sourceFields,
    layout: field(oneOf(...LAYOUTS), "How the disk is divided: one of the presets. Default efi."),
    table: field(oneOf("gpt", "mbr", "none"), "The partition table of a layout of one's own. Default gpt."),
    partitions: field(
      list(partition, "a list of partitions"),
      "A layout of one's own, in the order in which they lie on the disk.",
    ),
    gaps: field(
      list(gap, "a list of gaps"),
      "What lies outside of all partitions, such as a boot loader that firmware reads from a fixed place.",
    ),
    bootCode: field(hostPath, "A file with what a BIOS runs: up to 440 bytes, or a boot sector of 512."),
    ...bootFields,
    ...vmFields,
    size: field(
      sizeOr("auto", "minimal"),
      "The size of the disk. `auto` (default): the smallest that holds everything and the additional space; `minimal`: without that.",
    ),
    additionalSpace: field(size, "With `auto`: the free space in the root filesystem. Default 512M."),
    sizeMultiple: field(
      size,
      "What a computed size of the disk is a multiple of. Default: what its formats ask for.",
    ),
    bootSize: field(size, "The size of the boot partition of a preset. Default 256M."),
    label: field(text, "The label of the root filesystem. Default root; nix-store with onlyNixStore."),
    sectorSize: field(v.picklist([512, 4096], "512 or 4096"), "Bytes of a sector. Default 512."),
    alignment: field(size, "What starts of partitions and computed ends are multiples of. Default 1M."),
    endGap: field(
      size,
      "Bytes at the end of the disk that no partition takes. Default: those of the backup GPT.",
    ),
    gptEntriesAt: field(
      size,
      "Where the primary entries of the GPT start, for boards that read something else behind its header.",
    ),
    protectiveMbrBootable: field(
      flag,
      "Whether the protective partition in front of a GPT is active: some BIOSes start only disks with an active partition. Default false.",
    ),
    protectiveMbrEntry: field(
      oneOf("first", "last"),
      "With hybrid entries: which entry of the MBR the protective partition has. Default last: firmware of old Raspberry Pis reads only the first.",
    ),
    diskGuid: field(guid, "The GUID of the disk. Default: derived from the seed."),
    diskSignature: field(number32, "The signature of the disk (MBR). Default: derived from the seed."),
    rootGuid: field(guid, "The GUID of the root partition. Default: derived from the seed."),
    rootFsUuid: field(guid, "The UUID of the root filesystem. Default: derived from the seed."),
    filesystem: v.optional(rootFilesystem),
    skipUnsupported,
    fstab: field(
      v.union([flag, oneOf("uuid", "partuuid", "label")], "true, false, uuid, partuuid or label"),
      "Writes /etc/fstab from the layout, with filesystems by UUID (true), partition or label.",
    ),
    discoverable: field(
      text,
      "An architecture, such as x86-64: partitions get the types by which systemd finds them.",
    ),
    compat: field(oneOf("nixpkgs"), "Tables, identifiers and sizes as make-disk-image.nix makes them."),
    seed: field(
      text,
      "The text or UUID that all identifiers are derived from. Default: the description and the metadata of the tree, so that two systems never share one.",
    ),
    time: field(
      v.union(
        [
          v.pipe(v.number(TIME), v.safeInteger(TIME), v.minValue(0, TIME)),
          v.pipe(v.string(TIME), v.minLength(1, TIME)),
        ],
        TIME,
      ),
      "The only clock: seconds since 1970, or a date. Default: $SOURCE_DATE_EPOCH, else 1970; later times become it.",
    ),
    format: field(text, "The format of the image. Default: by the name of each output."),
    compressionLevel: field(
      level,
      "How hard compressed formats try: 0 to 9 of deflate (default 6), 1 to 22 of zstd (default 3).",
    ),
    clusterSize: field(size, "Bytes of a cluster of qcow2. Default 64K."),
    zeros: field(
      oneOf("holes", "stored"),
      "Of raw images: `holes` (default) leaves zeros out of the file; `stored` writes the zeros that count, for programs that copy only what a file stores.",
    ),
    ignoreSectorSize: field(
      flag,
      "Writes disks with sectors of 4096 bytes also in formats that cannot say it (VDI, VHD, VMDK, Google's tar.gz), with a warning. Default false: they are refused.",
    ),
    portable: field(
      flag,
      "Compresses with packages in place of the libraries of Node, so that the bytes depend on no version of it.",
    ),
    output: field(
      oneOrMore("the image to write"),
      "The images to write, all in one pass; `-` for standard output, FORMAT:FILE for a format that the name does not say.",
    ),
    spool: field(
      hostPath,
      "A directory for content that cannot be read twice, such as that of a tar on standard input.",
    ),
  },
  "a mapping of fields to values",
);

export type Spec = v.InferOutput<typeof specSchema>;
