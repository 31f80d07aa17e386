export {
  installUnifiedKernel,
  type UnifiedKernelOptions,
  type UnifiedKernels,
  unifiedKernels,
  withFilesStaged,
} from "./install.ts";
export { planUki, type UkiPlan, type UkiSpec } from "./plan.ts";
export { type PeSection, peSections, readUki, type UkiReport } from "./read.ts";
export type { Machine } from "./structures.ts";
