import { DiskwrightError } from "../errors.ts";

/** The file breaks the rules of its format. */
export function damaged(reason: string): never {
  throw new DiskwrightError("CORRUPT", `the vhdx file is damaged: ${reason}`);
}

/** The file is of a kind that is not read. */
export function unsupported(reason: string): never {
  throw new DiskwrightError("UNSUPPORTED_IMAGE", `the vhdx file cannot be read: ${reason}`);
}
