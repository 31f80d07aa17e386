import { type BigIntStats, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { checkArgument } from "../arguments/index.ts";
import { DiskwrightError } from "../errors.ts";
import { eventLoopTurn } from "../extents/index.ts";
import type { RawContent } from "../layouts/index.ts";
import { shownPath } from "../tree/index.ts";
import { hostPathKind } from "./arguments.ts";
import { changeBehind, changedSource } from "./changed.ts";
import { reasonOf } from "./host-error.ts";
import { dataRanges, maybeSparse } from "./sparse.ts";
import { stampOf } from "./stamp.ts";

/**
 * A file of the host as it is, for a partition or a gap; its holes stay holes. A symlink stands for what it leads to.
 *
 * @throws DiskwrightError `SOURCE_UNREADABLE`; `SOURCE_CHANGED` when it changes while its holes are looked for.
 */
export async function rawFile(path: string): Promise<RawContent> {
  checkArgument("path", path, hostPathKind);
  let bytes: Buffer;
  let status: BigIntStats;
  try {
    bytes = realpathSync(resolve(path), { encoding: "buffer" });
    status = statSync(bytes, { bigint: true });
  } catch (error) {
    throw unreadable(path, reasonOf(error), error);
  }
  if (!status.isFile()) throw unreadable(path, "is no file");
  const stamp = stampOf(status);
  const turn = (): Promise<void> => eventLoopTurn(undefined);
  try {
    const data = maybeSparse(status) ? await dataRanges(bytes, stamp, turn) : undefined;
    return { content: { type: "file", path: bytes, size: stamp.size, stamp }, data };
  } catch (error) {
    if (error instanceof DiskwrightError) throw error;
    const change = changeBehind(error);
    throw change === undefined
      ? unreadable(path, reasonOf(error), error)
      : changedSource(bytes, change, error);
  }
}

function unreadable(path: string, reason: string, cause?: unknown): DiskwrightError {
  return new DiskwrightError("SOURCE_UNREADABLE", `${shownPath(path)}: ${reason}`, { path, cause });
}
