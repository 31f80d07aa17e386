import { closeSync, existsSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
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
  if (firmware.variables.path !== start) writeFileSync(firmware.variables.path, readFileSync(start));
}

/** How a store of variables in qcow2 starts; all others are raw. */
const QCOW2_MAGIC = "QFI\u00fb";

function storeFormat(path: string): "raw" | "qcow2" {
  const start = Buffer.alloc(QCOW2_MAGIC.length);
  const descriptor = openSync(path, "r");
  try {
    readSync(descriptor, start);
  } finally {
    closeSync(descriptor);
  }
  return start.toString("latin1") === QCOW2_MAGIC ? "qcow2" : "raw";
}
