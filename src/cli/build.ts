import { formatSize } from "../bytes/index.ts";
import { chooseFormat, formatFacts } from "../formats/index.ts";
import { describe, type ImagePlan, image, plan, write } from "../image/index.ts";
import { assemble, nativeHash, packers } from "../node/index.ts";
import { type Spec, specFiles, specImages } from "../spec/index.ts";
import { UsageError } from "./exit.ts";
import { specOf } from "./flags.ts";
import type { ImageOptions, OutputOptions } from "./options.ts";
import { type NamedOutput, namedOutputs, openOutputs, outputName, print, printJson } from "./output.ts";
import { stageOptions } from "./source.ts";
import { progressLine, type Talk, talk, warnAll } from "./talk.ts";
import { planText } from "./text.ts";

/** What the options of `build` hold. */
export interface BuildOptions extends ImageOptions, OutputOptions {}

function outputsOf({ output }: Spec): readonly string[] {
  if (output === undefined) throw new UsageError("nowhere to write to: name the image with -o");
  return typeof output === "string" ? [output] : output;
}

/** One format by its name, several as a list. */
function formatsOf(outputs: readonly NamedOutput[]): string | readonly string[] {
  const names = outputs.map(({ format }) => format);
  return names.length === 1 ? names[0]! : names;
}

async function planOf(
  spec: Spec,
  outputs: readonly NamedOutput[],
  voice: Talk,
  signal: AbortSignal,
): Promise<ImagePlan> {
  if (spec.root === undefined && !bringsContent(spec)) {
    throw new UsageError("nothing goes in: name a directory or a tar with --root, or describe it in a spec");
  }
  const paths = outputs.map(({ path }) => path);
  const multiples = outputs.map(({ format }) => formatFacts(format).multiple ?? 1);
  // All of them are powers of two: the largest is a multiple of the others.
  const sizeMultiple = spec.sizeMultiple ?? Math.max(...multiples);
  return plan(image(await assemble({ ...spec, sizeMultiple }, stageOptions(paths, voice, signal))));
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
  const outputs = namedOutputs(outputsOf(spec), spec.format);
  if (json && outputs.some(({ path }) => path === "-")) {
    throw new UsageError("--json and the image cannot both go to standard output");
  }
  const voice = talk(quiet);
  const planned = await planOf(spec, outputs, voice, signal);
  warnAll(voice, planned.warnings);
  await write(planned, openOutputs(outputs, { ...spec, force }, signal), {
    signal,
    packers: packers({ workers: options.workers, isPortable: spec.portable }),
    hash: nativeHash,
    onProgress: ({ done, total }) => voice.progress(() => progressLine(done, total)),
  });
  for (const { path, format } of outputs) {
    voice.say(
      `wrote ${outputName(path)}: ${planned.image.layout.name}, ${format}, ${formatSize(planned.size)}`,
    );
  }
  if (json) await printJson(describe(planned, formatsOf(outputs)));
}

/** `diskwright plan` */
export async function runPlan(
  path: string | undefined,
  options: ImageOptions,
  signal: AbortSignal,
): Promise<void> {
  const voice = talk(options.quiet ?? false);
  const spec = await specOf(path, options);
  const outputs = spec.output === undefined ? [] : namedOutputs(outputsOf(spec), spec.format);
  const named = outputs.length > 0 ? outputs : [{ path: "", format: chooseFormat(spec.format, "") }];
  const planned = await planOf(spec, named, voice, signal);
  const description = describe(planned, formatsOf(named));
  voice.end();
  if (options.json) await printJson(description);
  else await print(planText(description));
}

/** `diskwright spec` */
export async function runSpec(path: string | undefined, options: ImageOptions): Promise<void> {
  const [{ printSpec }, { expandPreset }] = await Promise.all([specFiles(), specImages()]);
  await print(printSpec(expandPreset(await specOf(path, options))).trimEnd());
}
