import { DiskwrightError } from "../errors.ts";

/** Refuses options that cannot be. */
export function refuse(message: string): never {
  throw new DiskwrightError("INVALID_FILESYSTEM", message);
}
