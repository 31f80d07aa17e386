export type { BootContext, BootFile, BootInstallation, EfiBootEntry, RawBoot } from "./installation.ts";
