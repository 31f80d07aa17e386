import { type BigIntStats, statSync } from "node:fs";
import { resolve } from "node:path";
import { checkArgument } from "../arguments/index.ts";
import { DiskwrightError } from "../errors.ts";
import { eventLoopTurn } from "../extents/index.ts";
import type { RawContent } from "../layouts/index.ts";
import { hostPathKind } from "./arguments.ts";
import { reasonOf } from "./host-error.ts";
import { dataRanges, maybeSparse } from "./sparse.ts";
import { stampOf } from "./stamp.ts";

/**
 * A file of the host as it is, for a partition or a gap; its holes stay holes.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`.
 */
export async function rawFile(path: string): Promise<RawContent> {
  checkArgument("path", path, hostPathKind);
  const bytes = Buffer.from(resolve(path));
  let status: BigIntStats;
  try {
    status = statSync(bytes, { bigint: true });
  } catch (error) {
    throw new DiskwrightError("SOURCE_UNREADABLE", `${path}: ${reasonOf(error)}`, { path, cause: error });
  }
  if (!status.isFile()) throw new DiskwrightError("SOURCE_UNREADABLE", `${path}: is no file`, { path });
  const size = Number(status.size);
  const turn = (): Promise<void> => eventLoopTurn(undefined);
  const data = maybeSparse(status) ? await dataRanges(bytes, size, turn) : undefined;
  return { content: { type: "file", path: bytes, size, stamp: stampOf(status) }, data };
}
