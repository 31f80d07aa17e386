export { EFI_ARCHITECTURES, type EfiArchitecture, efiArchitecture, HEADER_LENGTH } from "./architecture.ts";
export { type Bootspec, type BootspecDocument, parseBootspec } from "./bootspec.ts";
export { type CollectedEntries, collectEntries, type EntryOptions } from "./collect.ts";
export {
  type BootEntry,
  checkEntries,
  type EfiEntry,
  type EntryFile,
  entryPaths,
  type LinuxEntry,
} from "./entry.ts";
export { GENERATION_PLACES } from "./generations.ts";
export type { GivenEntry } from "./given.ts";
export { type KernelFacts, kernelFacts } from "./kernel-image.ts";
export { type FoundKernel, type FoundKernels, findKernels, KERNEL_PLACES } from "./kernels.ts";
export { fileNamePart } from "./names.ts";
export { kernelParameters, withRoot } from "./options.ts";
export { parseOsRelease } from "./os-release.ts";
export { type BootSystem, readSystem } from "./system.ts";
export { compareVersions } from "./version.ts";
