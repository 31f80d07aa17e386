/**
 * diskwright: from a directory to a bootable disk image. This is the pure core, which runs anywhere; what
 * needs Node is in `diskwright/node`.
 *
 * @packageDocumentation
 */
export { DiskwrightError, DoesNotFitError, type ErrorCode, type ErrorDetails } from "./errors.ts";
export {
  type ByteSource,
  bytesContent,
  bytesSource,
  type Content,
  memoryTarget,
  type Progress,
  sequentialTarget,
  type Target,
} from "./extents/index.ts";
export {
  type Description,
  describe,
  type Image,
  type ImagePlan,
  type ImageSpec,
  image,
  type PartitionPlan,
  plan,
  type Size,
  type WriteOptions,
  write,
} from "./image/index.ts";
export { type ImageReport, inspect } from "./inspect/index.ts";
export { LAYOUT_NAMES, type LayoutName } from "./layouts/index.ts";
export { type Device, type Entry, type EntryType, ownedBy, Tree, treeOf } from "./tree/index.ts";
