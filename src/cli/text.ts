import { appendAll, formatBytes, formatSize, largestOf, printableText } from "../bytes/index.ts";
import type { DescribedFilesystem, Description } from "../image/index.ts";
import type { FilesystemReport, ImageReport, PartitionReport } from "../inspect/index.ts";

// Reports as text for people. Names come from images, so what could steer a terminal is escaped.

/** The same columns in every row, as wide as they must be; numbers are to be padded by the caller. */
function columns(rows: readonly (readonly string[])[], indent = "  "): string[] {
  const widths = rows[0]!.map((_, column) => largestOf(rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    (indent + row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")).trimEnd(),
  );
}

function shown(text: string | null): string {
  return text === null ? "" : printableText(text);
}

/** An image that is there, or one that is planned, perhaps in several formats. */
type Shown = Pick<ImageReport, "table" | "virtualSize"> & {
  readonly format: string | readonly string[];
  readonly container?: ImageReport["container"];
};

const TABLE_NAMES = { gpt: "GPT", mbr: "MBR", none: "no partition table" } as const;

/** What an image is: its table and partitions. */
export function imageText(report: Shown): string {
  const { table, format, virtualSize } = report;
  const identity = table.guid ?? table.signature;
  const lines = [
    `${[format].flat().join(", ")} image, ${exactSize(virtualSize)}, ${TABLE_NAMES[table.type]}` +
      (identity === undefined ? "" : ` ${identity}`) +
      (table.sectorSize === 512 ? "" : `, sectors of ${table.sectorSize} bytes`),
  ];
  const details = Object.entries(report.container?.details ?? {}).filter(([, value]) => value !== false);
  if (details.length > 0) {
    const shownDetails = details.map(([name, value]) =>
      value === true ? words(name) : `${words(name)} ${shown(String(value))}`,
    );
    lines.push(`  ${shownDetails.join(", ")}`);
  }
  if (table.partitions.length === 0) lines.push("  nothing that is known");
  else if (table.type === "none") appendAll(lines, filesystemText(table.partitions[0]!.filesystem!));
  else appendAll(lines, partitionRows(table.partitions));
  for (const problem of allProblems(report)) lines.push(`  problem: ${shown(problem)}`);
  return lines.join("\n");
}

/** A size to read and to calculate with; one that is less than a kibibyte is both. */
function exactSize(size: number): string {
  return size < 1024 ? formatBytes(size) : `${formatSize(size)} (${formatBytes(size)})`;
}

function partitionRows(partitions: readonly PartitionReport[]): string[] {
  const header = ["#", "first", "last", "size", "type", "name", "flags", "filesystem"];
  const numbers = partitions.map(({ number, firstLba, lastLba, size }) =>
    [number, firstLba, lastLba, formatSize(size)].map(String),
  );
  const widths = [0, 1, 2, 3].map((column) =>
    largestOf([header[column]!.length, ...numbers.map((row) => row[column]!.length)]),
  );
  const rows = partitions.map((partition, index) => [
    ...numbers[index]!.map((cell, column) => cell.padStart(widths[column]!)),
    shown(partition.typeName ?? partition.type),
    shown(partition.name),
    partition.bootable ? "boot" : "",
    partition.filesystem === null ? "" : filesystemLine(partition.filesystem),
  ]);
  const heads = header.map((head, column) => (column < 4 ? head.padStart(widths[column]!) : head));
  return columns([heads, ...rows]);
}

function filesystemLine({ type, label, uuid, size, free }: FilesystemReport): string {
  const name = label === "" ? "" : ` "${shown(label)}"`;
  return `${type}${name} ${uuid}, ${formatSize(free)} of ${formatSize(size)} free`;
}

function filesystemText(filesystem: FilesystemReport): string[] {
  const lines = [`  ${filesystemLine(filesystem)}`];
  if (filesystem.inodes !== undefined) {
    lines.push(
      `  ${filesystem.freeInodes} of ${filesystem.inodes} inodes free, blocks of ${filesystem.blockSize} bytes`,
    );
  }
  if (filesystem.features !== undefined) lines.push(`  features: ${filesystem.features.join(" ")}`);
  return lines;
}

/** A name in camel case as words. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** Everything that is wrong with an image. */
export function allProblems({ container, table }: Shown): string[] {
  const inFilesystems = table.partitions.flatMap(({ number, filesystem }) =>
    (filesystem?.problems ?? []).map((problem) =>
      table.type === "none" ? problem : `partition ${number}: ${problem}`,
    ),
  );
  return [...(container?.problems ?? []), ...table.problems, ...inFilesystems];
}

/** What would be written, and why it has that size. */
export function planText(description: Description): string {
  const lines = [imageText(description)];
  for (const { name, mount, filesystem, type } of description.table.partitions) {
    if (filesystem === null) continue;
    const title =
      type === null
        ? "filesystem"
        : `${name === null ? "partition" : shown(name)}${mount === null ? "" : ` at ${shown(mount)}`}`;
    lines.push(
      "",
      `${title}: ${filesystem.type}, ${formatSize(filesystem.size)}, ${filesystem.entries} entries`,
    );
    appendAll(lines, usageText(filesystem));
  }
  for (const warning of description.warnings) lines.push(`warning: ${shown(warning)}`);
  return lines.join("\n");
}

const LISTED_PATHS = 5;

/** What takes the room in a filesystem. */
export function usageText({ usage, size, largest }: DescribedFilesystem): string[] {
  const used = Object.entries(usage).filter(([, bytes]) => bytes > 0);
  const sizes = used.map(([, bytes]) => formatSize(bytes));
  const width = largestOf(sizes.map((text) => text.length));
  const rows = used.map(([what, bytes], index) => [
    sizes[index]!.padStart(width),
    `${((100 * bytes) / size).toFixed(1).padStart(5)} %`,
    what.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
  ]);
  const lines = columns(rows);
  const listed = largest.slice(0, LISTED_PATHS);
  if (listed.length > 0) {
    const biggest = listed.map(({ bytes }) => formatSize(bytes));
    const room = largestOf([...biggest.map((text) => text.length), width]);
    lines.push("  largest:");
    for (const [index, { path }] of listed.entries()) {
      lines.push(`  ${biggest[index]!.padStart(room)}  ${shown(path)}`);
    }
  }
  return lines;
}
