import { statSync } from "node:fs";
import { DiskwrightError } from "../errors.ts";
import { ARCHIVE_START, fileSource, isArchive } from "../node/index.ts";
import { sourcesOf } from "../spec/index.ts";

/**
 * Whether the argument of `build`, `plan` and `spec` is a source, as `--root` takes it, and no spec: a directory, a tar
 * by its name or its first bytes, `-`, each perhaps with `:/target` behind it. What is named .yaml, .yml or .json is a
 * spec, and so is everything else that can be text, such as the pipe of a shell's `<(…)`.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a file that is neither.
 */
export async function isSource(argument: string): Promise<boolean> {
  if (statSync(argument, { throwIfNoEntry: false }) !== undefined) return isSourceItself(argument);
  const { source } = sourcesOf({ root: argument }).root![0]!;
  return isSourceItself(source);
}

const SPEC_NAME = /\.(ya?ml|json)$/i;
const TAR_NAME = /\.(tar(\.\w+)?|t(gz|xz|zst|bz2?))$/i;

async function isSourceItself(path: string): Promise<boolean> {
  if (path === "-") return true;
  const status = statSync(path, { throwIfNoEntry: false });
  if (status?.isDirectory()) return true;
  if (SPEC_NAME.test(path)) return false;
  if (TAR_NAME.test(path)) return true;
  if (!status?.isFile()) return false;
  const start = startOf(path);
  if (await isArchive(start)) return true;
  if (start.includes(0)) throw neither(path);
  return false;
}

function startOf(path: string): Uint8Array {
  const file = fileSource(path);
  try {
    return file.read(0, Math.min(file.size, ARCHIVE_START));
  } finally {
    file.close();
  }
}

function neither(path: string): DiskwrightError {
  return new DiskwrightError(
    "INVALID_SPEC",
    `${path}: it is no directory, no tar, and no spec, which is text in YAML or JSON; disk images are for convert, inspect and vm`,
    { path },
  );
}
