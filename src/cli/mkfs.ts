import type { Command } from "commander";
import { formatSize, identity, parseSize } from "../bytes/index.ts";
import { type BlockSize, planExt4 } from "../ext4/index.ts";
import { type FatOptions, planFat } from "../fat32/index.ts";
import { chooseFormat } from "../formats/index.ts";
import { describeFilesystem, type FilesystemPlan, writeFilesystem } from "../image/index.ts";
import type { Tree } from "../tree/index.ts";
import { printJson } from "./build.ts";
import { UsageError } from "./exit.ts";
import { addExt4Options, addFatOptions, addOutputOptions, type Owner, sourceDateEpoch } from "./options.ts";
import { outputTarget } from "./output.ts";
import { readSource } from "./source.ts";
import { progressLine, talk } from "./talk.ts";

interface FilesystemOptions {
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly size?: string;
  readonly additionalSpace?: string;
  readonly label?: string;
  readonly seed?: string;
  readonly time?: number;
  readonly owner?: Owner;
  readonly exclude?: readonly string[];
}

interface Ext4CommandOptions extends FilesystemOptions {
  readonly uuid?: string;
  readonly blockSize?: number;
  readonly inodes?: number;
  readonly reserved?: number;
}

interface FatCommandOptions extends FilesystemOptions {
  readonly bits?: "12" | "16" | "32" | "auto";
  readonly sectorSize?: string;
  readonly serial?: number;
  readonly skipUnsupported?: boolean;
}

/** `diskwright mkfs ext4` and `diskwright mkfs fat`. */
export function addFilesystemCommands(program: Command, signal: AbortSignal): void {
  const mkfs = program
    .command("mkfs")
    .summary("make one filesystem, with no partition table")
    .description("Makes one filesystem of a directory, with no partition table around it.");
  addOutputOptions(
    addExt4Options(mkfs.command("ext4").summary("make an ext4 filesystem").argument("<directory>")),
  )
    .description("Makes an ext4 filesystem of a directory, by default the smallest that holds it.")
    .action((path: string, options: Ext4CommandOptions) =>
      run(path, options, signal, (tree) => ext4(tree, options)),
    );
  addOutputOptions(
    addFatOptions(mkfs.command("fat").summary("make a FAT filesystem").argument("<directory>")),
  )
    .description("Makes a FAT filesystem of a directory, FAT32 unless --bits says otherwise.")
    .action((path: string, options: FatCommandOptions) =>
      run(path, options, signal, (tree) => fat(tree, options)),
    );
}

const DEFAULT_SEED = "diskwright";

function sizesOf(options: FilesystemOptions): { size?: number; freeBytes?: number } {
  return {
    ...(options.size === undefined ? {} : { size: parseSize(options.size) }),
    ...(options.additionalSpace === undefined ? {} : { freeBytes: parseSize(options.additionalSpace) }),
  };
}

function ext4(tree: Tree, options: Ext4CommandOptions): FilesystemPlan {
  const { label, inodes, time = sourceDateEpoch() } = options;
  const plan = planExt4(tree, {
    ...sizesOf(options),
    uuid: options.uuid ?? identity(options.seed ?? DEFAULT_SEED).uuid("filesystem"),
    label,
    inodes,
    time,
    blockSize: options.blockSize as BlockSize | undefined,
    reservedPercent: options.reserved,
  });
  return { type: "ext4", plan };
}

function fat(tree: Tree, options: FatCommandOptions): FilesystemPlan {
  const { label, bits = "32", sectorSize = "512", time = sourceDateEpoch() } = options;
  const plan = planFat(tree, {
    ...sizesOf(options),
    serial: options.serial ?? identity(options.seed ?? DEFAULT_SEED).serial("filesystem"),
    label,
    time,
    bits: (bits === "auto" ? bits : Number(bits)) as FatOptions["bits"],
    sectorSize: Number(sectorSize) as FatOptions["sectorSize"],
    unsupported: options.skipUnsupported ? "skip" : "error",
  });
  return { type: "fat", plan };
}

async function run(
  path: string,
  options: FilesystemOptions,
  signal: AbortSignal,
  planned: (tree: Tree) => FilesystemPlan,
): Promise<void> {
  const { output, json = false, quiet = false, force = false, exclude, owner } = options;
  if (output === "-" && json) throw new UsageError("--json and the image cannot both go to standard output");
  const voice = talk(quiet);
  const format = chooseFormat(undefined, output);
  const tree = await readSource({ path, exclude, owner, output }, voice, signal);
  const filesystem = planned(tree);
  for (const warning of filesystem.plan.warnings) voice.warn(warning);
  if (filesystem.type === "fat") for (const left of filesystem.plan.skipped) voice.warn(`left out ${left}`);
  await writeFilesystem(filesystem, tree, outputTarget(output, force), {
    format,
    signal,
    onProgress: ({ done, total }) => voice.progress(progressLine(done, total)),
  });
  const described = describeFilesystem(filesystem);
  const target = output === "-" ? "standard output" : output;
  voice.say(
    `wrote ${target}: ${described.type}, ${formatSize(described.size)}, ${formatSize(described.free)} free`,
  );
  if (json) printJson(described);
}
