import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DiskwrightError, throwProblems } from "../errors.ts";
import { reasonOf } from "../node/index.ts";
import {
  checkSpec,
  type MachineSpec,
  mergeSpec,
  resolvePaths,
  resolveRule,
  type SourcesSpec,
  type Spec,
  type SpecProblem,
  sourcesOf,
  specFiles,
} from "../spec/index.ts";
import { UsageError } from "./exit.ts";
import { ext4FieldsOf } from "./ext4-options.ts";
import type { ImageOptions, MachineOptions, SourceOptions, StepOptions } from "./options.ts";
import { sourceDateEpoch } from "./parse.ts";

// Options of the command line as the fields of a spec.

/**
 * What an argument and options describe: a spec file with the options over it, or a source that goes in first. Paths in
 * a file start from where it is, those of a pipe from the working directory.
 */
export async function specOf(
  argument: string | undefined,
  options: ImageOptions & StepOptions,
): Promise<Spec> {
  const flags = await imageFields(options);
  const spec = argument === undefined ? flags : await described(argument, flags);
  refuseProblems(checkSpec(spec));
  const time = spec.time ?? sourceDateEpoch();
  return time === undefined ? spec : { ...spec, time };
}

/** Refuses fields that are each right, but do not go together. */
export function refuseProblems(problems: Iterable<SpecProblem>): void {
  throwProblems(
    "INVALID_SPEC",
    "these fields do not go together",
    [...problems].map(({ message }) => message),
  );
}

async function described(argument: string, flags: Spec): Promise<Spec> {
  const { isSource } = await import("./argument.ts");
  if (!(await isSource(argument))) return mergeSpec(await fileSpec(argument), flags);
  const hasTarget = sourcesOf({ root: argument }).root![0]!.target !== undefined;
  // What exists by the whole name is meant.
  const first = hasTarget && existsSync(argument) ? { source: argument } : argument;
  return { ...flags, root: [first, ...[flags.root ?? []].flat()] };
}

async function fileSpec(path: string): Promise<Spec> {
  const { readSpec } = await specFiles();
  const text = fileText(path);
  // A pipe, such as that of a shell's `<(…)`, is in no directory that means anything.
  const base = statSync(path).isFile() ? dirname(resolve(path)) : process.cwd();
  return resolvePaths(readSpec(text, path), (relative) => resolve(base, relative));
}

/** What a spec file or a file of rules has in it. */
function fileText(path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path}: ${reasonOf(error)}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new DiskwrightError("INVALID_SPEC", `${path}: it is not UTF-8 text`, { path });
  }
}

/** The options of a virtual machine. */
export function machineFields(options: MachineOptions): MachineSpec {
  return given({
    kernel: options.kernel,
    kernelFrom: options.kernelFrom,
    modules: options.modules,
    firmware: options.firmware,
    busybox: options.busybox,
    accelerator: options.accelerator,
    timeout: options.vmTimeout,
    memory: options.memory,
    cpus: options.cpus,
    devices: options.device && [...options.device],
    qemu: options.qemu,
    qemuArguments: options.qemuArgument && [...options.qemuArgument],
    consoleLog: options.consoleLog,
    inPlace: options.vmInPlace,
  });
}

async function imageFields(options: ImageOptions & StepOptions): Promise<Spec> {
  const filesystem = given(ext4FieldsOf(options));
  const machine = machineFields(options);
  return given({
    ...(await sourceFields(options)),
    root: options.root === undefined ? undefined : [...options.root],
    layout: options.layout,
    table: options.table,
    partitions: await items("partitions", options.partition, "--partition"),
    gaps: await items("gaps", options.gap, "--gap"),
    bootCode: options.bootCode,
    bootloader: options.bootloader,
    bootFiles: options.bootFiles,
    kernelOptions: options.kernelOptions,
    unifiedKernels: options.unifiedKernels,
    bootTimeout: options.bootTimeout,
    bootEntries: await items("bootEntries", options.bootEntry, "--boot-entry"),
    serialConsole: options.serialConsole,
    efiVars: options.efiVars,
    efiVarsFrom: options.efiVarsFrom,
    runInVm: options.runInVm,
    vm: Object.keys(machine).length === 0 ? undefined : machine,
    after: options.after,
    size: options.size,
    additionalSpace: options.additionalSpace,
    bootSize: options.bootSize,
    label: options.label,
    sectorSize: options.sectorSize as Spec["sectorSize"],
    alignment: options.alignment,
    endGap: options.endGap,
    gptEntriesAt: options.gptEntriesAt,
    protectiveMbrBootable: options.protectiveMbrBootable,
    protectiveMbrEntry: options.protectiveMbrEntry,
    diskGuid: options.diskGuid,
    diskSignature: options.diskSignature,
    rootGuid: options.rootGuid,
    rootFsUuid: options.rootFsUuid,
    filesystem: Object.keys(filesystem).length === 0 ? undefined : filesystem,
    skipUnsupported: options.skipUnsupported,
    fstab: options.fstab,
    discoverable: options.discoverable,
    compat: options.compat,
    seed: options.seed,
    time: options.time,
    format: options.format,
    compressionLevel: options.compressionLevel,
    clusterSize: options.clusterSize,
    zeros: options.zeros,
    ignoreSectorSize: options.ignoreSectorSize,
    portable: options.portable,
    sizeMultiple: options.sizeMultiple,
    output: options.output === undefined ? undefined : [...options.output],
  });
}

/** The options that say what goes in. */
export async function sourceFields(options: SourceOptions): Promise<SourcesSpec & Pick<Spec, "spool">> {
  return given({
    contents: await contentsRules(options.contents),
    exclude: options.exclude && [...options.exclude],
    directories: await items("directories", options.directory, "--directory", (text) => text),
    symlinks: await items("symlinks", options.symlink, "--symlink", (text) => {
      const [path, target] = halves(text, "--symlink");
      return { path, target };
    }),
    files: await items("files", options.file, "--file", (text) => {
      const [path, content] = halves(text, "--file");
      return { path, text: content };
    }),
    storePaths: options.storePaths,
    onlyNixStore: options.onlyNixStore,
    manifest: options.manifest && [...options.manifest],
    owner: options.owner,
    idMap: options.idMap && [...options.idMap],
    uidMap: options.uidMap && [...options.uidMap],
    gidMap: options.gidMap && [...options.gidMap],
    xattrs: options.xattrs,
    holes: options.holes,
    hardLinks: options.hardLinks,
    links: options.links,
    spool: options.spool,
  });
}

type Lists = "partitions" | "gaps" | "bootEntries" | "directories" | "symlinks" | "files";

/** Each option as an item of a list: fields of a mapping, or a short form that begins with a slash. */
async function items<Field extends Lists>(
  field: Field,
  texts: readonly string[] | undefined,
  option: string,
  short?: (text: string) => NonNullable<Spec[Field]>[number],
): Promise<NonNullable<Spec[Field]> | undefined> {
  if (texts === undefined) return undefined;
  const list: unknown[] = [];
  for (const text of texts) {
    if (short !== undefined && text.startsWith("/")) list.push(short(text));
    else list.push((await specFiles()).readItem(field, text, option));
  }
  return list as NonNullable<Spec[Field]>;
}

function halves(text: string, option: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw new UsageError(`${option} "${text}": write the path, an equals sign, and what it holds`);
}

/** Rules out of files, whose paths start from where the file is, and rules that are given by themselves. */
async function contentsRules(texts: readonly string[] | undefined): Promise<SourcesSpec["contents"]> {
  if (texts === undefined) return undefined;
  const { readContents, readItem } = await specFiles();
  return texts.flatMap((text) => {
    if (/^\s*\{|(^|,)\s*source\s*:/.test(text)) return [readItem("contents", text, "--contents")];
    const base = dirname(resolve(text));
    return readContents(fileText(text), text).map((rule) => resolveRule(rule, (path) => resolve(base, path)));
  });
}

function given<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}
