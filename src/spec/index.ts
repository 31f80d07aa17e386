export { checkSpec, type SpecProblem } from "./check.ts";
export {
  expandPreset,
  ext4TuningOf,
  imageSpecOf,
  type PartitionContent,
  type SpecContent,
  sourcesOf,
} from "./convert.ts";
export type { FilesystemSpec, RootFilesystemSpec } from "./filesystem.ts";
export { mergeSpec } from "./merge.ts";
export type { GapSpec, PartitionSpec } from "./partition.ts";
export { resolvePaths } from "./paths.ts";
export type { Spec } from "./schema.ts";
export type { ContentsRuleSpec, SourcesSpec } from "./sources.ts";

/** What reads and prints spec files. It is loaded when it is needed: the schema costs a good part of a short run. */
export async function specFiles(): Promise<typeof import("./read.ts")> {
  return await import("./read.ts");
}
