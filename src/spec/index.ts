export { checkSpec, type SpecProblem } from "./check.ts";
export type { FilesystemSpec, RootFilesystemSpec } from "./filesystem.ts";
export { mergeSpec } from "./merge.ts";
export type { GapSpec, PartitionSpec } from "./partition.ts";
export { resolvePaths } from "./paths.ts";
export { printSpec } from "./print.ts";
export { readContents, readGap, readPartition, readSpec } from "./read.ts";
export { type Spec, specSchema } from "./schema.ts";
export type { ContentsRuleSpec, SourcesSpec } from "./sources.ts";
