import { join } from "node:path";
import type { Extent } from "../../src/extents/index.ts";
import { writeFormat } from "../../src/formats/index.ts";
import { fileTarget } from "../../src/node/index.ts";

/** Writes extents as a sparse file in a scratch directory and returns its path. */
export async function saveExtents(
  directory: string,
  name: string,
  extents: Iterable<Extent>,
  size: number,
): Promise<string> {
  const path = join(directory, name);
  await writeFormat("raw", extents, size, fileTarget(path));
  return path;
}
