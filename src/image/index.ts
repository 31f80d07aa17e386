export { imagePlanKind } from "./arguments.ts";
export { bootContext } from "./boot.ts";
export {
  type DescribedFilesystem,
  type DescribedPartition,
  type DescribedRange,
  type Description,
  describe,
  describeFilesystem,
} from "./describe.ts";
export { firmwareVariables } from "./firmware.ts";
export { filesystemFree, imageFree } from "./free.ts";
export { filesystemName, fstabText } from "./fstab.ts";
export { type FilesystemPlan, type ImagePlan, type PartitionPlan, plan, type TablePlan } from "./plan.ts";
export { type FstabSource, type Image, type ImageSpec, image, type Size } from "./spec.ts";
export { imageExtents, type WriteOptions, write } from "./write.ts";
