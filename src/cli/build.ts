import { formatSize } from "../bytes/index.ts";
import { chooseFormat } from "../formats/index.ts";
import { describe, type ImagePlan, image, plan, write } from "../image/index.ts";
import { treeOf } from "../tree/index.ts";
import { UsageError } from "./exit.ts";
import { ext4TuningOf } from "./ext4-options.ts";
import type { ImageOptions, OutputOptions } from "./options.ts";
import { outputTarget, print, printJson } from "./output.ts";
import { sourceDateEpoch } from "./parse.ts";
import { readSource } from "./source.ts";
import { progressLine, type Talk, talk, warnAll } from "./talk.ts";
import { planText } from "./text.ts";

/** What the options of `build` hold. */
export interface BuildOptions extends ImageOptions, OutputOptions {}

async function planOf(
  options: ImageOptions,
  output: string | undefined,
  voice: Talk,
  signal: AbortSignal,
): Promise<ImagePlan> {
  const { root, exclude, owner, xattrs, rootFsUuid, skipUnsupported, ...rest } = options;
  const spec = {
    ...rest,
    time: options.time ?? sourceDateEpoch(),
    rootFilesystem: ext4TuningOf(options),
    rootFilesystemUuid: rootFsUuid,
    unsupported: skipUnsupported ? "skip" : "error",
  } as const;
  // A wrong option is told at once, not after a long scan.
  image({ ...spec, root: treeOf([]) });
  const tree = await readSource({ path: root, exclude, owner, xattrs, output }, voice, signal);
  return plan(image({ ...spec, root: tree }));
}

/** `diskwright build` */
export async function runBuild(options: BuildOptions, signal: AbortSignal): Promise<void> {
  const { output, json = false, quiet = false, force = false } = options;
  if (output === "-" && json) throw new UsageError("--json and the image cannot both go to standard output");
  const voice = talk(quiet);
  const format = chooseFormat(options.format, output);
  const planned = await planOf(options, output, voice, signal);
  warnAll(voice, planned.warnings);
  await write(planned, outputTarget(output, force, signal), {
    format,
    signal,
    onProgress: ({ done, total }) => voice.progress(() => progressLine(done, total)),
  });
  const target = output === "-" ? "standard output" : output;
  voice.say(`wrote ${target}: ${planned.image.layout.name}, ${format}, ${formatSize(planned.size)}`);
  if (json) await printJson(describe(planned, format));
}

/** `diskwright plan` */
export async function runPlan(options: ImageOptions, signal: AbortSignal): Promise<void> {
  const voice = talk(options.quiet ?? false);
  const format = chooseFormat(options.format, "");
  const planned = await planOf(options, undefined, voice, signal);
  const description = describe(planned, format);
  voice.end();
  if (options.json) await printJson(description);
  else await print(planText(description));
}
