export {
  addBootEntry,
  type BootEntry,
  bootEntries,
  deleteBootEntry,
  type NewBootEntry,
} from "./boot-order.ts";
export {
  type DevicePath,
  type DevicePathNode,
  decodeDevicePaths,
  type EfiPartition,
  encodeDevicePath,
  type GptPartition,
  type MbrPartition,
} from "./device-path.ts";
export type { StoreFormat } from "./firmware-volume.ts";
export { decodeLoadOption, encodeLoadOption, type LoadOption } from "./load-option.ts";
export type { EfiVariable } from "./records.ts";
export { EFI_GLOBAL_VARIABLE } from "./structures.ts";
export { type EfiVariables, openVariables, type SetOptions } from "./variable-store.ts";
