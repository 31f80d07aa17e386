import { join } from "node:path";
import { checkArgument, routine } from "../arguments/index.ts";
import type { Disk } from "../container/index.ts";
import { harvest } from "../harvest/index.ts";
import {
  filesystemName,
  type ImagePlan,
  imagePlanKind,
  type PartitionPlan,
  plan,
  write,
} from "../image/index.ts";
import { type FileSource, fileSource, fileTarget, RawFileDisk } from "../node/index.ts";
import { imageStepKind } from "./arguments.ts";
import type { VmLink, VmMount } from "./init-script.ts";
import { findKernel, type Kernel, type KernelOptions } from "./kernel.ts";
import { runInImage, type VmDone, type VmOptions, type VmPlanned } from "./run.ts";
import { scratchStem, withScratch } from "./scratch.ts";
import { type SystemFiles, treeFiles } from "./system-files.ts";

/** A script that is to be run inside an image that is being built. */
export interface ImageStep
  extends Omit<VmOptions, "image" | "sectorSize" | "root" | "mounts" | "links" | "kernel" | "dryRun"> {
  /** Which kernel of the image runs it. Default: the newest. */
  readonly kernel?: KernelOptions | Kernel | undefined;
  /** Further names of the disk below `/dev`, such as `/dev/sda`, for what a boot loader's installer is told. */
  readonly devices?: readonly string[] | undefined;
  /**
   * Keep the filesystems as the machine leaves them: with its times, its random numbers, and what lies in their free
   * blocks, so that no two runs give the same bytes. Default: what they hold is written anew.
   */
  readonly isInPlace?: boolean | undefined;
  /** Where the disk is kept meanwhile. Default: the system's place for such files. */
  readonly directory?: string | undefined;
}

/** What an image is after a script ran inside of it: to be written anew, or as the machine left it. */
export type SteppedImage =
  | { readonly result: VmDone; readonly plan: ImagePlan }
  | { readonly result: VmDone; readonly disk: Disk };

/**
 * Writes a planned image into a file that is removed afterwards, runs a script inside of it, and gives the image to
 * `use` as it is then. No output is touched before `use` is called.
 *
 * @throws DiskwrightError as {@link runInImage} throws it; what writing, reading and `use` throw.
 */
export async function runInPlannedImage<Result>(
  planned: ImagePlan,
  step: ImageStep,
  use: (image: SteppedImage) => Promise<Result>,
): Promise<Result> {
  checkArgument("planned", planned, imagePlanKind);
  checkArgument("step", step, imageStepKind);
  checkArgument("use", use, routine);
  const { directory, isInPlace = false, devices, ...machine } = step;
  const kernel = await kernelOf(planned, step);
  return await withScratch(async (scratch) => {
    const path = join(scratch, "disk.img");
    await write(planned, fileTarget(path), { signal: step.signal });
    const result = await runInImage({ ...machine, ...stepPlaces(planned, devices), image: path, kernel });
    const file = fileSource(path);
    try {
      return await use(
        isInPlace
          ? { result: result as VmDone, disk: new RawFileDisk(file) }
          : { result: result as VmDone, plan: await planAgain(file, planned) },
      );
    } finally {
      file.close();
    }
  }, directory);
}

/** The image that holds what the disk holds now. Its boot loader is among what is copied. */
async function planAgain(disk: FileSource, before: ImagePlan): Promise<ImagePlan> {
  const harvested = await harvest(disk, before);
  const planned = plan(harvested.image);
  // What was told of the image before is not told again.
  const warnings = planned.warnings.filter((warning) => !before.warnings.includes(warning));
  return { ...planned, warnings: [...harvested.warnings, ...warnings] };
}

/** What {@link runInPlannedImage} would run. */
export async function planStep(planned: ImagePlan, step: ImageStep): Promise<VmPlanned> {
  checkArgument("planned", planned, imagePlanKind);
  checkArgument("step", step, imageStepKind);
  const { directory, isInPlace, devices, ...machine } = step;
  const kernel = await kernelOf(planned, step);
  const image = join(`${scratchStem(directory)}XXXXXX`, "disk.img");
  const places = stepPlaces(planned, devices);
  return (await runInImage({ ...machine, ...places, image, kernel, dryRun: true })) as VmPlanned;
}

async function kernelOf(planned: ImagePlan, { kernel = {} }: ImageStep): Promise<Kernel> {
  return "bytes" in kernel ? kernel : await findKernel(mountedFiles(planned), kernel);
}

/** The files of an image as the running system sees them. */
function mountedFiles({ partitions, image }: ImagePlan): SystemFiles {
  const mounted = partitions
    .flatMap(({ mount, filesystem }) => {
      if (mount === undefined || filesystem === undefined) return [];
      const { tree } = filesystem.plan;
      const files = treeFiles(tree, image.reader ?? tree.reader);
      return [{ mount: mount === "/" ? "" : mount, files }];
    })
    .sort((a, b) => b.mount.length - a.mount.length);
  return {
    look(path) {
      const holder = mounted.find(({ mount }) => path === mount || path.startsWith(`${mount}/`));
      return holder?.files.look(path.slice(holder.mount.length) || "/");
    },
  };
}

/** Where a machine finds what the plan mounts, and the names that udev(7) would give it. */
export function stepPlaces(
  planned: ImagePlan,
  devices: readonly string[] = [],
): Pick<VmOptions, "sectorSize" | "root" | "mounts" | "links"> {
  const { partitions, image } = planned;
  const root = partitions.find(({ mount }) => mount === "/");
  const mounts = partitions.flatMap(({ number, mount, filesystem }): VmMount[] => {
    if (mount === undefined || mount === "/" || filesystem === undefined) return [];
    return [{ partition: number, path: mount, type: filesystem.type === "fat" ? "vfat" : "ext4" }];
  });
  return {
    sectorSize: image.sectorSize,
    root: { partition: root?.number ?? 0 },
    mounts,
    links: [
      ...devices.map((path) => ({ path, partition: 0 })),
      ...partitions.flatMap((partition) => linksTo(planned, partition)),
    ],
  };

  function linksTo({ table }: ImagePlan, { number, name }: PartitionPlan): VmLink[] {
    const described = image.layout.partitions.find((other) => other.name === name)!;
    const sources = [
      ...(described.filesystem === undefined ? [] : (["uuid"] as const)),
      ...(table.type === "none" ? [] : (["partuuid"] as const)),
    ];
    return sources.map((source) => {
      const id = filesystemName(image, described, source).replace(/^.*=/, "");
      return { path: `/dev/disk/by-${source}/${id}`, partition: number };
    });
  }
}
