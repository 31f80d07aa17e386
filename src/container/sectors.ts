import { fields, oneOf, type Required } from "../arguments/index.ts";
import { formatBytes, formatSize } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";

/** The unit in which containers count the size of a disk. */
export const SECTOR = 512;

/** Bytes of the sectors of a disk. */
export interface SectorSizes {
  /** What systems count in. Partition tables lie by it. */
  readonly logical: 512 | 4096;
  /** What the medium is written in: what systems align to. */
  readonly physical: 512 | 4096;
}

/** Sector sizes, at run time. */
export const sectorSizesKind: Required = fields<SectorSizes>("the sizes of sectors", {
  logical: oneOf(512, 4096),
  physical: oneOf(512, 4096),
});

/** What a container can hold, in bytes. */
export interface DiskLimits {
  readonly smallest?: number | undefined;
  readonly largest: number;
  /** What the size must be a multiple of. Default: a sector of 512 bytes. */
  readonly multiple?: number | undefined;
  /** What to use for a larger disk. Default: qcow2. */
  readonly whatHoldsMore?: string | undefined;
}

/**
 * Checks that a container can hold a disk of `size` bytes, exactly: a disk that grows in its container no
 * longer has the backup of its GPT at the end.
 *
 * @throws DiskwrightError `INVALID_SPEC` with the limit, and what to do.
 */
export function checkDiskSize(format: string, size: number, limits: DiskLimits): void {
  const { smallest = 0, largest, multiple = SECTOR, whatHoldsMore = "qcow2" } = limits;
  const fail = (reason: string): never => {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `a disk of ${formatBytes(size)} cannot be ${format}: ${reason}`,
    );
  };
  if (size < smallest) fail(`it holds at least ${formatSize(smallest)}`);
  if (size > largest) fail(`it holds at most ${formatSize(largest)}; ${whatHoldsMore} holds more`);
  if (size % multiple !== 0) {
    fail(
      `it counts in ${multiple === SECTOR ? "sectors of 512 bytes" : `multiples of ${formatSize(multiple)}`}; make the disk that much larger (truncate --size=%${multiple}), or build it with such a --size`,
    );
  }
}
