import type { BootContext, BootVolume, RawBoot } from "../boot/index.ts";
import { appendAll, formatBytes, MIB, smallestOf } from "../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../errors.ts";
import { bytesContent } from "../extents/index.ts";
import { type Gap, hasType, isEfiSystemPartition, type NumberedPartition } from "../layouts/index.ts";
import { filesystemName } from "./fstab.ts";
import type { PartitionPlan } from "./plan.ts";
import type { Image } from "./spec.ts";

/** A BIOS reads sectors of this size, and so does what it loads. */
const BIOS_SECTOR = 512;

/**
 * What a boot loader is told of an image, before anything has its place.
 *
 * @throws DiskwrightError `INVALID_SPEC` when nothing is mounted at `/`.
 */
export function bootContext(image: Image): BootContext {
  const { layout, root: tree, reader, sectorSize, time } = image;
  const { table, partitions } = layout;
  const root = partitions.find(({ mount }) => mount === "/");
  if (root?.filesystem === undefined) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      "there is nothing to boot: mount a partition at /, or use the boot loader none",
    );
  }
  const uuidOf = (partition: NumberedPartition): string =>
    filesystemName(image, partition, "uuid").slice("UUID=".length);
  const volumes = partitions.flatMap((partition): BootVolume[] => {
    const { mount, filesystem } = partition;
    if (mount === undefined || filesystem === undefined) return [];
    return [{ mount, type: filesystem.type, uuid: uuidOf(partition) }];
  });
  const biosBoot = partitions.find((partition) => hasType(partition, "bios-boot"));
  return {
    tree,
    reader: reader ?? tree.reader,
    table,
    sectorSize,
    esp: partitions.find(isEfiSystemPartition)?.mount,
    xbootldr: partitions.find((partition) => hasType(partition, "xbootldr"))?.mount,
    rootUuid: uuidOf(root),
    volumes,
    // Whether a place whose size is not given is large enough shows when it has one.
    biosRoom: biosBoot && (typeof biosBoot.size === "number" ? biosBoot.size : Number.POSITIVE_INFINITY),
    rootDevice: filesystemName(image, root, table === "none" ? "uuid" : "partuuid"),
    time,
  };
}

/**
 * Checks that the boot loader can read the filesystems that the root and what is mounted in it have.
 *
 * @throws DiskwrightError `INVALID_SPEC` with the features that it cannot read.
 */
export function checkFeatures(image: Image, partitions: readonly PartitionPlan[], warnings: string[]): void {
  const { featureProblems = none, featureWarnings = none } = image.boot ?? {};
  const problems: string[] = [];
  for (const { name, mount, filesystem } of partitions) {
    if (mount === undefined || filesystem?.type !== "ext4") continue;
    const { names } = filesystem.plan.features;
    appendAll(
      problems,
      featureProblems(names).map((problem) => `${name}: ${problem}`),
    );
    appendAll(
      warnings,
      featureWarnings(names).map((warning) => `${name}: ${warning}`),
    );
  }
  throwProblems("INVALID_SPEC", "the boot loader cannot read the filesystems", problems);
}

function none(): readonly string[] {
  return [];
}

/** Boot code and what it loads, in their places. */
export interface PlacedBoot {
  readonly bootCode: Uint8Array;
  /** The partitions, of which one may hold the core image now. */
  readonly partitions: readonly PartitionPlan[];
  /** What lies outside of them, the core image among it unless a partition holds it. */
  readonly gaps: readonly Gap[];
}

/**
 * Places the core image of a boot loader: in the BIOS boot partition of a GPT, or between an MBR and the first
 * partition.
 *
 * @throws DiskwrightError `INVALID_SPEC` when there is no such place, or it is too small.
 */
export function placedBoot(
  image: Image,
  raw: RawBoot,
  partitions: readonly PartitionPlan[],
  gaps: readonly Gap[],
): PlacedBoot {
  if (image.bootCode.length > 0) {
    throw invalid(
      "the boot loader brings its own boot code: leave bootCode out, or use the boot loader none",
    );
  }
  if (image.layout.table === "gpt") {
    const holder = partitions.find((partition) => hasType(partition, "bios-boot"));
    if (holder === undefined) {
      throw invalid(
        "a BIOS finds the boot loader in a partition of the type bios-boot, and the GPT has none: add one of 1M",
      );
    }
    checkRoom(raw, holder.size, `the BIOS boot partition ${holder.name}`);
    const { bootCode, core } = raw.placedAt(holder.offset / BIOS_SECTOR);
    const filled = { ...holder, raw: { content: bytesContent(core) } };
    return { bootCode, gaps, partitions: partitions.map((other) => (other === holder ? filled : other)) };
  }
  const first = smallestOf([...partitions.map(({ offset }) => offset), ...gaps.map(({ offset }) => offset)]);
  checkRoom(raw, first - BIOS_SECTOR, "the gap between the MBR and what comes first on the disk");
  const { bootCode, core } = raw.placedAt(1);
  const gap = {
    name: "core image of the boot loader",
    offset: BIOS_SECTOR,
    raw: { content: bytesContent(core) },
  };
  return { bootCode, partitions, gaps: [gap, ...gaps] };
}

function checkRoom({ size }: RawBoot, room: number, where: string): void {
  if (size <= room) return;
  throw invalid(
    `the core image of the boot loader has ${formatBytes(size)}, ${where} ${formatBytes(Math.max(0, room))}: ` +
      `give it ${formatBytes(MIB)}`,
  );
}

function invalid(message: string): DiskwrightError {
  return new DiskwrightError("INVALID_SPEC", message);
}
