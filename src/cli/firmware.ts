import { readFileSync } from "node:fs";
import { firmwareVariables, type ImagePlan } from "../image/index.ts";
import { findFirmware } from "../vm/index.ts";
import { UsageError } from "./exit.ts";

/** The variables of UEFI firmware that start an image's boot loader, over those of a file, or of a new machine. */
export function variablesFor(planned: ImagePlan, from: string | undefined): Uint8Array {
  const path = from ?? template();
  try {
    return firmwareVariables(planned, readFileSync(path));
  } catch (error) {
    if (error instanceof Error && "syscall" in error) throw new UsageError(`${path}: ${error.message}`);
    throw error;
  }
}

function template(): string {
  const { path, format } = findFirmware().template;
  if (format === "raw") return path;
  throw new UsageError(
    `the firmware's template ${path} is a ${format}: name a raw one with --efi-vars-from (qemu-img convert makes it)`,
  );
}
