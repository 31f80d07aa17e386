import { formatSize } from "../bytes/index.ts";
import { copyDisk, type ReadableFormat } from "../formats/index.ts";
import { aboutImage, nativeHash, openImage, packers } from "../node/index.ts";
import { UsageError } from "./exit.ts";
import type { OutputOptions } from "./options.ts";
import { namedOutputs, openOutputs, outputName, unusedOptions } from "./output.ts";
import { sourceDateEpoch } from "./parse.ts";
import { progressLine, talk, warnAll } from "./talk.ts";

/** What the options of `convert` hold. */
export interface ConvertOptions extends OutputOptions {
  readonly format?: string;
  readonly from?: ReadableFormat;
  readonly backing?: boolean;
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
  const voice = talk(options.quiet ?? false);
  const { disk, close } = await openImage(path, {
    format: options.from,
    isBackingAllowed: options.backing,
    spoolDirectory: options.spool,
  });
  try {
    warnAll(voice, [...disk.problems, ...unusedOptions(outputs, options)]);
    const total = Math.max(1, disk.size);
    const writing = {
      signal,
      seed: options.seed,
      time: options.time ?? sourceDateEpoch(),
      packers: packers({ workers: options.workers, isPortable: options.portable }),
      hash: nativeHash,
      onProgress: (done: number) => voice.progress(() => progressLine(Math.min(done, total), total)),
    };
    await aboutImage(path, () => copyDisk(disk, openOutputs(outputs, options, signal), writing));
    for (const { path: written, format } of outputs) {
      voice.say(`wrote ${outputName(written)}: ${format}, ${formatSize(disk.size)}`);
    }
  } finally {
    close();
  }
}
