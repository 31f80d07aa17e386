export { featureNames, WRITTEN_FEATURES } from "./features.ts";
export type { BlockSize, Geometry } from "./geometry.ts";
export { type Ext4Options, type Ext4Plan, type Ext4Usage, planExt4 } from "./plan.ts";
export { type Ext4Entry, Ext4Volume, openExt4 } from "./read.ts";
export type { PlanRegion } from "./regions.ts";
export { writeExt4 } from "./write.ts";
