import { isUtf8 } from "node:buffer";
import { lstatSync, readdirSync } from "node:fs";
import { compareBytes, printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { reasonOf } from "./host-error.ts";
import { joinPath } from "./host-path.ts";

/** The entries of one directory that a pattern matches. */
export interface FoundNames {
  /** The directory. */
  readonly parent: string;
  /** Sorted by their bytes, at least one. */
  readonly names: readonly Buffer[];
}

/** The names in a directory that a part of a pattern stands for. */
type Find = (directory: Buffer) => readonly Buffer[];

/** Whether a source is a pattern. */
export function isPattern(source: string): boolean {
  return /[*?[]/.test(source);
}

/**
 * What a pattern matches that starts at the root of the host, as a shell expands it in the locale C: in the order of the
 * bytes of the paths; `*`, `?` and `[…]` within names, and none of them a name that begins with a dot.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE` for a directory that cannot be read.
 */
export async function expand(pattern: string): Promise<FoundNames[]> {
  const { nameMatcher } = await import("../glob/index.ts");
  const parts = pattern.split("/").filter((name) => name !== "");
  const finds = parts.map((part): Find => {
    if (!isPattern(part)) return (directory) => existing(directory, Buffer.from(part));
    const isMatch = nameMatcher(part);
    return (directory) => namesIn(directory).filter((name) => isMatch(name.toString()));
  });
  const findLast = finds.pop();
  if (findLast === undefined) return [];
  let parents: Buffer[] = [Buffer.from("/")];
  for (const find of finds) {
    parents = parents.flatMap((parent) => find(parent).map((name) => joinPath(parent, name)));
  }
  return parents
    .sort((a, b) => compareBytes(withSlash(a), withSlash(b)))
    .map((parent) => ({ parent, names: findLast(parent) }))
    .filter(({ names }) => names.length > 0)
    .map(({ parent, names }) => ({ parent: textOf(parent), names }));
}

function existing(directory: Buffer, name: Buffer): Buffer[] {
  try {
    lstatSync(joinPath(directory, name));
    return [name];
  } catch (error) {
    return nothingIn(directory, error);
  }
}

function namesIn(directory: Buffer): Buffer[] {
  try {
    return readdirSync(directory, { encoding: "buffer" }).sort(compareBytes);
  } catch (error) {
    return nothingIn(directory, error);
  }
}

/** What is no directory has nothing in it that could match; what cannot be read might have. */
function nothingIn(directory: Buffer, error: unknown): Buffer[] {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return [];
  const path = printable(directory);
  throw new DiskwrightError("SOURCE_UNREADABLE", `${path}: ${reasonOf(error)}`, { path, cause: error });
}

function withSlash(path: Buffer): Buffer {
  return joinPath(path, NO_BYTES);
}

const NO_BYTES = Buffer.alloc(0);

function textOf(path: Buffer): string {
  if (isUtf8(path)) return path.toString();
  throw new DiskwrightError(
    "SOURCE_UNREADABLE",
    `${printable(path)}: a pattern matches in this directory, the name of which is not UTF-8: name the directory above it as the source`,
  );
}
