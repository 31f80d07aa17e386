import { DiskwrightError } from "../../errors.ts";
import { type DevicePath, decodeDevicePaths, encodeDevicePath, joined } from "./device-path.ts";
import { loadOptionHeader } from "./structures.ts";
import { terminatedUtf16Bytes, terminatedUtf16Text } from "./utf16.ts";

/** What firmware can start: an `EFI_LOAD_OPTION` (UEFI 2.10 §3.1.3). */
export interface LoadOption {
  /** Bit 0: it is tried; bit 3: menus leave it out. */
  readonly attributes: number;
  /** Its title in menus. */
  readonly description: string;
  /** The first one leads to the program; what others mean is up to the program. */
  readonly paths: readonly DevicePath[];
  /** What the program is given: a kernel takes its command line from it, in UTF-16. */
  readonly data: Uint8Array;
}

const LARGEST_PATHS = 0xffff;

/**
 * The data of a variable such as `Boot0000`.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a description with a NUL, and for paths that are too long.
 */
export function encodeLoadOption({ attributes, description, paths, data }: LoadOption): Uint8Array {
  if (description.includes("\0")) throw invalid(`${JSON.stringify(description)} has a NUL in it`);
  const pathBytes = joined(paths.map(encodeDevicePath));
  if (pathBytes.length > LARGEST_PATHS) {
    throw invalid(
      `${JSON.stringify(description)} has device paths of ${pathBytes.length} bytes, ${LARGEST_PATHS} are possible`,
    );
  }
  const header = loadOptionHeader.toBytes({ attributes, pathsSize: pathBytes.length });
  return joined([header, terminatedUtf16Bytes(description), pathBytes, data]);
}

/**
 * What the data of a variable such as `Boot0000` means.
 *
 * @throws DiskwrightError `CORRUPT` when it is no load option.
 */
export function decodeLoadOption(bytes: Uint8Array): LoadOption {
  if (bytes.length < loadOptionHeader.span) damaged(`has ${bytes.length} bytes`);
  const { attributes, pathsSize } = loadOptionHeader.fromBytes(bytes);
  const description = terminatedUtf16Text(bytes.subarray(loadOptionHeader.span));
  if (description === undefined) damaged("has a description without an end");
  const pathsStart = loadOptionHeader.span + 2 * (description.length + 1);
  const pathsEnd = pathsStart + pathsSize;
  if (pathsEnd > bytes.length) {
    damaged(`has device paths that end at byte ${pathsEnd}, but ${bytes.length} bytes`);
  }
  return {
    attributes,
    description,
    paths: decodeDevicePaths(bytes.subarray(pathsStart, pathsEnd)),
    data: bytes.subarray(pathsEnd),
  };
}

function invalid(reason: string): DiskwrightError {
  return new DiskwrightError("INVALID_SPEC", `the EFI boot entry ${reason}`);
}

function damaged(reason: string): never {
  throw new DiskwrightError("CORRUPT", `an EFI load option is damaged: it ${reason}`);
}
