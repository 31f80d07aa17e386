import { copyDisk } from "../formats/index.ts";
import { type ImagePlan, write } from "../image/index.ts";
import { nativeHash, packers } from "../node/index.ts";
import type { SteppedImage } from "../vm/index.ts";
import { freeRangesOf } from "./free.ts";
import { type NamedOutput, openOutputs, unusedOptions, type WritingOptions } from "./output.ts";
import { type Talk, warnAll } from "./talk.ts";

/** Where an image goes, and how. */
export interface ImageOutputs {
  readonly outputs: readonly NamedOutput[];
  readonly options: WritingOptions;
  readonly workers: number | undefined;
  readonly portable: boolean | undefined;
  readonly voice: Talk;
  readonly signal: AbortSignal;
  /** Bytes of a physical sector, for formats that say it. Default 4096. */
  readonly physicalSectorSize?: 512 | 4096 | undefined;
}

/** Writes an image that is planned, or `planned` as a machine has left it. */
export async function writeImage(
  image: SteppedImage | { readonly plan: ImagePlan },
  planned: ImagePlan,
  { outputs, options, workers, portable, voice, signal, physicalSectorSize }: ImageOutputs,
): Promise<void> {
  warnAll(voice, unusedOptions(outputs, options));
  const targets = openOutputs(outputs, options, signal, voice);
  const writing = {
    signal,
    packers: packers({ workers, isPortable: portable }),
    hash: nativeHash,
    physicalSectorSize,
    ignoreSectorSize: options.ignoreSectorSize,
    onWarning: voice.warn,
    onProgress: voice.writing,
  };
  if ("plan" in image) {
    await write(image.plan, targets, writing);
    return;
  }
  const { disk } = image;
  const { identity, time, sectorSize } = planned.image;
  const seed = identity.uuid("container");
  await copyDisk(disk, targets, { ...writing, sectorSize, seed, time, free: () => freeRangesOf(disk) });
  voice.warn("the filesystems are as the machine left them: another run will not give the same bytes");
}
