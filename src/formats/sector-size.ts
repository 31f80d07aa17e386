import type { Disk, SectorSizes } from "../container/index.ts";
import { DiskwrightError } from "../errors.ts";
import { type FormatName, formatFacts } from "./names.ts";

// How large the sectors of a disk are decides where systems look for its partition table. Most disk formats cannot
// say it: programs that attach them give guests sectors of 512 bytes.

/** What a medium with sectors of 512 bytes says of its own: systems then align to 4 KiB, as Hyper-V has it. */
const USUAL_PHYSICAL = 4096;

/** How the sector size of a disk is decided. */
export interface SectorSizeOptions {
  /** Bytes of a logical sector. Default: what the disk's container says, else what its GPT is laid out for, else 512. */
  readonly sectorSize?: 512 | 4096 | undefined;
  /** Bytes of a physical sector. Default: what the disk's container says, else 4096. */
  readonly physicalSectorSize?: 512 | 4096 | undefined;
}

/** The sectors of a disk that is planned. */
export function plannedSectors({ sectorSize = 512, physicalSectorSize }: SectorSizeOptions): SectorSizes {
  return { logical: sectorSize, physical: physicalSectorSize ?? USUAL_PHYSICAL };
}

/**
 * The sectors of a disk that is copied. Its partition table is looked for only where an output depends on it. A
 * container that says another size than its GPT is laid out for is believed, with a warning.
 */
export async function copiedSectors(
  disk: Disk,
  formats: readonly FormatName[],
  { sectorSize, physicalSectorSize = disk.sectors?.physical }: SectorSizeOptions,
  warn: (warning: string) => void,
): Promise<SectorSizes> {
  if (sectorSize !== undefined || formats.every((name) => formatFacts(name).sectorSize === undefined)) {
    return plannedSectors({ sectorSize: sectorSize ?? disk.sectors?.logical, physicalSectorSize });
  }
  const found = await gptSectorSize(disk);
  const said = disk.sectors?.logical;
  if (said !== undefined && found !== undefined && said !== found) {
    warn(
      `the ${disk.format} file says sectors of ${said} bytes, but its GPT is laid out for ${found}: systems do not find its partitions; --sector-size ${found} corrects it`,
    );
  }
  return plannedSectors({ sectorSize: said ?? found, physicalSectorSize });
}

/** The sector size for which the GPT of a disk is laid out; `undefined` without a GPT that can be read. */
async function gptSectorSize(disk: Disk): Promise<512 | 4096 | undefined> {
  const { readGpt } = await import("../gpt/index.ts");
  try {
    return (await readGpt(disk))?.sectorSize;
  } catch (error) {
    // What has no sound copy is no table that decides anything: inspect says what is wrong with it.
    if (error instanceof DiskwrightError && error.code === "CORRUPT") return undefined;
    throw error;
  }
}

/**
 * Checks that a format can say how large the sectors of a disk are, or leaves it to whoever attaches the disk.
 *
 * @returns A warning for what is written all the same.
 * @throws DiskwrightError `INVALID_SPEC` for a format whose readers take every disk for one with sectors of 512 bytes.
 */
export function checkSectorSize(
  name: FormatName,
  { logical }: SectorSizes,
  isIgnored = false,
): string | undefined {
  if (logical === 512 || formatFacts(name).sectorSize !== "512") return undefined;
  const reason = `${name} cannot say that a sector has ${logical} bytes: whatever attaches the image takes 512, and finds no partition table`;
  if (isIgnored) return reason;
  throw new DiskwrightError(
    "INVALID_SPEC",
    `${reason}. Use vhdx, which says it; or raw or qcow2, and attach the disk with sectors of ${logical} bytes (QEMU: logical_block_size=${logical}); or make the disk with sectors of 512 bytes. To write it all the same, use --ignore-sector-size`,
  );
}
