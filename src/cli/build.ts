import type { Command } from "commander";
import { formatSize } from "../bytes/index.ts";
import { chooseFormat } from "../formats/index.ts";
import { describe, type ImagePlan, image, plan, write } from "../image/index.ts";
import { UsageError } from "./exit.ts";
import { addImageOptions, addOutputOptions, type ImageOptions, sourceDateEpoch } from "./options.ts";
import { outputTarget } from "./output.ts";
import { readSource } from "./source.ts";
import { progressLine, type Talk, talk } from "./talk.ts";
import { planText } from "./text.ts";

interface BuildOptions extends ImageOptions {
  readonly output: string;
  readonly force?: boolean;
}

/** `diskwright build` and `diskwright plan`. */
export function addImageCommands(program: Command, signal: AbortSignal): void {
  const build = program
    .command("build")
    .summary("make a disk image of a directory")
    .description(
      "Makes a disk image of a directory: partition table, filesystems, and every file in its place.",
    );
  addOutputOptions(addImageOptions(build))
    .addHelpText("after", BUILD_EXAMPLES)
    .action((options: BuildOptions) => runBuild(options, signal));

  const planning = program
    .command("plan")
    .summary("say what build would write, and why it has that size")
    .description("Says what build would write: partitions, filesystems, what takes the room, where it lies.");
  addImageOptions(planning)
    .option("--json", "as JSON, with every byte range")
    .option("-q, --quiet", "no progress")
    .action((options: ImageOptions) => runPlan(options, signal));
}

const BUILD_EXAMPLES = `
Sizes are bytes, or numbers with K, M, G, T (powers of 1024) or KB, MB, GB, TB (powers of 1000).

Layouts:
  none         no partition table: one ext4 filesystem
  legacy       MBR, the root partition from 1 MiB
  legacy+gpt   GPT, a BIOS boot partition for GRUB, the root partition
  efi          GPT, an EFI system partition at /boot, the root partition
  efixbootldr  GPT, an EFI system partition at /efi, an XBOOTLDR partition at /boot, the root partition
  hybrid       GPT, as efi, with a BIOS boot partition for GRUB

Examples:
  diskwright build --root ./tree -o disk.img
  diskwright build --root ./tree --layout legacy --size 4G --owner 0:0 -o disk.img
  diskwright build --root ./tree --layout none --additional-space 0 -o - | gzip > root.ext4.gz`;

async function planOf(
  options: ImageOptions,
  output: string | undefined,
  voice: Talk,
  signal: AbortSignal,
): Promise<ImagePlan> {
  const { root, exclude, owner, reserved, rootFsUuid, skipUnsupported, ...rest } = options;
  const tree = await readSource({ path: root, exclude, owner, output }, voice, signal);
  return plan(
    image({
      ...rest,
      root: tree,
      time: options.time ?? sourceDateEpoch(),
      reservedPercent: reserved,
      rootFilesystemUuid: rootFsUuid,
      unsupported: skipUnsupported ? "skip" : "error",
    }),
  );
}

async function runBuild(options: BuildOptions, signal: AbortSignal): Promise<void> {
  const { output, json = false, quiet = false, force = false } = options;
  if (output === "-" && json) throw new UsageError("--json and the image cannot both go to standard output");
  const voice = talk(quiet);
  const format = chooseFormat(options.format, output);
  const planned = await planOf(options, output, voice, signal);
  for (const warning of planned.warnings) voice.warn(warning);
  await write(planned, outputTarget(output, force), {
    format,
    signal,
    onProgress: ({ done, total }) => voice.progress(progressLine(done, total)),
  });
  const target = output === "-" ? "standard output" : output;
  voice.say(`wrote ${target}: ${planned.image.layout.name}, ${format}, ${formatSize(planned.size)}`);
  if (json) printJson(describe(planned, format));
}

async function runPlan(options: ImageOptions, signal: AbortSignal): Promise<void> {
  const voice = talk(options.quiet ?? false);
  const format = chooseFormat(options.format, "");
  const planned = await planOf(options, undefined, voice, signal);
  voice.progress("");
  const description = describe(planned, format);
  if (options.json) printJson(description);
  else process.stdout.write(`${planText(description)}\n`);
}

/** Writes a value as JSON to standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
