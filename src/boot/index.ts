export { replacedFiles, withInstallation } from "./apply.ts";
export {
  type BootEntry,
  collectEntries,
  compareVersions,
  type EfiArchitecture,
  type EfiEntry,
  type EntryOptions,
  type GivenEntry,
  type LinuxEntry,
} from "./entries/index.ts";
export type { BootContext, BootFile, BootInstallation, EfiBootEntry, RawBoot } from "./installation.ts";
export {
  installSystemdBoot,
  type LoaderConfiguration,
  type SystemdBootOptions,
} from "./systemd-boot/index.ts";
