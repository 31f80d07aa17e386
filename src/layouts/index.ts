export {
  LAYOUT_NAMES,
  type Layout,
  type LayoutFilesystem,
  type LayoutName,
  type LayoutPartition,
} from "./layout.ts";
export {
  NIXPKGS_ADDITIONAL_SPACE,
  NIXPKGS_BOOT_SIZE,
  NIXPKGS_LABEL,
  NIXPKGS_ROOT_GUID,
  type NixpkgsOptions,
  nixpkgsDiskSize,
  nixpkgsLayout,
  numfmtSize,
} from "./nixpkgs.ts";
export { defaultBootSize, type PresetOptions, presetLayout } from "./presets.ts";
