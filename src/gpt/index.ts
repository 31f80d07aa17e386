export { gptPlanKind } from "./arguments.ts";
export { attributeNames, PARTITION_ATTRIBUTES, parseAttributes } from "./attributes.ts";
export {
  DISCOVERABLE_ARCHITECTURES,
  DISCOVERABLE_TYPES,
  type DiscoverableArchitecture,
  type DiscoverableKind,
  type DiscoverableTypeName,
  discoverableType,
} from "./discoverable.ts";
export type { FoundHybrid } from "./hybrid.ts";
export {
  type GptCopy,
  type GptDisk,
  type GptPartitionSpec,
  type GptPlan,
  type GptSpec,
  gptUsableRange,
  type HybridSpec,
  type PlannedGptPartition,
  planGpt,
} from "./plan.ts";
export { type GptPartition, type GptTable, type ReadGptOptions, readGpt } from "./read.ts";
export { PARTITION_TYPES, type PartitionTypeName, partitionTypeGuid, partitionTypeName } from "./types.ts";
export { writeGpt } from "./write.ts";
