export { formatKind, outputsKind } from "./arguments.ts";
export type { Hash, HashFactory, HashLoader } from "./bmap.ts";
export {
  chooseFormat,
  FORMAT_NAMES,
  FORMATS,
  type FormatFacts,
  type FormatName,
  formatFacts,
  formatOfName,
  knownSuffixes,
  splitOutput,
  unknownSuffix,
} from "./names.ts";
export { type OpenDiskOptions, openDisk, READABLE_FORMATS, type ReadableFormat } from "./open.ts";
export type { FreeRanges } from "./prepare.ts";
export { checkSectorSize, plannedSectors, type SectorSizeOptions } from "./sector-size.ts";
export {
  type CopyDiskOptions,
  copyDisk,
  type Output,
  type PlannedDisk,
  type WriteDiskOptions,
  writeDisk,
} from "./write.ts";
