import { throwProblems } from "../errors.ts";
import type { VmLink, VmMount } from "./init-script.ts";

/** What a user may get wrong about a step, gathered from all of its options. */
export interface CheckedOptions {
  readonly root: { readonly partition: number; readonly type: string };
  readonly mounts: readonly VmMount[];
  readonly links: readonly VmLink[];
  readonly environment: Readonly<Record<string, string>>;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly timeoutSeconds: number;
}

const MOST_PARTITIONS = 256;
const MOST_MEMORY_MIB = 1024 * 1024;
const MOST_CPUS = 255;
/** What a timer holds, in seconds. */
const LONGEST_TIMEOUT = 2_000_000;

/** @throws DiskwrightError `INVALID_SPEC`, with everything that is wrong. */
export function checkOptions(options: CheckedOptions): void {
  const problems = [
    ...machineProblems(options),
    ...partitionProblems("the root", options.root.partition),
    ...typeProblems("the root", options.root.type),
    ...options.mounts.flatMap(mountProblems),
    ...options.links.flatMap(linkProblems),
    ...Object.entries(options.environment).flatMap(([name, value]) => [
      ...(/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? [] : [`"${name}" is no name of a variable`]),
      ...(value.includes("\0") ? [`the variable ${name} holds a zero byte`] : []),
    ]),
  ];
  throwProblems("INVALID_SPEC", "the step in a virtual machine cannot be run", problems);
}

/** What is wrong with the size of a machine. */
export function machineProblems({
  memoryMiB,
  cpus,
  timeoutSeconds,
}: Pick<CheckedOptions, "memoryMiB" | "cpus"> & { readonly timeoutSeconds?: number }): string[] {
  return [
    ...rangeProblems("MiB of memory", memoryMiB, 1, MOST_MEMORY_MIB),
    ...rangeProblems("processors", cpus, 1, MOST_CPUS),
    ...(timeoutSeconds === undefined ? [] : timeoutProblems(timeoutSeconds)),
  ];
}

/** Fractions are fine. */
function timeoutProblems(seconds: number): string[] {
  if (seconds > 0 && seconds <= LONGEST_TIMEOUT) return [];
  return [`${seconds} seconds are no time limit: more than 0, and at most ${LONGEST_TIMEOUT} are`];
}

function rangeProblems(what: string, value: number, least: number, most: number): string[] {
  if (Number.isInteger(value) && value >= least && value <= most) return [];
  return [`${value} ${what}: whole numbers from ${least} to ${most} are possible`];
}

function partitionProblems(what: string, partition: number): string[] {
  return rangeProblems(`as the partition of ${what}`, partition, 0, MOST_PARTITIONS);
}

function typeProblems(what: string, type: string): string[] {
  return /^[a-z0-9_]{1,32}$/.test(type)
    ? []
    : [`"${type}" as the filesystem of ${what}: ext4 and vfat are such names`];
}

function mountProblems({ path, partition, type }: VmMount): string[] {
  return [
    ...(isPlainPath(path) ? [] : [`"${path}" is no mount point: absolute paths such as /boot are`]),
    ...partitionProblems(path, partition),
    ...typeProblems(path, type),
  ];
}

function linkProblems({ path, partition }: VmLink): string[] {
  return [
    // Anywhere else it would stay in the image.
    ...(isPlainPath(path) && path.startsWith("/dev/") ? [] : [`"${path}" is no name of a device below /dev`]),
    ...partitionProblems(path, partition),
  ];
}

/** Whether a path is absolute, with nothing in it that leads elsewhere or that a shell's list cannot hold. */
function isPlainPath(path: string): boolean {
  const names = path.split("/").slice(1);
  return (
    path.startsWith("/") &&
    !/[\0\n]/.test(path) &&
    names.every((name) => name !== "" && name !== "." && name !== "..")
  );
}
