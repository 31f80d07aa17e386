import { checkArgument } from "../arguments/index.ts";
import type { Layer } from "../compose/index.ts";
import type { Tree } from "../tree/index.ts";
import { tarOptionsKind, tarSourceKind } from "./arguments.ts";
import { compressionOf } from "./compression.ts";
import type { TarOptions, TarSource } from "./tar.ts";

/**
 * Reads a tar into a tree: plain, or compressed by gzip, zstd or xz, as its first bytes tell. Of a plain one in a
 * file, the tree refers to the file; else what its files hold is kept in a file without a name. An entry that
 * comes again replaces the one before.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`, `CORRUPT` for what is no sound archive, `INVALID_TREE` naming every
 *   entry that cannot be in a tree.
 */
export async function tarArchive(source: TarSource, options: TarOptions = {}): Promise<Tree> {
  checkArgument("source", source, tarSourceKind);
  checkArgument("options", options, tarOptionsKind);
  // Most runs read no archive: what does is loaded when it is needed.
  const { unpack } = await import("./tar.ts");
  return await unpack(source, options);
}

/** Reads a tar, as {@link tarArchive} does, into a layer: nothing is excluded or put together yet. */
export async function tarLayer(source: TarSource, options: TarOptions = {}): Promise<Layer> {
  const { readLayer } = await import("./tar.ts");
  return await readLayer(source, options);
}

/** How many bytes tell an archive: those of the first header of a tar. */
export const ARCHIVE_START = 512;

/** Whether a file that starts with these bytes is a tar, or is compressed. */
export async function isArchive(start: Uint8Array): Promise<boolean> {
  if (compressionOf(start) !== undefined) return true;
  return start.length >= ARCHIVE_START && (await import("../tar/index.ts")).isTarHeader(start);
}
