import { formatSize } from "../bytes/index.ts";
import { chooseFormat } from "../formats/index.ts";
import { describe, type ImagePlan, image, plan, write } from "../image/index.ts";
import { assemble } from "../node/index.ts";
import { type Spec, specFiles, specImages } from "../spec/index.ts";
import { UsageError } from "./exit.ts";
import { specOf } from "./flags.ts";
import type { ImageOptions, OutputOptions } from "./options.ts";
import { outputTarget, print, printJson } from "./output.ts";
import { stageOptions } from "./source.ts";
import { progressLine, type Talk, talk, warnAll } from "./talk.ts";
import { planText } from "./text.ts";

/** What the options of `build` hold. */
export interface BuildOptions extends ImageOptions, OutputOptions {}

async function planOf(
  spec: Spec,
  output: string | undefined,
  voice: Talk,
  signal: AbortSignal,
): Promise<ImagePlan> {
  if (spec.root === undefined && !bringsContent(spec)) {
    throw new UsageError("nothing goes in: name a directory or a tar with --root, or describe it in a spec");
  }
  return plan(image(await assemble(spec, stageOptions(output, voice, signal))));
}

const SOURCES = ["root", "contents", "directories", "symlinks", "files", "storePaths", "manifest"] as const;

function bringsContent(spec: Spec): boolean {
  const parts = [spec, ...(spec.partitions ?? [])];
  return (
    spec.partitions !== undefined || parts.some((part) => SOURCES.some((name) => part[name] !== undefined))
  );
}

/** `diskwright build` */
export async function runBuild(
  path: string | undefined,
  options: BuildOptions,
  signal: AbortSignal,
): Promise<void> {
  const { json = false, quiet = false, force = false } = options;
  const spec = await specOf(path, options);
  const output = options.output ?? spec.output;
  if (output === undefined) throw new UsageError("nowhere to write to: name the image with -o");
  if (output === "-" && json) throw new UsageError("--json and the image cannot both go to standard output");
  const voice = talk(quiet);
  const format = chooseFormat(spec.format, output);
  const planned = await planOf(spec, output, voice, signal);
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
export async function runPlan(
  path: string | undefined,
  options: ImageOptions,
  signal: AbortSignal,
): Promise<void> {
  const voice = talk(options.quiet ?? false);
  const spec = await specOf(path, options);
  const format = chooseFormat(spec.format, "");
  const planned = await planOf(spec, undefined, voice, signal);
  const description = describe(planned, format);
  voice.end();
  if (options.json) await printJson(description);
  else await print(planText(description));
}

/** `diskwright spec` */
export async function runSpec(path: string | undefined, options: ImageOptions): Promise<void> {
  const [{ printSpec }, { expandPreset }] = await Promise.all([specFiles(), specImages()]);
  await print(printSpec(expandPreset(await specOf(path, options))).trimEnd());
}
