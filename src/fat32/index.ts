export { fatPlans, fatTuningFields } from "./arguments.ts";
export { smallestFat } from "./choose.ts";
export type { FatFormat, FatType, Geometry, SectorSize } from "./geometry.ts";
export type { VolumeLayout } from "./layout.ts";
export { formatSerial } from "./names.ts";
export { type FatOptions, type FatPlan, planFat } from "./plan.ts";
export { type FatCheckOptions, type FatEntry, FatVolume, readFat } from "./read.ts";
export type { FatRegion } from "./regions.ts";
export { fatFree, fatWritten, writeFat } from "./write.ts";
