export * from "./grub/index.ts";
export type {
  BootContext,
  BootFile,
  BootInstallation,
  BootVolume,
  EfiBootEntry,
  RawBoot,
} from "./installation.ts";
