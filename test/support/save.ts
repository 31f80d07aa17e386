import { join } from "node:path";
import type { Extent, Target } from "../../src/extents/index.ts";
import { type WriteDiskOptions, writeDisk } from "../../src/formats/index.ts";
import { fileTarget } from "../../src/node/index.ts";

/** Writes extents as a raw image. */
export async function writeRaw(
  extents: () => Iterable<Extent>,
  size: number,
  target: Target,
  options: WriteDiskOptions = {},
): Promise<void> {
  await writeDisk({ size, extents }, [{ target }], options);
}

/** Writes extents as a sparse file in a scratch directory and returns its path. */
export async function saveExtents(
  directory: string,
  name: string,
  extents: () => Iterable<Extent>,
  size: number,
): Promise<string> {
  const path = join(directory, name);
  await writeRaw(extents, size, fileTarget(path));
  return path;
}
