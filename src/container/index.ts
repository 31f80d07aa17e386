export { type ContainerTargetOptions, containerTarget } from "./container-target.ts";
export { type Disk, rawDisk, type UnitDiskParts, type UnitRun, unitDisk } from "./disk.ts";
export type { ContainerFacts, ContainerLayout, ContainerTables, PackedLayout, Place } from "./layout.ts";
export { type PackedTargetOptions, packedTarget } from "./packed-target.ts";
export { checkDiskSize, type DiskLimits, SECTOR, type SectorSizes, sectorSizesKind } from "./sectors.ts";
export { type UnitRange, UnitSet } from "./unit-set.ts";
export { isZeros, withoutZeros, ZERO_BLOCK } from "./zeros.ts";
