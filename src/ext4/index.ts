export { ext4Plans, ext4TuningFields } from "./arguments.ts";
export type { BlockSize, Design, DirectoryHash } from "./design.ts";
export { type Ext4Type, type FeatureName, type FeatureSet, featureNames } from "./features.ts";
export type { Geometry } from "./geometry.ts";
export { ext4OptionsOf } from "./options-of.ts";
export { type Ext4Options, type Ext4Plan, planExt4 } from "./plan.ts";
export {
  type Ext4CheckOptions,
  type Ext4Entry,
  type Ext4Place,
  Ext4Volume,
  type JournalState,
  openExt4,
} from "./read.ts";
export type { PlanRegion } from "./regions.ts";
export type { DefaultMountOption, ErrorBehaviour, Settings } from "./settings.ts";
export type { Ext4Usage } from "./usage.ts";
export { ext4Free, ext4Runs, ext4Written, writeExt4 } from "./write.ts";
