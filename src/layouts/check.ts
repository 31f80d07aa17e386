import { appendAll, formatBytes, printable, utf8 } from "../bytes/index.ts";
import type { Layout, LayoutPartition } from "./layout.ts";

/** What is wrong with a layout of one's own, one line for each finding. What its table checks is not here. */
export function layoutProblems(layout: Layout, sectorSize: number): string[] {
  const { partitions, table, gaps = [] } = layout;
  const problems: string[] = [];
  if (partitions.length === 0) problems.push("there is no partition: describe at least one");
  if (table === "none") {
    if (partitions.length > 1) {
      problems.push(`there are ${partitions.length} partitions without a table: use the table gpt or mbr`);
    }
    if (partitions[0]?.start !== undefined) {
      problems.push(`partition ${partitions[0].name} has a start, but no table tells of it: remove it`);
    }
  }
  if (table === "none" && gaps.length > 0)
    problems.push("gaps lie between partitions, and there is no table");
  appendAll(
    problems,
    sharedProblems(partitions, "name", ({ name }) => name),
  );
  appendAll(
    problems,
    sharedProblems(partitions, "mount point", ({ mount }) => mount),
  );
  for (const partition of partitions) {
    for (const problem of partitionProblems(partition, table, sectorSize)) {
      problems.push(`partition ${shown(partition.name)}: ${problem}`);
    }
  }
  appendAll(problems, sectorProblems("the alignment", layout.alignment, sectorSize, table));
  appendAll(problems, sectorProblems("the place of the GPT entries", layout.gptEntriesAt, sectorSize, table));
  if (layout.protectiveMbrBootable && table !== "gpt") {
    problems.push(
      `protectiveMbrBootable needs the table gpt, not ${table}: with an MBR partitions are bootable themselves`,
    );
  }
  if (layout.protectiveMbrEntry !== undefined && partitions.every(({ hybrid }) => hybrid === undefined)) {
    problems.push("protectiveMbrEntry is for a hybrid MBR: give a partition its hybrid entry");
  }
  for (const { name, raw, maximum } of gaps) {
    if (maximum !== undefined && raw.content.size > maximum) {
      problems.push(
        `gap ${shown(name)}: it has ${formatBytes(raw.content.size)}, its maximum is ${formatBytes(maximum)}`,
      );
    }
  }
  return problems;
}

function shown(text: string): string {
  return printable(utf8(text));
}

/** Things that each partition must have for itself. */
function* sharedProblems(
  partitions: readonly LayoutPartition[],
  what: string,
  of: (partition: LayoutPartition) => string | undefined,
): Generator<string> {
  const owners = new Map<string, string>();
  for (const partition of partitions) {
    const value = of(partition);
    if (value === undefined) continue;
    const owner = owners.get(value);
    if (owner === undefined) owners.set(value, partition.name);
    else if (what === "name") yield `two partitions have the name ${shown(value)}: give each its own`;
    else
      yield `partitions ${shown(owner)} and ${shown(partition.name)} have the same ${what}, ${shown(value)}`;
  }
}

function* partitionProblems(
  partition: LayoutPartition,
  table: Layout["table"],
  sectorSize: number,
): Generator<string> {
  const { name, size, start, alignment, minimum, maximum, weight, mount, filesystem, raw, tree } = partition;
  if (name === "") yield "the name is empty: give it one";
  yield* sectorProblems("the start", start, sectorSize, table);
  yield* sectorProblems("the alignment", alignment, sectorSize, table);
  if (alignment === 0) yield "an alignment of 0: use 1M";
  if (typeof size === "number") {
    yield* sectorProblems("the size", size, sectorSize, table);
    if (size === 0) yield "a size of 0: give it at least a sector";
    if (minimum !== undefined || maximum !== undefined) {
      yield 'bounds and a fixed size: use the size "rest" or "minimal" with them';
    }
  }
  if (weight !== undefined && size !== "rest") yield 'a weight is for the size "rest"';
  if (weight !== undefined && !(weight > 0 && Number.isFinite(weight)))
    yield `a weight of ${weight}: use a positive number`;
  yield* sectorProblems("the minimum", minimum, sectorSize, table);
  yield* sectorProblems("the maximum", maximum, sectorSize, table);
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    yield `the minimum of ${formatBytes(minimum)} is above the maximum of ${formatBytes(maximum)}`;
  }
  if (mount !== undefined) yield* mountProblems(mount);
  if (mount !== undefined && filesystem === undefined) {
    yield `it is mounted at ${shown(mount)}, but has no filesystem: give it one`;
  }
  if (raw !== undefined && (filesystem !== undefined || tree !== undefined)) {
    yield "raw content and a filesystem exclude each other";
  }
  if (filesystem?.size !== undefined && typeof size === "number" && filesystem.size > size) {
    yield `the filesystem has ${formatBytes(filesystem.size)}, the partition ${formatBytes(size)}`;
  }
  if (tree !== undefined && filesystem === undefined) yield "files need a filesystem: give it one";
  if (size === "minimal" && filesystem === undefined && raw === undefined && minimum === undefined) {
    yield 'the size "minimal" is that of a filesystem or of raw content, and it has neither';
  }
  if (raw !== undefined && typeof size === "number" && raw.content.size > size) {
    yield `the raw content has ${formatBytes(raw.content.size)}, the partition ${formatBytes(size)}`;
  }
  if (partition.hybrid !== undefined && table !== "gpt") yield "hybrid entries need the table gpt";
}

/** Bounds of partitions are whole sectors; without a table any number of bytes will do. */
function* sectorProblems(
  what: string,
  value: number | undefined,
  sectorSize: number,
  table: Layout["table"],
): Generator<string> {
  if (value === undefined) return;
  if (!Number.isSafeInteger(value) || value < 0) yield `${what} of ${value} bytes: use a whole number`;
  else if (table !== "none" && value % sectorSize !== 0) {
    yield `${what} of ${formatBytes(value)} is no multiple of the sector size, ${sectorSize}`;
  }
}

function* mountProblems(mount: string): Generator<string> {
  const names = mount.split("/").slice(1);
  if (!mount.startsWith("/")) yield `the mount point ${shown(mount)} must start with a slash`;
  else if (mount !== "/" && names.some((name) => name === "" || name === "." || name === "..")) {
    yield `the mount point ${shown(mount)} must be a plain path such as /boot/efi`;
  }
}
