import { existsSync } from "node:fs";
import { copyDisk, type ReadableFormat } from "../formats/index.ts";
import { aboutImage, nativeHash, openImage, packers } from "../node/index.ts";
import { UsageError } from "./exit.ts";
import { freeRangesOf } from "./free.ts";
import type { OutputOptions } from "./options.ts";
import { checkOutputs, namedOutputs, openOutputs, unusedOptions, wroteLine } from "./output.ts";
import { sourceDateEpoch } from "./parse.ts";
import { talk, warnAll } from "./talk.ts";

/** What the options of `convert` hold. */
export interface ConvertOptions extends OutputOptions {
  readonly format?: string;
  readonly from?: ReadableFormat;
  readonly backing?: boolean;
  readonly sectorSize?: 512 | 4096;
  readonly seed?: string;
  readonly time?: number;
  readonly spool?: string;
}

/** `diskwright convert` */
export async function runConvert(
  path: string,
  paths: readonly string[],
  options: ConvertOptions,
  signal: AbortSignal,
): Promise<void> {
  const outputs = namedOutputs([...paths, ...(options.output ?? [])], options.format);
  if (outputs.length === 0) throw new UsageError("nowhere to write to: name the image behind the first one");
  const voice = talk(options);
  checkOutputs(outputs, options, voice);
  if (!outputs.some(({ path: output }) => existsSync(output))) readByTwoThreads();
  const { disk, close } = await openImage(path, {
    format: options.from,
    isBackingAllowed: options.backing,
    spoolDirectory: options.spool,
    signal,
    onProgress: voice.unpacking,
  });
  try {
    warnAll(voice, [...disk.problems, ...unusedOptions(outputs, options)]);
    const writing = {
      signal,
      seed: options.seed,
      time: options.time ?? sourceDateEpoch(),
      packers: packers({ workers: options.workers, isPortable: options.portable }),
      hash: nativeHash,
      free: () => freeRangesOf(disk),
      onProgress: voice.writing,
      sectorSize: options.sectorSize,
      ignoreSectorSize: options.ignoreSectorSize,
      onWarning: voice.warn,
    };
    await aboutImage(path, () => copyDisk(disk, openOutputs(outputs, options, signal, voice), writing));
    for (const output of outputs) voice.say(wroteLine(output, { size: disk.size }));
  } finally {
    close();
  }
}

/**
 * Has two threads of the system's pool read ahead, which are still at work when the next read is asked for: of more,
 * one that sleeps is woken for each read, which takes the thread that writes some 70 microseconds. One alone is as
 * fast for what is in memory, and a sixth slower for what comes from a disk. Where an older file is replaced,
 * threads of the same pool bring to the disk what is written. The pool looks for its size when it is first used.
 */
function readByTwoThreads(): void {
  process.env.UV_THREADPOOL_SIZE ??= "2";
}
