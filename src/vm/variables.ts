import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { DiskwrightError, type ErrorCode } from "../errors.ts";
import { reasonOf } from "../node/index.ts";
import type { MachineFirmware } from "./command-line.ts";
import type { Firmware } from "./firmware.ts";

/** Firmware for a machine, and what its store of variables is a copy of. */
export interface FirmwareStore {
  readonly firmware: MachineFirmware;
  /** The file that the store starts as. */
  readonly start: string;
}

/**
 * Firmware whose store of variables will lie at `path`. It starts as what the caller stored, if that exists, and else
 * as the template of the firmware.
 */
export function firmwareStore(firmware: Firmware, stored: string | undefined, path: string): FirmwareStore {
  const isStored = stored !== undefined && existsSync(stored);
  const format = isStored ? storeFormat(stored) : firmware.template.format;
  return {
    firmware: { code: firmware.code, needsSmm: firmware.needsSmm, variables: { path, format } },
    start: isStored ? stored : firmware.template.path,
  };
}

/** Makes the store. It can be written, even if what it starts as cannot. */
export function makeStore({ firmware, start }: FirmwareStore): void {
  if (firmware.variables.path === start) return;
  const bytes = attempt(start, "SOURCE_UNREADABLE", () => readFileSync(start));
  const { path } = firmware.variables;
  attempt(path, "OUTPUT", () => writeFileSync(path, bytes));
}

/** How a store of variables in qcow2 starts; all others are raw. */
const QCOW2_MAGIC = "QFI\u00fb";

function storeFormat(path: string): "raw" | "qcow2" {
  const start = attempt(path, "SOURCE_UNREADABLE", () => readFileSync(path).subarray(0, QCOW2_MAGIC.length));
  return start.toString("latin1") === QCOW2_MAGIC ? "qcow2" : "raw";
}

function attempt<Result>(path: string, code: ErrorCode, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw new DiskwrightError(code, `${path}: ${reasonOf(error)}`, { path, cause: error });
  }
}
