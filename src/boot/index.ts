export { replacedFiles, withInstallation } from "./apply.ts";
export { bootInstallationKind } from "./arguments.ts";
export {
  addBootEntry,
  type BootEntry as FirmwareEntry,
  bootEntries,
  type DevicePath,
  type DevicePathNode,
  decodeDevicePaths,
  decodeLoadOption,
  deleteBootEntry,
  EFI_GLOBAL_VARIABLE,
  type EfiPartition,
  type EfiVariable,
  type EfiVariables,
  encodeDevicePath,
  encodeLoadOption,
  type GptPartition,
  type LoadOption,
  type MbrPartition,
  type NewBootEntry,
  openVariables,
  type SetOptions,
  type StoreFormat,
} from "./efi/index.ts";

export {
  type BootEntry,
  type CollectedEntries,
  collectEntries,
  compareVersions,
  type EfiArchitecture,
  type EfiEntry,
  type EntryOptions,
  type GivenEntry,
  type LinuxEntry,
} from "./entries/index.ts";
export {
  type EfiProgram,
  type GrubFirmware,
  type GrubOptions,
  grubProblems,
  grubWarnings,
  installGrub,
  type MenuOptions,
  type SerialConsole,
} from "./grub/index.ts";
export type {
  BootContext,
  BootFile,
  BootInstallation,
  BootVolume,
  EfiBootEntry,
  RawBoot,
} from "./installation.ts";
export {
  installSystemdBoot,
  type LoaderConfiguration,
  type SystemdBootOptions,
} from "./systemd-boot/index.ts";

export {
  installUnifiedKernel,
  type Machine,
  type PeSection,
  peSections,
  planUki,
  readUki,
  type UkiPlan,
  type UkiReport,
  type UkiSpec,
  type UnifiedKernelOptions,
  type UnifiedKernels,
  unifiedKernels,
  withFilesStaged,
} from "./uki/index.ts";
