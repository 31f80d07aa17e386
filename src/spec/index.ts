export { checkSources, checkSpec, type SpecProblem } from "./check.ts";
export type { PartitionContent, SpecContent } from "./convert.ts";
export { ext4TuningOf, sourcesOf } from "./fields.ts";
export type { FilesystemSpec, RootFilesystemSpec } from "./filesystem.ts";
export { mergeSpec } from "./merge.ts";
export type { GapSpec, PartitionSpec } from "./partition.ts";
export { resolvePaths, resolveRule } from "./paths.ts";
export type { Spec } from "./schema.ts";
export type { ContentsRuleSpec, SourcesSpec } from "./sources.ts";
export type { MachineSpec } from "./vm.ts";

// What few commands need is loaded when it is needed: it would cost a good part of a short run.

/** What makes images of specs. */
export async function specImages(): Promise<typeof import("./convert.ts")> {
  return await import("./convert.ts");
}

/** What reads and prints spec files. */
export async function specFiles(): Promise<typeof import("./read.ts")> {
  return await import("./read.ts");
}
