export { ext4TuningKind, gapKind, hybridKind, layoutKind, rawContentKind } from "./arguments.ts";
export { layoutProblems } from "./check.ts";
export { discoverable, hasType, isBootPartition, isEfiSystemPartition } from "./discoverable.ts";
export {
  type Ext4Tuning,
  type Gap,
  LAYOUT_NAMES,
  type Layout,
  type LayoutExt4,
  type LayoutFat,
  type LayoutFilesystem,
  type LayoutName,
  type LayoutPartition,
  type PartitionSize,
  type RawContent,
} from "./layout.ts";
export {
  NIX_STORE_LABEL,
  NIXPKGS_ADDITIONAL_SPACE,
  NIXPKGS_BOOT_SIZE,
  NIXPKGS_LABEL,
  NIXPKGS_ROOT_GUID,
  type NixpkgsOptions,
  nixpkgsBootSize,
  nixpkgsDiskSize,
  nixpkgsLayout,
  numfmtSize,
} from "./nixpkgs.ts";
export { isLogical, type NumberedLayout, type NumberedPartition, numbered } from "./number.ts";
export { backupGptSize, defaultBootSize, type PresetOptions, presetLayout } from "./presets.ts";
