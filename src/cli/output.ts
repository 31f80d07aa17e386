import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { escapedJson, formatSize, parseSize, printableLines } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { sequentialTarget, type Target } from "../extents/index.ts";
import {
  chooseFormat,
  type FormatName,
  formatFacts,
  knownSuffixes,
  type Output,
  splitOutput,
  unknownSuffix,
} from "../formats/index.ts";
import { fileTarget, outputPlace, reasonOf, spooledTarget } from "../node/index.ts";
import { nearNames } from "../tables/index.ts";
import { UsageError } from "./exit.ts";
import { standardOutput, unfitStandardOutput } from "./streams.ts";
import type { Talk } from "./talk.ts";

/** An output as it was asked for. */
export interface NamedOutput {
  readonly path: string;
  readonly format: FormatName;
  /** Whether nothing but the name says the format. */
  readonly isByName?: boolean;
}

/**
 * The outputs that `-o` names: `FORMAT:FILE`, or a file whose name says the format unless `format` does.
 *
 * @throws UsageError when one is named twice, or standard output by several.
 */
export function namedOutputs(texts: readonly string[], format: string | undefined): NamedOutput[] {
  const outputs = texts.map((text) => {
    const { format: own, path } = splitOutput(text);
    if (path === "") throw new UsageError("the output has an empty name");
    const asked = own ?? format;
    return { path, format: chooseFormat(asked, path), isByName: asked === undefined };
  });
  const seen = new Set<string>();
  for (const { path } of outputs) {
    const key = path === "-" ? path : outputPlace(path);
    if (seen.has(key)) throw new UsageError(`the output ${outputName(path)} is named twice`);
    seen.add(key);
  }
  return outputs;
}

/** How outputs are written. */
export interface WritingOptions {
  /** Write into a device, and to a terminal. */
  readonly force?: boolean | undefined;
  readonly compressionLevel?: number | undefined;
  readonly clusterSize?: string | number | undefined;
  readonly zeros?: "holes" | "stored" | undefined;
  readonly ignoreSectorSize?: boolean | undefined;
  /** Where what cannot be written in order is kept on its way to standard output. */
  readonly spool?: string | undefined;
}

/**
 * Looks whether the outputs can be written, so that nobody waits for an image that has nowhere to go. `voice` warns of
 * names that may be mistyped.
 *
 * @throws UsageError and DiskwrightError `OUTPUT` for those that cannot.
 */
export function checkOutputs(
  outputs: readonly NamedOutput[],
  { force = false, json = false }: { readonly force?: boolean; readonly json?: boolean },
  voice: Talk,
): void {
  for (const { path, format, isByName = false } of outputs) {
    if (path !== "-") {
      fileTarget(path, { force });
      const suffix = isByName && !isDevice(path) ? unknownSuffix(path) : undefined;
      if (suffix !== undefined) voice.warn(`${path}: ${unknownName(suffix)}`);
      continue;
    }
    if (json) throw new UsageError("--json and the image cannot both go to standard output");
    const unfit = force || formatFacts(format).isText ? undefined : unfitStandardOutput();
    if (unfit === undefined) continue;
    throw new UsageError(
      `standard output is ${unfit}: send the image to a file or a pipe, or insist with --force`,
    );
  }
}

function isDevice(path: string): boolean {
  const status = statSync(path, { throwIfNoEntry: false });
  return status !== undefined && !status.isFile();
}

function unknownName(suffix: string): string {
  const near = nearNames(suffix, knownSuffixes()).map((name) => `.${name}`);
  const remedy =
    near.length > 0
      ? `did you mean ${near.join(", ")}?`
      : "--format and FORMAT:FILE name another format, --format raw this one";
  return `no format has names that end in .${suffix}, so a raw image is written; ${remedy}`;
}

/** Looks whether a file that is written beside the outputs can be, and is none of them. */
export function checkFile(path: string, outputs: readonly NamedOutput[]): void {
  fileTarget(path);
  const place = outputPlace(path);
  if (outputs.some((output) => output.path !== "-" && outputPlace(output.path) === place))
    throw new UsageError(`the output ${path} is named twice`);
}

/** What was asked for and is of no use: no output is of a format that knows it. */
export function unusedOptions(outputs: readonly NamedOutput[], options: WritingOptions): string[] {
  const facts = outputs.map(({ format }) => formatFacts(format));
  const names = [...new Set(outputs.map(({ format }) => format))].join(", ");
  const warnings: string[] = [];
  if (options.compressionLevel !== undefined && facts.every(({ packing }) => packing === undefined)) {
    warnings.push(`--compression-level is of no use: nothing is compressed in ${names}`);
  }
  if (options.clusterSize !== undefined && facts.every(({ hasClusters = false }) => !hasClusters)) {
    warnings.push(`--cluster-size is of no use: it is of qcow2, not of ${names}`);
  }
  if (options.zeros === "stored" && outputs.every(({ format }) => format !== "raw")) {
    warnings.push(`--zeros stored is of no use: it is of raw images, not of ${names}`);
  }
  return warnings;
}

/** The outputs with their targets. `voice` gives their warnings. */
export function openOutputs(
  outputs: readonly NamedOutput[],
  options: WritingOptions,
  signal: AbortSignal,
  voice: Talk,
): Output[] {
  const { compressionLevel: level, clusterSize, zeros } = options;
  return outputs.map(({ path, format }) => ({
    format,
    target: targetOf(path, format, options, signal, voice),
    level,
    zeros,
    clusterSize: typeof clusterSize === "string" ? parseSize(clusterSize) : clusterSize,
  }));
}

function targetOf(
  path: string,
  format: FormatName,
  { force = false, spool }: WritingOptions,
  signal: AbortSignal,
  voice: Talk,
): Target {
  if (path !== "-") return fileTarget(path, { force, signal, onWarning: (warning) => voice.warn(warning) });
  return formatFacts(format).isOrdered
    ? sequentialTarget(writeToStandardOutput, signal)
    : spooledTarget(spool ?? tmpdir(), writeToStandardOutput);
}

/** Bytes that went to standard output. */
let bytesSent = 0;

/**
 * What is said of an output that is written: how large the file is, and the disk in it where that is another number.
 * `kind` is what the disk is, `what` what it is called.
 */
export function wroteLine(
  { path, format }: NamedOutput,
  { kind, size, what = "disk" }: { readonly kind?: string; readonly size: number; readonly what?: string },
): string {
  const file = path === "-" ? bytesSent : sizeOfFile(path);
  const sizes =
    file === undefined || file === size
      ? formatSize(size)
      : `${formatSize(file)} for a ${what} of ${formatSize(size)}`;
  return `wrote ${outputName(path)}: ${[...(kind === undefined ? [] : [kind]), format, sizes].join(", ")}`;
}

/** Undefined for a device: it holds more than the image, or does not say. */
function sizeOfFile(path: string): number | undefined {
  const status = statSync(path, { throwIfNoEntry: false });
  return status?.isFile() ? status.size : undefined;
}

/** What an output is called in messages. */
export function outputName(path: string): string {
  return path === "-" ? "standard output" : path;
}

/** Waits until the reader of a pipe has taken the bytes: they are reused afterwards. */
function writeToStandardOutput(bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    bytesSent += bytes.length;
    standardOutput().write(bytes, (error) => {
      if (error)
        reject(new DiskwrightError("OUTPUT", `standard output: ${reasonOf(error)}`, { cause: error }));
      else resolve();
    });
  });
}

/** Writes a value as JSON to standard output. */
export async function printJson(value: unknown): Promise<void> {
  await printData(JSON.stringify(value, null, 2));
}

/** Writes JSON to standard output. What could deceive a reader of it is escaped as JSON does it: it means the same. */
export async function printData(json: string): Promise<void> {
  await writeToStandardOutput(`${escapedJson(json)}\n`);
}

/**
 * Writes lines for people to standard output, and fails when they do not arrive. Whatever in them could steer a
 * terminal or deceive a reader is escaped here, wherever it comes from.
 */
export async function print(text: string): Promise<void> {
  await writeToStandardOutput(`${printableLines(text)}\n`);
}
