import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { firmwareVariables, type ImagePlan } from "../image/index.ts";
import { reasonOf, replaceFile } from "../node/index.ts";
import { findFirmware, type ImageStep, withScratch } from "../vm/index.ts";
import { UsageError } from "./exit.ts";

/** The variables of UEFI firmware that start an image's boot loader, over those of a file, or of a new machine. */
export function variablesFor(planned: ImagePlan, from: string | undefined): Uint8Array {
  return firmwareVariables(planned, storeBytes(from ?? rawTemplate()));
}

/** A warning for a machine whose variables nobody keeps. */
export const lostVariables =
  "what the script changes in the variables of UEFI is lost: name a file for them (--efi-vars)";

/** Whether an image has a boot loader that variables can start. */
export function hasBootEntries({ image }: ImagePlan): boolean {
  return (image.boot?.efiEntries ?? []).length > 0;
}

/**
 * The variables with which a machine that runs a script starts: its own of before if there are any, else those of
 * `from`. `undefined`: the template of the firmware.
 */
export function startVariables(own: string | undefined, from: string | undefined): Uint8Array | undefined {
  const path = own !== undefined && existsSync(own) ? own : from;
  return path === undefined ? undefined : storeBytes(path);
}

/**
 * Gives a script a machine with UEFI, whose variables are in a file that is dropped afterwards; `keep` is a file that
 * has them then. It is replaced when `use` is done, so that an older one stays when anything fails.
 */
export async function withUefi<Result>(
  start: Uint8Array | undefined,
  keep: string | undefined,
  use: (efi: NonNullable<ImageStep["efi"]>) => Promise<Result>,
): Promise<Result> {
  return await withScratch(async (directory) => {
    const variables = join(directory, "variables");
    if (start !== undefined) writeFileSync(variables, start);
    const result = await use({ variables });
    if (keep !== undefined) await replaceFile(keep, readFileSync(variables));
    return result;
  });
}

function storeBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path}: ${reasonOf(error)}`);
  }
}

function rawTemplate(): string {
  const { path, format } = findFirmware().template;
  if (format === "raw") return path;
  throw new UsageError(
    `the firmware's template ${path} is a ${format}: name a raw one with --efi-vars-from (qemu-img convert makes it)`,
  );
}
