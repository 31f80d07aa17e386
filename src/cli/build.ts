import { largestOf, parseTime } from "../bytes/index.ts";
import { checkSectorSize, chooseFormat, formatFacts, plannedSectors } from "../formats/index.ts";
import { describe, type ImagePlan, image, plan } from "../image/index.ts";
import { assembleChecked, replaceFile } from "../node/index.ts";
import { type Spec, specFiles, specImages } from "../spec/index.ts";
import type { ImageStep } from "../vm/index.ts";
import { UsageError } from "./exit.ts";
import { specOf } from "./flags.ts";
import type { ImageOptions, OutputOptions, StepOptions } from "./options.ts";
import {
  checkFile,
  checkOutputs,
  type NamedOutput,
  namedOutputs,
  print,
  printData,
  printJson,
  wroteLine,
} from "./output.ts";
import { stageOptions } from "./source.ts";
import { standardError } from "./streams.ts";
import { type Talk, talk, warnAll } from "./talk.ts";
import { planText } from "./text.ts";
import { type ImageOutputs, writeImage } from "./write-image.ts";

/** What the options of `build` hold. */
export interface BuildOptions extends ImageOptions, OutputOptions, StepOptions {}

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
    throw new UsageError(
      "nothing goes in: name a directory or a tar, such as diskwright build ./tree -o disk.img, or describe it in a spec",
    );
  }
  // A disk that an output cannot hold is an error before the sources are read.
  for (const { format } of outputs) checkSectorSize(format, plannedSectors(spec), spec.ignoreSectorSize);
  const paths = outputs.map(({ path }) => path);
  const multiples = outputs.map(({ format }) => formatFacts(format).multiple ?? 1);
  // All of them are powers of two: the largest is a multiple of the others.
  const sizeMultiple = spec.sizeMultiple ?? largestOf(multiples);
  return plan(image(await assembleChecked({ ...spec, sizeMultiple }, stageOptions(paths, voice, signal))));
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
  const { json = false, quiet = false, force = false, progress } = options;
  const spec = await specOf(path, options);
  const outputs = namedOutputs(outputsOf(spec), spec.format);
  const voice = talk({ quiet, progress });
  checkOutputs(outputs, { force, json }, voice);
  if (spec.efiVars !== undefined) checkFile(spec.efiVars, outputs);
  const planned = await planOf(spec, outputs, voice, signal);
  warnAll(voice, planned.warnings);
  const variables = await variablesOf(spec, planned, voice);
  const target: ImageOutputs = {
    outputs,
    options: { ...spec, force },
    workers: options.workers,
    portable: spec.portable,
    voice,
    signal,
  };

  let written = planned;
  if (spec.runInVm === undefined) await writeImage({ plan: planned }, planned, target);
  else {
    const after = await runInside(spec, spec.runInVm, planned, target, {
      variables,
      quiet,
      dryRun: options.dryRun,
    });
    if (after === undefined) return;
    written = after;
  }
  if (variables !== undefined && !hasUefiStep(spec)) await replaceFile(spec.efiVars!, variables);
  const { size } = planned;
  for (const output of outputs) voice.say(wroteLine(output, { kind: planned.image.layout.name, size }));
  if (spec.after !== undefined) await runAfter(spec.after, outputs, signal);
  if (json) await printJson(describe(written, formatsOf(outputs)));
}

/** Whether a script runs in a machine with UEFI, and may change its variables. */
function hasUefiStep({ runInVm, vm }: Spec): boolean {
  return runInVm !== undefined && vm?.firmware === "uefi";
}

/** The variables of UEFI that are kept, or that a script's machine starts with. */
async function variablesOf(spec: Spec, planned: ImagePlan, voice: Talk): Promise<Uint8Array | undefined> {
  const { efiVars, efiVarsFrom } = spec;
  if (efiVars === undefined && !hasUefiStep(spec)) return undefined;
  const { hasBootEntries, lostVariables, startVariables, variablesFor } = await import("./firmware.ts");
  if (efiVars === undefined) voice.warn(lostVariables);
  // A script can make the entries itself.
  if (hasUefiStep(spec) && !hasBootEntries(planned)) return startVariables(undefined, efiVarsFrom);
  return variablesFor(planned, efiVarsFrom);
}

/** Runs the script, writes the image as it is then, and gives its plan; `undefined` when nothing was to be run. */
async function runInside(
  spec: Spec,
  script: string,
  planned: ImagePlan,
  target: ImageOutputs,
  { variables, quiet, dryRun }: InsideOptions,
): Promise<ImagePlan | undefined> {
  const { voice } = target;
  const { planStep, runInPlannedImage } = await import("../vm/index.ts");
  const { shellLine, stepOf } = await import("./machine.ts");
  const { time } = spec;
  const run = async (efi: ImageStep["efi"]): Promise<ImagePlan | undefined> => {
    const step = await stepOf({
      ...target,
      script,
      efi,
      machine: spec.vm ?? {},
      time: typeof time === "string" ? parseTime(time) : time,
      // Standard output is for the image, or for what is said of it as JSON.
      onOutput: quiet ? undefined : (bytes) => void standardError().write(bytes),
    });
    if (dryRun) {
      await print(shellLine((await planStep(planned, step)).command));
      return undefined;
    }
    return await runInPlannedImage(planned, step, async (result) => {
      if ("plan" in result) warnAll(voice, result.plan.warnings);
      await writeImage(result, planned, target);
      return "plan" in result ? result.plan : planned;
    });
  };
  if (!hasUefiStep(spec)) return await run(undefined);
  const { withUefi } = await import("./firmware.ts");
  return await withUefi(variables, dryRun ? undefined : spec.efiVars, run);
}

/** How a script is run in an image that is built. */
interface InsideOptions {
  /** The variables of UEFI with which the machine starts. */
  readonly variables: Uint8Array | undefined;
  readonly quiet: boolean;
  readonly dryRun: boolean | undefined;
}

async function runAfter(
  command: string,
  outputs: readonly NamedOutput[],
  signal: AbortSignal,
): Promise<void> {
  const { runHook } = await import("../vm/index.ts");
  const paths = outputs.map(({ path }) => path).filter((path) => path !== "-");
  await runHook(command, { diskImage: paths[0] ?? "" }, signal);
}

/** `diskwright plan` */
export async function runPlan(
  path: string | undefined,
  options: ImageOptions,
  signal: AbortSignal,
): Promise<void> {
  const voice = talk(options);
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
  await printData(printSpec(expandPreset(await specOf(path, options))).trimEnd());
}
