import { DiskwrightError } from "../errors.ts";

/** The file breaks the rules of its format. */
export function damaged(reason: string, cause?: unknown): never {
  throw new DiskwrightError("CORRUPT", `the vmdk file is damaged: ${reason}`, { cause });
}

/** The file is of a kind that is not read. */
export function unsupported(reason: string): never {
  throw new DiskwrightError("UNSUPPORTED_IMAGE", `the vmdk file cannot be read: ${reason}`);
}
