export { geometryKind, hybridEntryKind, mbrPlanKind, protectiveEntryKind } from "./arguments.ts";
export { bootCodeOf } from "./boot-code.ts";
export { type Geometry, PARTED_FILE_GEOMETRY, STANDARD_GEOMETRY } from "./chs.ts";
export {
  type MbrPartitionSpec,
  type MbrPlan,
  type MbrSpec,
  type PlannedLogicalPartition,
  type PlannedMbrPartition,
  planMbr,
} from "./plan.ts";
export {
  type HybridEntry,
  hybridEntries,
  type ProtectiveEntry,
  type ProtectiveMbrOptions,
  protectiveEntryOf,
  protectiveMbr,
  protectiveMbrProblems,
} from "./protective.ts";
export { type MbrPartition, type MbrTable, type ReadMbrOptions, readMbr } from "./read.ts";
export { BOOT_CODE_SIZE } from "./structures.ts";
export { formatType, isExtended, MBR_TYPES, type MbrTypeName, mbrTypeByte, mbrTypeName } from "./types.ts";
export { writeMbr } from "./write.ts";
